"""Add releases from quarantine, requests to erase customers, their certificates, and when a model was removed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
