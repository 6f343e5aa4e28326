"""Add labels within the day: where a label comes from, up to when it takes rows in, and how far the runs have come."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_PROVISIONAL_BEFORE = (
    "true: came while the newest night is held; labelled by the model and the segments of as_of, and in no "
    "profile and no history until a night is published"
)
_PROVISIONAL_NOW = (
    "true: came since as_of, while the newest night is held or within the day; labelled by the model and the "
    "segments of as_of, and in no profile and no history until a night is published"
)
_AS_OF_BEFORE = "business day whose end the label describes; the same for all rows"
_AS_OF_NOW = "business day of the night whose model and segments made the label; the same for all rows"
_CURRENT_BEFORE = (
    "Grain: customer. Who is in which segment now. Rewritten nightly in one transaction; join to "
    "marts.segments on segment_id. Do not sum confidence."
)
_CURRENT_NOW = (
    "Grain: customer. Who is in which segment now. Rewritten nightly in one transaction; within the day, labels of "
    "customers who did something are brought forward (source = intraday). Join to marts.segments on segment_id. Do not "
    "sum confidence."
)
_HISTORY_BEFORE = (
    "Grain: customer, valid_from (slowly changing dimension, type 2). The label on day D is the row with "
    "valid_from <= D and (valid_to is null or valid_to > D)."
)
_HISTORY_NOW = f"{_HISTORY_BEFORE} Labels of nights only: those made within a day are not here."


def upgrade() -> None:
    op.add_column(
        "customer_segments",
        sa.Column(
            "as_of_time",
            sa.DateTime(timezone=True),
            comment="instant up to which the label takes the customer's rows in; null = the end of as_of",
        ),
        schema="marts",
    )
    op.add_column(
        "customer_segments",
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            server_default="night",
            comment="night, or intraday: made within the day, for the end of the day of as_of_time; in no history and "
            "no profile, and replaced by the next night",
        ),
        schema="marts",
    )
    _comment(_PROVISIONAL_NOW, _AS_OF_NOW, _CURRENT_NOW, _HISTORY_NOW)
    op.create_table(
        "intraday",
        sa.Column(
            "base_day",
            sa.Date(),
            nullable=False,
            comment="newest published day, whose model and segments are used within the day",
        ),
        sa.Column("segmentation_version", sa.Text(), nullable=False, comment="its segments, see ops.runs"),
        sa.Column(
            "through",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="instant up to which the shop's rows are in the labels; the next run goes on from here",
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run of segmentation_intraday that published last"),
        sa.Column(
            "labelled", sa.BigInteger(), nullable=False, comment="customers whose label that run brought forward"
        ),
        sa.Column(
            "moved", sa.BigInteger(), nullable=False, comment="of these, who is in another segment than at night"
        ),
        sa.PrimaryKeyConstraint("base_day"),
        schema="ops",
        comment="Grain: base day; at most one row. How far the labels within the day have come. A night that is "
        "published removes it, as it replaces these labels.",
    )


def downgrade() -> None:
    op.drop_table("intraday", schema="ops")
    # what was made within the day goes: the columns that tell it apart do
    op.execute("delete from marts.customer_segments where source <> 'night' and provisional")
    _comment(_PROVISIONAL_BEFORE, _AS_OF_BEFORE, _CURRENT_BEFORE, _HISTORY_BEFORE)
    op.drop_column("customer_segments", "source", schema="marts")
    op.drop_column("customer_segments", "as_of_time", schema="marts")


def _comment(provisional: str, as_of: str, current: str, history: str) -> None:
    op.alter_column("customer_segments", "provisional", schema="marts", comment=provisional)
    op.alter_column("customer_segments", "as_of", schema="marts", comment=as_of)
    op.create_table_comment("customer_segments", current, schema="marts")
    op.create_table_comment("customer_segment_history", history, schema="marts")
