"""Check raw days, set bad rows aside, and stop the run if a day cannot be trusted."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine

from segmentation.calendar import day_interval, require_past
from segmentation.catalog import CHECKED, DAILY_TABLES, EVENTS, ORDERS, RATES, RAW, SNAPSHOT_TABLES
from segmentation.config import Settings
from segmentation.errors import CheckFailed, InputReplaced, MissingInput, MissingRate, RowsLost
from segmentation.evaluate.metric import STOPS, VALIDATE_STEP, Metric, store
from segmentation.lake import Lake
from segmentation.rates.conversion import open_conversion
from segmentation.validate import suites
from segmentation.validate.account_rows import Account, account_gate, account_rows
from segmentation.validate.check_days import check_days
from segmentation.validate.check_rows import CheckedTable, check_rows, figures_of, observed
from segmentation.validate.columns import disagreement
from segmentation.validate.data_docs import TableCounts, write_data_docs
from segmentation.validate.findings import DayFigures, Finding, shown_keys, unusual
from segmentation.validate.records import CheckRecord, SetAside, record
from segmentation.validate.release import Release, load_releases, numbers_by_day
from segmentation.validate.source_columns import note_source_columns
from segmentation.validate.suite_runs import open_context
from segmentation.validate.usual import usual_rows
from segmentation.validate.write_days import write_checked, write_quarantine

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import AbstractDataContext

log = logging.getLogger(__name__)

# few suite runs for a long history (each costs a tenth of a second), and still a bounded memory
_BATCH_ROWS = 1_000_000
_WRITERS = 4
_TABLES = (*DAILY_TABLES, *SNAPSHOT_TABLES)
_TO_CONVERT = ("ordered_at", "currency", "status", "updated_at")
_EXTRACT_FIRST = "Clear the extract task of this run, then this one."
#: The gravest first: the first one broken is what the error says.
_GRAVEST = (
    suites.COLUMNS_AGREED,
    suites.NOTHING_IN_THE_FUTURE,
    suites.DAY_NOT_EMPTY,
    suites.NOT_FAR_FEWER,
    suites.NOT_FAR_MORE,
    suites.FEW_REPEATED,
    suites.FEW_SET_ASIDE,
)


@dataclass(frozen=True)
class ValidateResult:
    """What one validation found.

    Attributes
    ----------
    business_day : str
        The day D of the run.
    days_checked : list of str
        Days whose rows were looked at, oldest first; D is the last one.
    rows_in, rows_ok, quarantined : int
        Rows of the raw files, of these kept, and of these set aside; all tables together.
    quarantined_by_reason : dict of str to dict of str to int
        Table -> reason -> rows set aside.
    docs : str
        Index page of the run's Data Docs, relative to the home folder.
    warnings : list of str
        Notes: what is odd, but stops nothing.
    """

    business_day: str
    days_checked: list[str]
    rows_in: int
    rows_ok: int
    quarantined: int
    quarantined_by_reason: dict[str, dict[str, int]]
    docs: str
    warnings: list[str]


@dataclass
class _Run:
    """The run's circumstances, and what it has found so far, batch by batch."""

    settings: Settings
    day: date
    accept_unusual_day: bool
    context: AbstractDataContext
    extraction: dict[str, Any]
    raw: dict[date, dict[str, Any]]
    releases: list[Release]
    volumes: dict[str, dict[date, int]]
    schemas_before: dict[str, pa.Schema]
    checks: dict[tuple[str, str, str], CheckRecord] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    missing_rate: MissingRate | None = None
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, TableCounts] = field(default_factory=dict)
    results: dict[str, ExpectationSuiteValidationResult] = field(default_factory=dict)
    manifests: list[tuple[Path, dict[str, Any]]] = field(default_factory=list)
    #: The run's day in figures, of the tables that have a usual volume.
    counted: list[DayFigures] = field(default_factory=list)
    written: list[tuple[str, date]] = field(default_factory=list)

    @property
    def failures(self) -> list[Finding]:
        """What stops the run, the gravest first."""
        broken = [finding for finding in self.findings if finding.level == "table"]
        return sorted(broken, key=lambda finding: _GRAVEST.index(finding.check))


