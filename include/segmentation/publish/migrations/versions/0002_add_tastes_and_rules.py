"""Add the second segmentation, by taste, and the rules that describe a segment."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "segments",
        sa.Column("rules", postgresql.ARRAY(sa.Text()), comment="At most three conditions that describe the segment"),
        schema="marts",
    )
    op.add_column(
        "segments",
        sa.Column(
            "rule_fidelity",
            sa.Double(),
            comment="share of customers for whom the rules and the segment agree; those in it and outside count alike",
        ),
        schema="marts",
    )
    op.add_column(
        "customer_segments",
        sa.Column(
            "taste_id",
            sa.Integer(),
            comment=(
                "what the customer likes, see marts.tastes; null for who bought and looked at nothing "
                "in a category, and in a shop without categories"
            ),
        ),
        schema="marts",
    )
    op.add_column(
        "customer_segments",
        sa.Column("taste_name", sa.Text(), comment="the taste's name, copied for convenience"),
        schema="marts",
    )
    op.add_column(
        "customer_segments",
        sa.Column(
            "taste_since",
            sa.Date(),
            comment="first business day of the present, unbroken stay in this taste",
        ),
        schema="marts",
    )
    op.create_index("customer_segments_taste", "customer_segments", ["taste_id"], schema="marts")
    op.create_table(
        "customer_taste_history",
        sa.Column("customer_id", sa.Text(), primary_key=True, comment="the shop's customer key, as text"),
        sa.Column(
            "valid_from",
            sa.Date(),
            primary_key=True,
            comment="first business day of this stay (included)",
        ),
        sa.Column(
            "valid_to",
            sa.Date(),
            comment="first business day after this stay (excluded); null = still there",
        ),
        sa.Column(
            "taste_id",
            sa.Integer(),
            nullable=False,
            comment=(
                "taste during this stay, see marts.tastes; one id may mean two tastes "
                "while ops.runs calls days stale that were published out of order"
            ),
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that began this stay, see ops.runs"),
        sa.CheckConstraint("valid_to is null or valid_to > valid_from", name="customer_taste_history_order"),
        schema="marts",
        comment=(
            "Grain: customer, valid_from (slowly changing dimension, type 2). The taste on day D is the row with "
            "valid_from <= D and (valid_to is null or valid_to > D); no row = no taste on that day."
        ),
    )
    op.create_index("customer_taste_history_from", "customer_taste_history", ["valid_from"], schema="marts")
    op.create_table(
        "tastes",
        sa.Column(
            "taste_id",
            sa.Integer(),
            primary_key=True,
            autoincrement=False,
            comment=(
                "stable id, never reused; days published out of order "
                "may use one id for two tastes until the days that ops.runs calls stale are run again"
            ),
        ),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="name made from the categories at birth; stays with the id",
        ),
        sa.Column(
            "description",
            sa.Text(),
            nullable=False,
            comment="which categories set the taste apart from the shop, in one sentence",
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="active or retired"),
        sa.Column("born_on", sa.Date(), nullable=False, comment="first business day on which the taste existed"),
        sa.Column("retired_on", sa.Date(), comment="first business day without it; null while active"),
        sa.Column(
            "lineage",
            postgresql.JSONB(),
            nullable=False,
            comment="taste ids it came from, with the share of its customers at birth",
        ),
        sa.UniqueConstraint("name"),
        schema="marts",
        comment=(
            "Grain: taste. Every taste that ever was: a second segmentation, by what customers buy and look at, "
            "independent of the segments. Empty for a shop without categories."
        ),
    )


def downgrade() -> None:
    op.drop_table("tastes", schema="marts")
    op.drop_table("customer_taste_history", schema="marts")
    op.drop_index("customer_segments_taste", "customer_segments", schema="marts")
    for column in ("taste_since", "taste_name", "taste_id"):
        op.drop_column("customer_segments", column, schema="marts")
    for column in ("rule_fidelity", "rules"):
        op.drop_column("segments", column, schema="marts")
