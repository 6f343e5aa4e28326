"""Say what confidence is since it is calibrated."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BEFORE = "0 to 1: how clearly nearer this segment is than the next one"
_NOW = "chance (0 to 1) that the segment would be the same, had other customers been in the shop"


def upgrade() -> None:
    op.alter_column("customer_segments", "confidence", schema="marts", comment=_NOW, existing_comment=_BEFORE)


def downgrade() -> None:
    op.alter_column("customer_segments", "confidence", schema="marts", comment=_BEFORE, existing_comment=_NOW)