def validate_day(
    settings: Settings,
    day: date,
    warehouse: Engine,
    run_id: str,
    now: datetime,
    accept_unusual_day: bool = False,
) -> ValidateResult:
    """Check business day ``day`` and every earlier raw day that is new or has changed since it was checked.

    A row that breaks a promise goes to the quarantine files with the reason; the rest goes to the checked files, as
    it is. A promise about a whole day that is broken stops the run, after everything was evaluated and
    recorded in `ops.check_results`; the checked files of that day, and of D, are then left as they were. The same
    raw files give the same bytes. Manifests are written last, so a killed run is mended by the next one.

    Parameters
    ----------
    settings : Settings
        Timezone, lake, Data Docs and ``checks``.
    day : date
        The business day D, in the shop's timezone.
    warehouse : Engine
        Engine of the publish role.
    run_id : str
        Key in `ops.runs`.
    now : datetime
        The present instant, timezone-aware.
    accept_unusual_day : bool
        Take an empty day or an unusual volume as it is, with a note.

    Returns
    -------
    ValidateResult

    Raises
    ------
    FutureBusinessDay
        If D is not over.
    MissingInput
        If D was not extracted.
    CheckFailed
        If a promise about a whole day is broken: columns, future times, an empty day, volume, repeated keys, or too
        many rows set aside.
    MissingRate
        If amounts are converted to one currency and an order up to D has no usable rate; D is not used then.
    CheckBroken
        If a check could not be evaluated.
    RowsLost
        If the files written do not hold, together, the rows of those that were read.
    InputReplaced
        If another run is fetching a day again that this night has fetched.
    LakeFull
        If the disk is full; the next run checks the same days again.
    DatabaseUnreachable, LoginRefused, WarehouseNotReady, PermissionMissing, WarehouseBusy, WarehouseFull
        If the outcome cannot be recorded; the next run checks the same days again.
    """
    require_past(day, now, settings.timezone)
    lake = settings.lake
    extraction = lake.run_manifest(RAW, day)
    raw = _manifests(lake, RAW, day)
    if day not in raw or not extraction.exists():
        raise MissingInput("the raw data", day, _EXTRACT_FIRST)
    run_manifest = json.loads(extraction.read_text())
    for fetched in map(date.fromisoformat, run_manifest["days_extracted"]):
        if fetched not in raw:
            # a night without it would be published, and be stale at once
            raise InputReplaced(fetched)
    checked = _manifests(lake, CHECKED, day)
    releases = load_releases(warehouse)
    released = numbers_by_day(releases)

    def is_checked(one: date) -> bool:
        before = checked.get(one, {})
        return before.get("raw_hash") == raw[one]["files_hash"] and before.get("releases", []) == released.get(one, [])

    # D is always looked at again, so that its outcome is recorded even if nothing changed
    days = [d for d in raw if d == day or not is_checked(d)]
    run = _Run(
        settings,
        day,
        accept_unusual_day,
        open_context(),
        run_manifest,
        raw,
        releases,
        {table: {d: manifest["volume"].get(table, 0) for d, manifest in checked.items()} for table in (ORDERS, EVENTS)},
        _schemas_before(lake, days[0], day),
    )
    for batch in _batches(run, days):
        _check_batch(run, batch)
    for note in note_source_columns(lake, day, run.extraction.get("source_columns", {})):
        _take_down(run, note)
        if not note.passed:
            run.warnings.append(f"{note.table_name}: {note.observed}")
    docs = _write_docs(run, days)
    record(warehouse, day, run_id, run.checks.values(), days, run.set_aside)
    account = _account(run)
    gates = [*(_volume_gate(run, figures) for figures in run.counted), account_gate(account)]
    store(warehouse, day, run_id, (VALIDATE_STEP,), gates)
    if account.wrong:
        raise RowsLost(run.day, str(account))
    for manifest, content in run.manifests:
        lake.write_json(content, manifest)
    if run.failures:
        raise _error(run.failures, docs)
    if run.missing_rate is not None:
        raise run.missing_rate
    return _result(run, days, docs)


