"""Add whose turn it is, and why a day published again may differ."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "turns",
        sa.Column("dag_id", sa.Text(), nullable=False, comment="DAG whose runs go one at a time"),
        sa.Column(
            "run_id",
            sa.Text(),
            nullable=False,
            comment="run that took the turn last; it counts while that run is under way",
        ),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False, comment="when it began"),
        sa.PrimaryKeyConstraint("dag_id"),
        schema="ops",
        comment="Grain: DAG. Which run goes now: days are a chain, so those of a backfill and of the schedule take "
        "turns.",
    )
    op.create_table(
        "changes",
        sa.Column("business_day", sa.Date(), nullable=False, comment="the day that was published again"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that published it again, see ops.runs"),
        sa.Column(
            "input",
            sa.Text(),
            nullable=False,
            comment="what differs: a source table, or `night before` for the base",
        ),
        sa.Column(
            "data_day",
            sa.Date(),
            nullable=False,
            comment="business day of the rows that differ, or of the night before",
        ),
        sa.Column(
            "before",
            sa.Text(),
            nullable=False,
            comment="rows, or the base's version, of the run published until then",
        ),
        sa.Column(
            "after",
            sa.Text(),
            nullable=False,
            comment="the same of this run; equal numbers: rows of other content",
        ),
        sa.Column("replaces_run_id", sa.Text(), nullable=False, comment="run that was published until then"),
        sa.PrimaryKeyConstraint("business_day", "run_id", "input", "data_day"),
        schema="ops",
        comment="Grain: business day, run, input, data day. Why a day that was published again may differ from what it "
        "was: the inputs that changed. A day published again from unchanged inputs has no rows here, and the same "
        "labels.",
    )


def downgrade() -> None:
    op.drop_table("changes", schema="ops")
    op.drop_table("turns", schema="ops")
