"""The catalog's tables as Airflow assets: other DAGs can be scheduled on them."""

from __future__ import annotations

from datetime import date

from airflow.sdk import Asset, get_current_context

from segmentation.catalog import MARTS
from segmentation_airflow.tonight import Report

#: Who is in which segment; its event carries the business day as partition key, and the counts.
CUSTOMER_SEGMENTS = Asset(name=f"{MARTS}.customer_segments", group=MARTS)


def announce(asset: Asset, counts: Report, day: date) -> Report:
    """Attach the business day and its counts to the asset event of the running task, and hand the counts on."""
    event = get_current_context()["outlet_events"][asset]
    event.extra = {"business_day": day.isoformat(), **counts}
    event.add_partitions(day.isoformat())
    return counts
