"""Add what the Segments page shows: the map of customers, the tastes of each segment, and who downloaded what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "segment_tastes",
        sa.Column("as_of", sa.Date(), primary_key=True, comment="business day whose end is described"),
        sa.Column(
            "segment_id", sa.Integer(), primary_key=True, autoincrement=False, comment="segment, see marts.segments"
        ),
        sa.Column("taste_id", sa.Integer(), primary_key=True, autoincrement=False, comment="taste, see marts.tastes"),
        sa.Column("customers", sa.Integer(), nullable=False, comment="customers of the segment who have this taste"),
        sa.Column(
            "share",
            sa.Double(),
            nullable=False,
            comment="that as a share (0 to 1) of the segment's customers who have a taste",
        ),
        sa.Column(
            "lift",
            sa.Double(),
            nullable=False,
            comment="share over the taste's share of all customers who have one; 1 = as usual in the shop",
        ),
        schema="marts",
        comment=(
            "Grain: as_of, segment, taste. How the two segmentations cross: what the customers of a segment like. "
            "Customers of one as_of may be summed, never over days. Empty for a shop without categories."
        ),
    )
    op.create_table(
        "customer_map",
        sa.Column("as_of", sa.Date(), primary_key=True, comment="business day whose end is described"),
        sa.Column(
            "segment_ids",
            postgresql.ARRAY(sa.Integer()),
            nullable=False,
            comment="segment of each point, see marts.segments",
        ),
        sa.Column(
            "x",
            postgresql.ARRAY(postgresql.REAL()),
            nullable=False,
            comment="each point's place along the first principal component",
        ),
        sa.Column(
            "y",
            postgresql.ARRAY(postgresql.REAL()),
            nullable=False,
            comment="each point's place along the second principal component",
        ),
        sa.Column("x_axis", sa.Text(), nullable=False, comment="what grows to the right, in words"),
        sa.Column("y_axis", sa.Text(), nullable=False, comment="what grows upwards, in words"),
        sa.Column(
            "explained",
            sa.Double(),
            nullable=False,
            comment="share (0 to 1) of the customers' variance that the two components keep",
        ),
        sa.Column("customers", sa.Integer(), nullable=False, comment="customers whom the points, a sample, stand for"),
        schema="marts",
        comment=(
            "Grain: as_of. The customers' places in the space of the segments, projected to two dimensions: a sample "
            "of at most 5,000 points without ids; a segment of fewer than 10 customers is left out. Points of two days "
            "are not the same customers. No row for a night without a model."
        ),
    )
    op.create_table(
        "downloads",
        sa.Column("download_id", sa.BigInteger(), sa.Identity(), primary_key=True, comment="number of the entry"),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
            comment="when it was asked for",
        ),
        sa.Column("username", sa.Text(), nullable=False, comment="user of the Airflow UI"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="audience = a CSV file of customers; look-up = one customer's page",
        ),
        sa.Column(
            "subject",
            sa.Text(),
            nullable=False,
            comment="audience: the segment or item; look-up: keyed hash of the customer id, never the id",
        ),
        sa.Column("as_of", sa.Date(), comment="business day of the labels handed out; null = there were none"),
        sa.Column("rows", sa.Integer(), nullable=False, comment="customers handed out"),
        schema="ops",
        comment=("Grain: download or look-up. Who took customers out of the Segments page, written before they leave."),
    )
    op.create_index("downloads_at", "downloads", ["at"], schema="ops")


def downgrade() -> None:
    op.drop_table("downloads", schema="ops")
    op.drop_table("customer_map", schema="marts")
    op.drop_table("segment_tastes", schema="marts")
