"""What Alembic runs: the migrations on the connection that `segmentation.publish.migrate` hands in."""

from __future__ import annotations

from alembic import context

from segmentation.catalog import OPS
from segmentation.warehouse import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=OPS,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
