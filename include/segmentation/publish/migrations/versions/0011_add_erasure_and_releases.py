"""Add releases from quarantine and erasures of customers, and tell less of segments of few customers."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


# columns of segment_profiles that are not told of few customers
_UNTOLD: dict[str, sa.types.TypeEngine[Any]] = {
    "revenue_28d": sa.Numeric(18, 2),
    "orders_28d": sa.BigInteger(),
    "revenue_365d": sa.Numeric(18, 2),
    "orders_365d": sa.BigInteger(),
}
_SHARE_BEFORE = "that as a share (0 to 1) of the shop's; null if the shop sold nothing"
_SHARE_NOW = "that as a share (0 to 1) of all that is told; null if the shop sold nothing"
_PROFILES_BEFORE = (
    "Grain: as_of, segment. Size, money and habits of each segment on each published day. Customers, revenue "
    "and orders of one as_of may be summed over segments, never over days."
)
_PROFILES_NOW = (
    "Grain: as_of, segment. Size, money and habits of each segment on each published day; of fewer than 10 "
    "customers (with an order) only how many they are, the rest is null or empty. Customers, revenue and orders of one "
    "as_of may be summed over segments, never over days."
)
_BRIDGE_BEFORE = (
    "Grain: as_of, segment. Why a segment's revenue of 28 days changed since the night before: by_customers + "
    "by_frequency + by_basket = revenue_28d_after - revenue_28d_before, to the cent. The three may be summed over "
    "segments and over nights that build on each other; before and after may be summed over segments only. "
    "The first night has no rows."
)
_BRIDGE_NOW = f"{_BRIDGE_BEFORE[:-1]}, nor has a segment of fewer than 10 customers on either day."


def _describe(share: tuple[str, str], profiles: tuple[str, str], bridge: tuple[str, str]) -> None:
    op.alter_column(
        "segment_profiles", "revenue_share_28d", schema="marts", comment=share[1], existing_comment=share[0]
    )
    for table, (before, now) in (("segment_profiles", profiles), ("segment_revenue_bridge", bridge)):
        op.create_table_comment(table, now, schema="marts", existing_comment=before)


def upgrade() -> None:
    for name, kind in _UNTOLD.items():
        op.alter_column("segment_profiles", name, schema="marts", existing_type=kind, nullable=True)
    _describe((_SHARE_BEFORE, _SHARE_NOW), (_PROFILES_BEFORE, _PROFILES_NOW), (_BRIDGE_BEFORE, _BRIDGE_NOW))
    op.add_column(
        "models",
        sa.Column(
            "removed_at",
            sa.DateTime(timezone=True),
            comment="when its weights were removed; null = they are there",
        ),
        schema="ops",
    )
    op.add_column(
        "models",
        sa.Column("removed_reason", sa.Text(), comment="why, in words: an erased customer, or its age"),
        schema="ops",
    )
    op.create_table(
        "quarantine_releases",
        sa.Column("release_id", sa.BigInteger(), sa.Identity(), nullable=False, comment="number of the release"),
        sa.Column("table_name", sa.Text(), nullable=False, comment="source table, contract name"),
        sa.Column("data_day", sa.Date(), nullable=False, comment="day of the rows"),
        sa.Column("broken", sa.Text(), nullable=False, comment="the broken promise that they are right in spite of"),
        sa.Column(
            "key", sa.Text(), comment="key of the row, parts joined by /; null = all rows set aside for it that day"
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="why they are right"),
        sa.Column("released_by", sa.Text(), nullable=False, comment="who says so"),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False, comment="when"),
        sa.PrimaryKeyConstraint("release_id"),
        schema="ops",
        comment=(
            "Grain: release. Rows declared right after they were set aside; written by `segmentation quarantine "
            "release`, and taken in by the next run."
        ),
    )
    op.create_index("quarantine_releases_day", "quarantine_releases", ["data_day"], schema="ops")
    op.create_table(
        "erasure_requests",
        sa.Column("request_id", sa.BigInteger(), sa.Identity(), nullable=False, comment="number of the request"),
        sa.Column(
            "customer_id", sa.Text(), comment="the shop's customer key, as text, or its pseudonym; null once erased"
        ),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
            comment="when it was entered",
        ),
        sa.Column(
            "requested_by",
            sa.Text(),
            nullable=False,
            server_default=sa.text("current_user"),
            comment="who entered it; a user or a ticket, not the customer",
        ),
        sa.Column(
            "policy",
            sa.Text(),
            comment="tombstone or retrain, see docs/PRIVACY.md; null = as the setting privacy.models says",
        ),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            server_default=sa.text("'open'"),
            comment="open, erasing (begun, to be gone on with) or erased (see ops.erasure_certificates)",
        ),
        sa.Column("begun_at", sa.DateTime(timezone=True), comment="when erasing began; null while open"),
        sa.Column(
            "customer_marks",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'::text[]"),
            comment=(
                "keyed hashes of the key and of its pseudonym, by which extraction leaves the customer out for good"
            ),
        ),
        sa.Column(
            "key_check", sa.Text(), comment="tells, without revealing it, whether the key is the one of the hashes"
        ),
        sa.Column(
            "first_day",
            sa.Date(),
            comment="first business day of which the lake had rows of the customer; null = none",
        ),
        sa.Column(
            "found",
            postgresql.JSONB(),
            nullable=False,
            server_default=sa.text("'{}'::jsonb"),
            comment="{place: rows of the customer} when erasing began",
        ),
        sa.Column(
            "recipients",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'::text[]"),
            comment="destinations that may have been sent the customer: they have to be told",
        ),
        sa.Column(
            "nights_kept",
            postgresql.ARRAY(sa.Date()),
            nullable=False,
            server_default=sa.text("'{}'::date[]"),
            comment="published days that were up to date then and are not called stale for the erasure",
        ),
        sa.CheckConstraint("status in ('open', 'erasing', 'erased')", name="erasure_requests_status"),
        sa.CheckConstraint("policy in ('tombstone', 'retrain')", name="erasure_requests_policy"),
        sa.CheckConstraint("(customer_id is null) = (status = 'erased')", name="erasure_requests_customer"),
        sa.PrimaryKeyConstraint("request_id"),
        schema="ops",
        comment=(
            "Grain: request. Customers to be erased by the DAG customer_erasure: insert a customer_id. Rows of erased "
            "customers must stay: extraction leaves out whom they stand for."
        ),
    )
    op.create_table(
        "erasure_certificates",
        sa.Column(
            "request_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="request, see ops.erasure_requests",
        ),
        sa.Column(
            "erased_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the search had found nothing more",
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that erased"),
        sa.Column("policy", sa.Text(), nullable=False, comment="what became of the models: tombstone or retrain"),
        sa.Column(
            "found",
            postgresql.JSONB(),
            nullable=False,
            comment="{place: rows of the customer} before; all of them are gone",
        ),
        sa.Column(
            "models_withdrawn",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="models whose weights were removed",
        ),
        sa.Column(
            "recipients", postgresql.ARRAY(sa.Text()), nullable=False, comment="destinations that have to be told"
        ),
        sa.Column(
            "files_searched", sa.Integer(), nullable=False, comment="files of lake, Data Docs, reports and exports"
        ),
        sa.Column("tables_searched", sa.Integer(), nullable=False, comment="tables of the warehouse"),
        sa.Column("statement", sa.Text(), nullable=False, comment="the same in words"),
        sa.PrimaryKeyConstraint("request_id"),
        schema="ops",
        comment=(
            "Grain: request. Proof that a customer was erased: written after a search through every file and table "
            "found nothing."
        ),
    )


def downgrade() -> None:
    op.drop_table("erasure_certificates", schema="ops")
    op.drop_table("erasure_requests", schema="ops")
    op.drop_table("quarantine_releases", schema="ops")
    op.drop_column("models", "removed_reason", schema="ops")
    op.drop_column("models", "removed_at", schema="ops")
    _describe((_SHARE_NOW, _SHARE_BEFORE), (_PROFILES_NOW, _PROFILES_BEFORE), (_BRIDGE_NOW, _BRIDGE_BEFORE))
    # without their figures rows of few customers cannot be kept
    op.execute("delete from marts.segment_profiles where revenue_28d is null")
    for name, kind in _UNTOLD.items():
        op.alter_column("segment_profiles", name, schema="marts", existing_type=kind, nullable=False)
