"""Put one night's labels into the warehouse: all of it in one transaction, or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2 import sql
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text

from segmentation import runs
from segmentation.actions.recommend import load_playbook, measure_and_recommend
from segmentation.catalog import FEATURES, SEGMENTATIONS
from segmentation.config import Settings
from segmentation.errors import LedgerBehind, MissingInput
from segmentation.intraday.judge_labels import judge_labels
from segmentation.publish.affinities import rank_affinities
from segmentation.publish.changes import explain_changes
from segmentation.publish.consent import read_consent
from segmentation.publish.copy_rows import copy_rows
from segmentation.publish.interests import gather_interests, replace_interests
from segmentation.publish.lifecycle import describe_lifecycle
from segmentation.publish.map_customers import map_customers, mix_tastes
from segmentation.publish.profiles import count_transitions, night_files, profile_segments, without_few
from segmentation.publish.revenue_bridge import bridge_revenue
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.runs import PublishedNight, StaleDay
from segmentation.warehouse import (
    customer_map,
    customer_segment_history,
    customer_taste_history,
    segment_affinities,
    segment_lifecycle,
    segment_profiles,
    segment_revenue_bridge,
    segment_tastes,
    segment_transitions,
    segments,
    tastes,
)
from segmentation.warehouse import runs as runs_table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent
_LOCK = "segmentation:publish"
# the text form of a Postgres array: quotes and backslashes escaped, each element quoted
_LABELS_AS_TEXT = """
select
    customer_id,
    segment_id,
    confidence,
    '{' || array_to_string(
        list_transform(
            coalesce(reasons, []), lambda word: '"' || replace(replace(word, '\\', '\\\\'), '"', '\\"') || '"'
        ),
        ','
    ) || '}' as reasons,
    rfm_segment,
    taste_id,
    may_contact
from labels
left join consent using (customer_id)
order by customer_id
"""


@dataclass(frozen=True)
class PublishResult:
    """What a publication did.

    Attributes
    ----------
    customers : int
        Customers labelled.
    is_newest : bool
        True if the day is the newest published one, so that `marts.customer_segments` shows it.
    changed : bool
        False if the day was published before with exactly these labels.
    stale_days : list of str
        Published days (ISO) that a re-run would change.
    message : str
        The same in words, with what is not to be relied on while days are stale and the command that brings
        them, and the days that built on them, forward.
    """

    customers: int
    is_newest: bool
    changed: bool
    stale_days: list[str]
    message: str


def publish_night(
    settings: Settings,
    day: date,
    segmentation_version: str,
    base: PublishedNight | None,
    warehouse: Engine,
    run_id: str,
    now: datetime,
    note: str = "",
) -> PublishResult:
    """Publish the labels of a business day.

    Readers see the tables as they were until the transaction ends, never half of the new ones. Publishing
    the same labels again changes no row but the run's. A killed publication leaves nothing behind.

    Parameters
    ----------
    settings : Settings
        All settings; labels, features and outlook are read from the lake.
    day : date
        Business day.
    segmentation_version : str
        Which of the day's segmentations.
    base : PublishedNight, optional
        The published day that it built on; None on the first night.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    run_id : str
        Key in `ops.runs`.
    now : datetime
        The present instant, timezone-aware.
    note : str
        Kept as the run's message: who let a held night go out.

    Returns
    -------
    PublishResult
        Counts, and the days that have become stale.

    Raises
    ------
    MissingInput
        If the segmentation or the features are not in the lake, or a label has no segment.
    InvalidPlaybook
        If the playbook of actions cannot be used.
    LedgerBehind
        If the labels of `base` are not in the lake.
    DatabaseUnreachable, LoginRefused, PermissionMissing, WarehouseNotReady, WarehouseBusy, WarehouseFull
        If the warehouse refuses.
    """
    folder = settings.lake.path(SEGMENTATIONS, day=day, version=segmentation_version)
    labels, description = folder / "labels.parquet", folder / "segmentation.json"
    if not (labels.exists() and description.exists()):
        raise MissingInput(f"segmentation {segmentation_version}", day, "Clear the task `cluster` of this run.")
    segmentation = json.loads(description.read_text())
    playbook = load_playbook(settings.actions.playbook)
    with night_files(settings, day, labels, _base_labels(settings, base)) as duck:
        distinctive = {s["segment_id"]: s["distinctive"] for s in segmentation["segments"]}
        profiles, shop = profile_segments(duck, day, distinctive)
        base_day = base.business_day if base else None
        transitions = count_transitions(duck, day, base_day)
        lifecycle = describe_lifecycle(day, base_day, segmentation, transitions)
        known, liked = _segments_of(segmentation), _tastes_of(segmentation)
        _require_described(day, "segments", {row["segment_id"] for row in profiles}, known, "segment_id")
        _require_described(day, "tastes", _tastes_used(duck), liked, "taste_id")
        customers = sum(row["customers"] for row in profiles)
        places, mixed = map_customers(duck, day, segmentation), mix_tastes(duck, day)
        affinities = rank_affinities(duck, settings, day)
        gather_interests(duck, settings, day)
        read_consent(duck, settings, day)

        with named_warehouse_errors(warehouse), warehouse.begin() as connection:
            begin_publication(connection, settings)
            copy_labels(connection, duck)
            following = _next_published(connection, day)
            _rewrite_history(connection, customer_segment_history, "changed", "stays", day, run_id, following)
            _rewrite_history(
                connection, customer_taste_history, "changed_tastes", "taste_stays", day, run_id, following
            )
            _replace(connection, segment_profiles, day, without_few(profiles))
            _replace(connection, segment_transitions, day, transitions)
            _replace(connection, segment_lifecycle, day, lifecycle)
            _replace(connection, segment_revenue_bridge, day, bridge_revenue(connection, day, base_day, profiles))
            _replace(connection, segment_affinities, day, affinities)
            for table, rows in measure_and_recommend(connection, duck, settings, day, profiles, shop, playbook):
                _replace(connection, table, day, rows)
            _replace(connection, customer_map, day, places)
            _replace(connection, segment_tastes, day, mixed)
            _rewrite_described(connection, segments, segment_profiles, known, day, is_newest=following is None)
            _rewrite_described(connection, tastes, customer_taste_history, liked, day, is_newest=following is None)
            if following is None:
                judge_labels(connection, settings, day, run_id)
                run_file(
                    connection,
                    "replace_current.sql",
                    day=day,
                    model_version=segmentation["model_version"],
                )
                run_file(connection, "put_current.sql")
                replace_interests(connection, duck, day)
            else:
                run_file(connection, "refresh_current.sql")
            explain_changes(connection, settings, day, run_id, base, _inputs_version(settings, day))
            before = runs.publish_run(
                connection,
                run_id,
                day,
                base=base,
                model_version=segmentation["model_version"],
                segmentation_version=segmentation_version,
                inputs=_inputs_version(settings, day),
                customers=customers,
                now=now,
                note=note,
            )
            stale = runs.refresh_stale(connection, settings.lake)
            newest = runs.newest_published(connection) or day
    return PublishResult(
        customers=customers,
        is_newest=following is None,
        changed=before != segmentation_version,
        stale_days=[night.business_day.isoformat() for night in stale],
        message=_message(day, customers, len(profiles), newest, stale, _tastes_in_words(segmentation)),
    )


def _inputs_version(settings: Settings, day: date) -> str | None:
    """Return the hash of what the day's features were made from, taken when they were."""
    described = settings.lake.path(FEATURES, day=day) / "features.json"
    content: dict[str, Any] = json.loads(described.read_text()) if described.exists() else {}
    return content.get("inputs_version")


