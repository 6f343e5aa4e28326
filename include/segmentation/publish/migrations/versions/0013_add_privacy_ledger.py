"""Add the ledger of figures that left the warehouse, with the epsilon that each spent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "privacy_ledger",
        sa.Column("release_id", sa.BigInteger(), sa.Identity(), nullable=False, comment="number of the release"),
        sa.Column("business_day", sa.Date(), nullable=False, comment="day whose figures were released"),
        sa.Column(
            "segmentation_version", sa.Text(), nullable=False, comment="labels that they were summed by, see ops.runs"
        ),
        sa.Column("epsilon", sa.Numeric(9, 6), nullable=False, comment="what the release spends of the budget"),
        sa.Column(
            "revenue_bound",
            sa.Integer(),
            nullable=False,
            comment="revenue of 28 days that one customer counts for at most",
        ),
        sa.Column(
            "orders_bound",
            sa.Integer(),
            nullable=False,
            comment="orders of 28 days that one customer counts for at most",
        ),
        sa.Column(
            "figures",
            postgresql.JSONB(),
            nullable=False,
            comment="what was released, a row per segment: noise included",
        ),
        sa.Column(
            "released_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
            comment="when it was booked",
        ),
        sa.Column("released_by", sa.Text(), nullable=False, comment="who asked for it"),
        sa.CheckConstraint("epsilon > 0", name="privacy_ledger_epsilon"),
        sa.PrimaryKeyConstraint("release_id"),
        schema="ops",
        comment="Grain: release. Figures with noise that left the warehouse (differential privacy, docs/PRIVACY.md) "
        "and the epsilon that each spent; the same request again is answered from here. Rows must stay: they are the "
        "budget.",
    )
    op.create_index(
        "privacy_ledger_once",
        "privacy_ledger",
        ["business_day", "segmentation_version", "epsilon", "revenue_bound", "orders_bound"],
        unique=True,
        schema="ops",
    )


def downgrade() -> None:
    op.drop_table("privacy_ledger", schema="ops")
