"""Note which destinations were told of an erasure by an event."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLES = ("erasure_requests", "erasure_certificates")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(
            table,
            sa.Column(
                "told",
                postgresql.ARRAY(sa.Text()),
                nullable=False,
                server_default=sa.text("'{}'::text[]"),
                comment="destinations that confirmed an event `erased`, and were told by it",
            ),
            schema="ops",
        )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "told", schema="ops")
