"""Extend the profiles, and add what became of segments and why their revenue changed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _profile_columns() -> list[sa.Column]:
    return [
        sa.Column(
            "channels",
            postgresql.JSONB(),
            nullable=False,
            server_default=sa.text("'[]'::jsonb"),
            comment=(
                "list of {channel, share}: share (0 to 1) of the visits of the last 365 days that came through a "
                "channel, best first; an event outside a visit counts as one, a campaign sent as none; channels used "
                "by fewer than 10 customers are left out; [] for a shop without events or channels"
            ),
        ),
        sa.Column(
            "campaign_order_share",
            sa.Double(),
            comment=(
                "orders after a campaign / orders of the last 365 days, 0 to 1: within three days after one was opened "
                "or clicked, or on the day of a coupon redemption; null without campaigns, and where fewer than 10 "
                "customers ordered"
            ),
        ),
        sa.Column(
            "expected_spend_28d_low",
            sa.Double(),
            comment=(
                "lower end of the 95 % interval of the segment's mean by the chance of single customers alone, shop "
                "currency; errors of the model and shifts of the whole shop are not in it, so the truth falls outside "
                "more often than 1 time in 20; null without a model, or before a 28-day future is known"
            ),
        ),
        sa.Column("expected_spend_28d_high", sa.Double(), comment="upper end of that interval"),
        sa.Column(
            "expected_churn_28d_low",
            sa.Double(),
            comment=(
                "lower end of the 95 % interval of the segment's mean by the chance of single customers alone, 0 to 1; "
                "errors of the model and shifts of the whole shop are not in it; null without a model"
            ),
        ),
        sa.Column("expected_churn_28d_high", sa.Double(), comment="upper end of that interval"),
        sa.Column(
            "versus_shop",
            postgresql.JSONB(),
            nullable=False,
            server_default=sa.text("'{}'::jsonb"),
            comment=(
                "{column: figure of the segment / that of all customers with an order}, 1 = the same; revenue, orders "
                "and sessions per customer; what is unknown or 0 in the shop is left out; {} for fewer than 10 "
                "customers, and for those without an order"
            ),
        ),
    ]


def upgrade() -> None:
    for column in _profile_columns():
        op.add_column("segment_profiles", column, schema="marts")
    op.create_table(
        "segment_lifecycle",
        sa.Column("as_of", sa.Date(), primary_key=True, comment="business day of the new segments"),
        sa.Column(
            "segment_id",
            sa.Integer(),
            primary_key=True,
            autoincrement=False,
            comment="segment, see marts.segments",
        ),
        sa.Column(
            "event",
            sa.Text(),
            primary_key=True,
            comment=(
                "born (new this day), split (its customers are several segments now), merged (it took others in) "
                "or retired (no more from this day on)"
            ),
        ),
        sa.Column(
            "other_segment_ids",
            postgresql.ARRAY(sa.Integer()),
            nullable=False,
            comment=(
                "born: where its customers come from; split: its parts; merged: the ones it took in; "
                "retired: where its customers are now; {} if there are none"
            ),
        ),
        sa.Column("detail", sa.Text(), nullable=False, comment="the same in words, with shares of customers"),
        sa.Column("compared_to", sa.Date(), comment="published day of the segments before; null on the first night"),
        schema="marts",
        comment=(
            "Grain: as_of, segment, event. Segments that were born, split, merged or retired; no row = nothing of the "
            "kind happened that day. Events of a day that was published again with another result are replaced."
        ),
    )
    op.create_table(
        "segment_revenue_bridge",
        sa.Column("as_of", sa.Date(), primary_key=True, comment="business day of the new figures"),
        sa.Column(
            "segment_id",
            sa.Integer(),
            primary_key=True,
            autoincrement=False,
            comment="segment, see marts.segments",
        ),
        sa.Column(
            "compared_to",
            sa.Date(),
            nullable=False,
            comment="published day of the figures before: the one that this day built on",
        ),
        sa.Column(
            "revenue_28d_before",
            sa.Numeric(18, 2),
            nullable=False,
            comment="revenue_28d of the segment on compared_to, shop currency; 0 if it was not there",
        ),
        sa.Column(
            "revenue_28d_after",
            sa.Numeric(18, 2),
            nullable=False,
            comment="revenue_28d of the segment on as_of, shop currency; 0 if it is no more",
        ),
        sa.Column(
            "by_customers",
            sa.Numeric(18, 2),
            nullable=False,
            comment=(
                "change for having more or fewer customers, shop currency; all of it for a segment that came or went"
            ),
        ),
        sa.Column(
            "by_frequency",
            sa.Numeric(18, 2),
            nullable=False,
            comment="change for more or fewer orders per customer, shop currency",
        ),
        sa.Column(
            "by_basket",
            sa.Numeric(18, 2),
            nullable=False,
            comment="change for more or less net revenue per order, shop currency",
        ),
        schema="marts",
        comment=(
            "Grain: as_of, segment. Why a segment's revenue of 28 days changed since the night before: by_customers + "
            "by_frequency + by_basket = revenue_28d_after - revenue_28d_before, to the cent. The three may be summed "
            "over segments and over nights that build on each other; before and after may be summed over segments "
            "only. The first night has no rows."
        ),
    )


def downgrade() -> None:
    op.drop_table("segment_revenue_bridge", schema="marts")
    op.drop_table("segment_lifecycle", schema="marts")
    for column in reversed(_profile_columns()):
        op.drop_column("segment_profiles", column.name, schema="marts")