def _check_batch(run: _Run, batch: Sequence[date]) -> None:
    """Check some days together, and write the files of those that can be used."""
    files = {day: _read(run, day) for day in batch}
    odd = _judge_columns(run, files)
    # a day with an odd file is not looked at any further: what its other tables seem to break may only follow from it
    good = [day for day in batch if day not in {figures.day for figures in odd}]
    tables: dict[str, CheckedTable] = {}
    for name in _TABLES:
        if days := [day for day in good if name in files[day]]:
            parts = [files[day][name] for day in days]
            tables[name] = check_rows(
                run.context,
                name,
                days,
                parts,
                run.settings.timezone,
                tables.get(ORDERS),
                is_converted=run.settings.reporting_currency != "",
                releases=run.releases,
            )
            _note_rows(run, tables[name])
    figures = {name: [figures_of(table, n) for n in range(len(table.days))] for name, table in tables.items()}
    of_days = [*odd, *(one for each in figures.values() for one in each)]
    _judge_days(run, [_with_the_runs_day(run, one) for one in of_days])
    for name, table in tables.items():
        for position, one in enumerate(figures[name]):
            file = write_quarantine(run.settings.lake, table, position)
            run.set_aside += [SetAside(one.day, name, reason, rows, file) for reason, rows in one.reasons.items()]
    if run.day in good and run.settings.reporting_currency:
        _judge_rates(run, tables)
    failed = {finding.day for finding in run.failures}
    if run.missing_rate is not None:
        failed.add(run.day)
    # D stays as it was if any day of the run is bad: its features would be built on all of them
    usable = [day for day in good if day not in failed and not (day == run.day and failed)]
    released = numbers_by_day(run.releases)
    of_day = {day: [one for each in figures.values() for one in each if one.day == day] for day in usable}
    # a file's way to the disk is mostly waiting
    with ThreadPoolExecutor(_WRITERS) as pool:
        written = pool.map(
            lambda day: write_checked(
                run.settings.lake, day, run.raw[day], run.extraction, tables, of_day[day], released.get(day, [])
            ),
            usable,
        )
        run.manifests += [manifest for of_one_day in written for manifest in of_one_day]
    for day in usable:
        run.written += [(one.table, day) for one in of_day[day]]
        for one in of_day[day]:
            if one.table in run.volumes:
                run.volumes[one.table][day] = one.volume


def _judge_columns(run: _Run, files: Mapping[date, Mapping[str, pa.Table]]) -> list[DayFigures]:
    """Find the files whose columns are not as agreed, or not as those of the newest good day before."""
    odd = []
    for day, tables in files.items():
        for name, file in tables.items():
            problem = disagreement(name, file.schema, run.schemas_before.get(name))
            if problem is None:
                run.schemas_before[name] = file.schema
            else:
                odd.append(DayFigures(name, day, rows=file.num_rows, columns=problem))
    return odd


def _note_rows(run: _Run, table: CheckedTable) -> None:
    """Take down how many rows keep each promise about rows."""
    if run.day in table.days:
        run.results[table.name] = table.result
    for kept in (*table.promises, *table.notes):
        count, rows = len(kept.places), len(table.broken)
        said = observed(table, kept)
        _take_down(run, CheckRecord(table.name, kept.promise, kept.column, kept.level, not count, rows, count, said))
        if kept.level == "note" and count:
            run.warnings.append(f"{table.name}: {count} {kept.reason}")
    before = run.counts.get(table.name, TableCounts(0, 0))
    bad = int((table.broken != 0).sum())
    run.counts[table.name] = TableCounts(before.rows_in + len(table.broken), before.rows_ok + len(table.broken) - bad)


