"""Add the log of customers sent to destinations."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activation_log",
        sa.Column("destination", sa.Text(), nullable=False, comment="name of the destination in the settings"),
        sa.Column(
            "campaign_id", sa.Integer(), autoincrement=False, nullable=False, comment="campaign, see marts.campaigns"
        ),
        sa.Column("customer_id", sa.Text(), nullable=False, comment="the shop's customer key, as text"),
        sa.Column(
            "number",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="1 = the first time the customer joined there, 2 = left, 3 = joined again, and so on",
        ),
        sa.Column(
            "event", sa.Text(), nullable=False, comment="joined (may be written to) or left (must not be any more)"
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="id of the action the customer gets"),
        sa.Column(
            "as_of", sa.Date(), nullable=False, comment="business day of the labels and of the consent that decided"
        ),
        sa.Column(
            "batch_key",
            sa.Text(),
            nullable=False,
            comment="idempotency key of the request, object or file that holds it",
        ),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False, comment="when it was put into the batch"),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the destination had confirmed it; null = it has not, but may have got it",
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that put it into the batch"),
        sa.CheckConstraint("event in ('joined', 'left')", name="activation_log_event"),
        sa.PrimaryKeyConstraint("destination", "campaign_id", "customer_id", "number"),
        schema="ops",
        comment=(
            "Grain: destination, campaign, customer, number. Who was sent where: written before a batch is sent, "
            "confirmed after, so that whoever may have been sent is known even after a crash. Dry runs leave nothing."
        ),
    )
    op.create_index("activation_log_batch", "activation_log", ["destination", "batch_key"], schema="ops")


def downgrade() -> None:
    op.drop_table("activation_log", schema="ops")
