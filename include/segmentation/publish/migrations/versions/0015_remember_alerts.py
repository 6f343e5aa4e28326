"""Remember which messages about a night were sent, so that a second one says what it follows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.BigInteger(), sa.Identity(), nullable=False, comment="number of the message"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that it is about, see ops.runs"),
        sa.Column("business_day", sa.Date(), nullable=False, comment="day of the run"),
        sa.Column("kind", sa.Text(), nullable=False, comment="failed, held or late"),
        sa.Column(
            "channels", postgresql.ARRAY(sa.Text()), nullable=False, comment="connections that it was sent through"
        ),
        sa.Column(
            "told_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()"), comment="when"
        ),
        sa.PrimaryKeyConstraint("alert_id"),
        schema="ops",
        comment="Grain: message. Who was told of which night: a second message about a run says that it follows a "
        "first.",
    )
    op.create_index("alerts_run", "alerts", ["run_id"], schema="ops")


def downgrade() -> None:
    op.drop_table("alerts", schema="ops")