def _with_the_runs_day(run: _Run, figures: DayFigures) -> DayFigures:
    """Add to the figures of D what is only known of, and only asked of, the run's day."""
    table = figures.table
    if figures.day != run.day or table not in run.volumes:
        return figures
    future, undated = (run.extraction.get(kind, {}).get(table, {}) for kind in ("future_rows", "undated_rows"))
    limits = run.settings.checks
    usual = usual_rows(run.volumes[table], run.day, limits.baseline_weeks, limits.volume_ratio_limit)
    return replace(
        figures,
        future_rows=future.get("count", 0),
        future_keys=shown_keys(future.get("keys", [])),
        undated_rows=undated.get("count", 0),
        # the volume of a file that is not as agreed is not known
        usual=None if figures.columns else usual,
    )


def _judge_days(run: _Run, figures: list[DayFigures]) -> None:
    """Check whole days, and take down what is found."""
    checked = check_days(run.context, figures, run.settings.checks, run.accept_unusual_day)
    for one in checked.records:
        _take_down(run, one)
    run.findings += checked.findings
    run.warnings += [f"{finding.table}: {finding.found}" for finding in checked.findings if finding.level == "note"]
    for day in figures:
        if day.day != run.day:
            continue
        run.results["days"] = checked.result
        if day.table in run.volumes:
            run.counted.append(day)
        said = {finding.check for finding in checked.findings if finding.table == day.table}
        if day.table == ORDERS and not day.rows and suites.DAY_NOT_EMPTY not in said:
            run.warnings.append(f"{day.table}: {unusual(day)}")


def _volume_gate(run: _Run, day: DayFigures) -> Metric:
    """Say whether the day has about as many rows as usual, as the day suite found."""
    odd = [one for one in run.findings if (one.day, one.table) == (day.day, day.table) and one.check in suites.UNUSUAL]
    accepted = bool(odd) and all(one.level == "note" for one in odd)
    detail = unusual(day) + ("; taken as it is, as the run was started with accept_unusual_day" if accepted else "")
    usual = day.usual
    limit = None if usual is None else usual.at_most if day.volume > usual.at_most else usual.at_least
    passed = None if usual is None else accepted or not odd
    return Metric("gate_volume", float(day.volume), day.table, limit, passed, detail, VALIDATE_STEP, STOPS)


def _judge_rates(run: _Run, tables: Mapping[str, CheckedTable]) -> None:
    """Look for a rate for every order up to the run's day: tonight's, and those of the days checked before."""
    import duckdb

    lake, columns = run.settings.lake, ", ".join(_TO_CONVERT)
    end = day_interval(run.day, run.settings.timezone).end
    tonight = _good_rows(tables[ORDERS]).select(list(_TO_CONVERT))
    rates = _good_rows(tables[RATES]) if RATES in tables else None
    before = [lake.rows_file(CHECKED, ORDERS, day) for day in lake.days(CHECKED, ORDERS) if day < run.day]
    files = [str(file) for file in before if file.exists()]
    checked = tonight.num_rows + sum(pq.read_metadata(file).num_rows for file in files)
    with duckdb.connect(config={"threads": run.settings.features.threads}) as connection:
        connection.execute("set timezone = 'UTC'")
        orders = connection.from_arrow(tonight)
        if files:
            orders = orders.union(connection.read_parquet(files, hive_partitioning=False).select(columns))
        try:
            open_conversion(connection, run.settings, rates, orders, end)
        except MissingRate as error:
            run.missing_rate = error
    missing = run.missing_rate.missing if run.missing_rate is not None else []
    said = "; ".join(f"{currency}: {count}" for currency, count, _, _ in missing)
    failed = sum(count for _, count, _, _ in missing)
    _take_down(
        run, CheckRecord(ORDERS, suites.EVERY_ORDER_RATED, "currency", "table", not missing, checked, failed, said)
    )


def _good_rows(table: CheckedTable) -> pa.Table:
    return table.rows.data.filter(pa.array(table.broken == 0))


