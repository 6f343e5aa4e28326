"""The part of a night that is about doing: what campaigns have brought, and what to do about each segment next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, select

from segmentation.actions.playbook import Entry, load_playbook
from segmentation.actions.ranking import newest_results, rank_actions
from segmentation.campaigns.allocation import allocation_rows
from segmentation.campaigns.measurement import measure_campaigns, result_rows
from segmentation.config import Settings
from segmentation.warehouse import campaign_allocation, campaign_results, segment_actions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["load_playbook", "measure_and_recommend"]


def measure_and_recommend(
    connection: Connection,
    duck: DuckDBPyConnection,
    settings: Settings,
    day: date,
    profiles: Sequence[Mapping[str, Any]],
    shop: Mapping[str, Any] | None,
    playbook: Sequence[Entry],
) -> list[tuple[Table, list[dict[str, Any]]]]:
    """Measure every open campaign and rank the actions of every segment, as known at the end of a day.

    Parameters
    ----------
    connection : Connection
        The warehouse, in the night's transaction; only read.
    duck : DuckDBPyConnection
        The night's files, from `publish.profiles.night_files`.
    settings : Settings
        All settings.
    day : date
        Business day.
    profiles : sequence of mapping
        Tonight's rows of `marts.segment_profiles`.
    shop : mapping, optional
        The shop described as they are.
    playbook : sequence of Entry
        From `load_playbook`, before the transaction.

    Returns
    -------
    list of (Table, rows)
        What `marts.campaign_results`, `campaign_allocation` and `segment_actions` are to hold of the day.
    """
    measured = measure_campaigns(connection, duck, settings, day)
    results = [row for each in measured for row in result_rows(each, settings.campaigns, settings.currency)]
    shares = [row for each in measured for row in allocation_rows(connection, each, settings.campaigns)]
    known = newest_results([*_closed_results(connection, day, {row["campaign_id"] for row in results}), *results])
    actions = rank_actions(day, profiles, shop, playbook, known, settings.currency)
    return [(campaign_results, results), (campaign_allocation, shares), (segment_actions, actions)]


def _closed_results(connection: Connection, day: date, still_open: set[int]) -> list[dict[str, Any]]:
    """Return the last results, by the day, of campaigns that are measured no more."""
    table = campaign_results
    newest = (
        select(table)
        .distinct(table.c.campaign_id, table.c.segment_id, table.c.arm)
        .where(table.c.as_of < day, table.c.campaign_id.not_in(sorted(still_open)))
        .order_by(table.c.campaign_id, table.c.segment_id, table.c.arm, table.c.as_of.desc())
    )
    return [dict(row) for row in connection.execute(newest).mappings()]
