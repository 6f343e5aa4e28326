"""Which tables a task reads and writes, told to whoever collects lineage: with the OpenLineage provider, its backend.

Without a provider that collects, Airflow's collector is one that does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.sdk.lineage import get_hook_lineage_collector

from segmentation.catalog import MARTS
from segmentation_airflow.tonight import Tonight
from segmentation_airflow.urls import WAREHOUSE, url_of

logger = logging.getLogger(__name__)

#: Names the tables of a night as ``postgres://host:port/database/schema/table``.
Tables = Callable[[Tonight], list[str]]


def shop_tables(night: Tonight) -> list[str]:
    """Return the mapped tables of the shop."""
    from segmentation.extract.mapping import load_mapping

    mapped = load_mapping(night.settings.extract.mapping).tables.values()
    return _addresses(night.source_url, [(table.schema_name, table.relation_name) for table in mapped])


def marts_tables(_: Tonight) -> list[str]:
    """Return marketing's tables in the warehouse."""
    from segmentation.warehouse import metadata

    names = [(MARTS, table.name) for table in metadata.sorted_tables if table.schema == MARTS]
    return _addresses(url_of(WAREHOUSE), names)


def nothing(_: Tonight) -> list[str]:
    """Return no table."""
    return []


def note_lineage(night: Tonight, reads: Tables, writes: Tables) -> None:
    """Tell Airflow's collector of the running task's tables; a problem here never touches the task."""
    # what it is told by only tells two senders apart
    sender: Any = night
    try:
        collector = get_hook_lineage_collector()
        for address in reads(night):
            collector.add_input_asset(context=sender, uri=address)
        for address in writes(night):
            collector.add_output_asset(context=sender, uri=address)
    except Exception:
        logger.warning("The tables of the task could not be told to the lineage collector.", exc_info=True)


def _addresses(url: str, tables: Iterable[tuple[str, str]]) -> list[str]:
    """Return tables' addresses, without login and password."""
    parts = urlsplit(url)
    place = f"postgres://{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"
    return [f"{place}/{quote(schema, safe='')}/{quote(table, safe='')}" for schema, table in tables]