def _take_down(run: _Run, one: CheckRecord) -> None:
    key = (one.table_name, one.check_name, one.column_name)
    before = run.checks.setdefault(key, one)
    if before is not one:
        run.checks[key] = replace(
            before,
            level=one.level,
            passed=before.passed and one.passed,
            rows_checked=before.rows_checked + one.rows_checked,
            rows_failed=before.rows_failed + one.rows_failed,
            observed="; ".join(filter(None, (before.observed, one.observed))),
        )


def _write_docs(run: _Run, days: list[date]) -> str:
    index = write_data_docs(
        run.settings.data_docs / run.day.isoformat(),
        run.day,
        days,
        run.counts,
        sorted(run.checks.values(), key=lambda check: (_TABLES.index(check.table_name), check.level)),
        run.set_aside,
        [*(str(finding.error("")) for finding in run.failures), *([str(run.missing_rate)] if run.missing_rate else [])],
        run.results,
    )
    return index.relative_to(run.settings.kept).as_posix()


def _error(failures: Sequence[Finding], docs: str) -> CheckFailed:
    others = len(failures) - 1
    more = f"{others} other check{'s' if others > 1 else ''} failed as well. " if others else ""
    return failures[0].error(f"{more}All results: {docs} and ops.check_results.")


def _account(run: _Run) -> Account:
    """Hold the files that were written against those that were read."""
    undated = sum(found.get("count", 0) for found in run.extraction.get("undated_rows", {}).values())
    account = account_rows(run.settings.lake, run.written, undated)
    log.info("%s", account)
    return account


def _result(run: _Run, days: Sequence[date], docs: str) -> ValidateResult:
    by_reason: dict[str, dict[str, int]] = {}
    for rows in run.set_aside:
        of_table = by_reason.setdefault(rows.table_name, {})
        of_table[rows.reason] = of_table.get(rows.reason, 0) + rows.rows
    rows_in = sum(counts.rows_in for counts in run.counts.values())
    rows_ok = sum(counts.rows_ok for counts in run.counts.values())
    for warning in run.warnings:
        log.warning(warning)
    return ValidateResult(
        run.day.isoformat(),
        [day.isoformat() for day in days],
        rows_in,
        rows_ok,
        rows_in - rows_ok,
        by_reason,
        docs,
        run.warnings,
    )


def _batches(run: _Run, days: Sequence[date]) -> Iterator[list[date]]:
    """Group the days before D, and D by itself: its Data Docs describe it alone."""
    batch: list[date] = []
    rows = 0
    for day in days:
        more = sum(run.raw[day]["rows"].values())
        if batch and (rows + more > _BATCH_ROWS or day == run.day):
            yield batch
            batch, rows = [], 0
        batch.append(day)
        rows += more
    yield batch


def _manifests(lake: Lake, files: str, until: date) -> dict[date, dict[str, Any]]:
    """Return the days' manifests of a file set up to a day, in order of days."""
    return {day: manifest for day, manifest in lake.day_manifests(files).items() if day <= until}


def _read(run: _Run, day: date) -> dict[str, pa.Table]:
    """Read the raw files of a day, and for D those of the snapshots."""
    names = [name for name in DAILY_TABLES if name in run.raw[day]["rows"]]
    if day == run.day:
        names += [name for name in SNAPSHOT_TABLES if name in run.extraction["tables"]]
    found = {}
    for name in names:
        path = run.settings.lake.rows_file(RAW, name, day)
        if not path.exists():
            raise MissingInput(f"the raw file of {name}", day, _EXTRACT_FIRST)
        found[name] = pq.ParquetFile(path).read()
    return found


def _schemas_before(lake: Lake, first: date, run_day: date) -> dict[str, pa.Schema]:
    """Return each table's columns on the newest checked day before those that are looked at."""
    schemas = {}
    for name in _TABLES:
        until = first if name in DAILY_TABLES else run_day
        files = [lake.rows_file(CHECKED, name, day) for day in lake.days(CHECKED, name) if day < until]
        # a full disk or a kill leaves a folder without its file
        if whole := [file for file in files if file.exists()]:
            schemas[name] = pq.read_schema(whole[-1])
    return schemas
