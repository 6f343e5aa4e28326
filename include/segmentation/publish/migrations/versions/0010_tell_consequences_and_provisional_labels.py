"""Say what a gate's failure leads to, and which customers were labelled while a night is held."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_STATUS_BEFORE = "running, published, held, failed or superseded (a later run published the day)"
_STATUS_NOW = (
    "running, published, held (a gate failed; also after it was rejected), failed or superseded (a later run "
    "published the day)"
)


def upgrade() -> None:
    op.add_column(
        "metrics",
        sa.Column(
            "consequence",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="what follows if a gate fails; '' = no gate",
        ),
        schema="ops",
    )
    op.add_column(
        "customer_segments",
        sa.Column(
            "provisional",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment=(
                "true: came while the newest night is held; labelled by the model and the segments of as_of, and in no "
                "profile and no history until a night is published"
            ),
        ),
        schema="marts",
    )
    op.alter_column("runs", "status", schema="ops", comment=_STATUS_NOW, existing_comment=_STATUS_BEFORE)


def downgrade() -> None:
    op.alter_column("runs", "status", schema="ops", comment=_STATUS_BEFORE, existing_comment=_STATUS_NOW)
    op.drop_column("customer_segments", "provisional", schema="marts")
    op.drop_column("metrics", "consequence", schema="ops")