def _base_labels(settings: Settings, base: PublishedNight | None) -> Path | None:
    if base is None:
        return None
    folder = settings.lake.path(SEGMENTATIONS, day=base.business_day, version=base.segmentation_version)
    if not (folder / "labels.parquet").exists():
        raise LedgerBehind(f"segmentation {base.segmentation_version}", base.business_day)
    return folder / "labels.parquet"


def _segments_of(segmentation: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns = ("segment_id", "name", "description", "status", "born_on", "retired_on", "lineage")
    known = [
        {
            **{column: segment[column] for column in columns},
            # a night from before there were rules has none
            "rules": segment.get("rules") or None,
            "rule_fidelity": segment.get("rule_fidelity"),
        }
        for segment in segmentation["segments"]
    ]
    return sorted(known, key=lambda segment: segment["segment_id"])


def _tastes_of(segmentation: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns = ("name", "description", "status", "born_on", "retired_on", "lineage")
    known = [
        {"taste_id": taste["segment_id"], **{column: taste[column] for column in columns}}
        for taste in segmentation.get("tastes", [])
    ]
    return sorted(known, key=lambda taste: taste["taste_id"])


def _tastes_in_words(segmentation: Mapping[str, Any]) -> str:
    """Say how many tastes there are, or why there are none; '' for a night from before there were tastes."""
    count = sum(taste["status"] == "active" for taste in segmentation.get("tastes", []))
    reason = str(segmentation.get("taste_reason", ""))
    if count:
        return f"Tastes: {count}."
    return f"{reason[:1].upper()}{reason[1:]}." if reason else ""


def _tastes_used(duck: DuckDBPyConnection) -> set[int]:
    return {row[0] for row in duck.sql("select distinct taste_id from labels where taste_id is not null").fetchall()}


def _require_described(day: date, what: str, used: set[int], known: Sequence[Mapping[str, Any]], key: str) -> None:
    if nameless := used - {row[key] for row in known}:
        raise MissingInput(
            f"the description of {what} {sorted(nameless)}", day, "Clear the task `cluster` of this run."
        )


def begin_publication(connection: Connection, settings: Settings) -> None:
    """Wait for the turn to write labels, not for ever, and make the temporary table tonight for them."""
    limits = {
        "lock_timeout": f"{settings.publish.lock_timeout_s}s",
        "statement_timeout": f"{settings.publish.statement_timeout_s}s",
        # a publisher that was killed must not hold its locks until the server writes to it next
        "client_connection_check_interval": "2s",
        # what a join of a million customers takes; the server's default is for many small queries at once
        "work_mem": "128MB",
    }
    for name, value in limits.items():
        connection.execute(text("select set_config(:name, :value, true)"), {"name": name, "value": value})
    connection.execute(text("select pg_advisory_xact_lock(hashtext(:lock))"), {"lock": _LOCK})
    told = {"holdout_share": settings.publish.holdout_share, "holdout_salt": settings.publish.holdout_salt}
    run_file(connection, "create_tonight.sql", **told)


def copy_labels(connection: Connection, duck: DuckDBPyConnection) -> None:
    """Fill tonight from the views labels and consent."""
    copy_rows(connection, duck.sql(_LABELS_AS_TEXT), "tonight")
    connection.exec_driver_sql("analyze tonight")


def _next_published(connection: Connection, day: date) -> tuple[date, str] | None:
    row = connection.execute(
        select(runs_table.c.business_day, runs_table.c.run_id)
        .where(runs_table.c.status == runs.PUBLISHED, runs_table.c.business_day > day)
        .order_by(runs_table.c.business_day)
        .limit(1)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def _replace(connection: Connection, table: Table, day: date, rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(delete(table).where(table.c.as_of == day))
    if rows:
        connection.execute(insert(table), rows)


def _rewrite_history(
    connection: Connection,
    history: Table,
    changed: str,
    stays: str,
    day: date,
    run_id: str,
    following: tuple[date, str] | None,
) -> None:
    """Set the day's labels in a history; ``changed`` and ``stays`` name the temporary tables that it makes."""
    (label,) = [column.name for column in history.columns if column.name in ("segment_id", "taste_id")]
    names = {
        "history": sql.Identifier(str(history.schema), history.name),
        "label": sql.Identifier(label),
        "changed": sql.Identifier(changed),
        "stays": sql.Identifier(stays),
    }
    statement = sql.SQL((_SQL / "rewrite_history.sql").read_text()).format(**names)
    values = {
        "day": day,
        "next_day": following[0] if following else None,
        "run_id": run_id,
        "next_run_id": following[1] if following else None,
    }
    connection.exec_driver_sql(statement.as_string(connection.connection.driver_connection), values)


def _rewrite_described(
    connection: Connection, table: Table, users: Table, known: list[dict[str, Any]], day: date, *, is_newest: bool
) -> None:
    """Replace `marts.segments` or `marts.tastes` by those of the newest published day.

    Days published out of order may use ids that the newest day's chain does not know, until the stale days
    are brought forward. These keep a row, as retired, for as long as ``users``, the table of the ids that published
    days use, has them, so that a join never loses customers.
    """
    (key,) = [column.name for column in table.primary_key]
    present = [dict(row) for row in connection.execute(select(table)).mappings()]
    chain, others = (known, present) if is_newest else (present, known)
    used = set(connection.scalars(select(func.distinct(users.c[key]))))
    newest = day if is_newest else runs.newest_published(connection)
    rows = {row[key]: row for row in chain}
    names = {row["name"] for row in chain}
    for row in others:
        if row[key] in used and row[key] not in rows:
            name = row["name"] if row["name"] not in names else f"{row['name']} ({key.removesuffix('_id')} {row[key]})"
            rows[row[key]] = {**row, "name": name, "status": "retired", "retired_on": row["retired_on"] or newest}
            names.add(name)
    connection.execute(delete(table))
    if rows:
        connection.execute(insert(table), [rows[number] for number in sorted(rows)])


def run_file(connection: Connection, file: str, **parameters: Any) -> None:
    """Run the statements of an SQL file beside this module, with bound parameters."""
    connection.exec_driver_sql((_SQL / file).read_text(), parameters or None)


def _message(
    day: date, customers: int, count: int, newest: date, stale: Sequence[StaleDay], tastes_in_words: str
) -> str:
    parts = [f"Published {customers:,} customers in {count} segments for {day}."]
    if tastes_in_words:
        parts.append(tastes_in_words)
    if newest > day:
        parts.append(
            "A later day is published already: the history was rewritten, the current labels stay those of that day."
        )
    if stale:
        first, last = stale[0].business_day, stale[-1].business_day
        span = f"{first}" if first == last else f"{len(stale)} days from {first} to {last}"
        by_chain = any(night.by_chain for night in stale)
        late = "lack rows that arrived or changed since, or built on a day that does"
        why = "built on labels that have changed since" if by_chain else late
        parts.append(f"Stale: {span} {why} (see stale_reason in ops.runs); their labels stay served.")
        if by_chain:
            parts.append("Until they are run again, one segment id may mean different segments before and after.")
        parts.append(f"To bring them forward: {runs.backfill_command(first, newest)}")
    return " ".join(parts)
