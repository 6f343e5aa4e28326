"""Alembic migrations of the warehouse, run by `segmentation.publish.migrate`."""
