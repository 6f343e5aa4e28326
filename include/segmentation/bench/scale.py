"""`segmentation bench scale`: two nights of a large shop, step by step, beside what the bare tools take.

Each step is a process of its own, as under Airflow, and so is each bare limit, measured in the same run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from segmentation.bench.apart import Cost, work_apart
from segmentation.bench.intraday import Timed, time_runs, timed_line
from segmentation.bench.limits import Limit, aggregate, copy_out, embed_and_train, upsert
from segmentation.bench.scale_shop import ScaleShop, fill_shop, let_last_day_in
from segmentation.calendar import day_interval
from segmentation.catalog import NO_MODEL, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.demo.postgres import WAREHOUSE_DATABASE, Server
from segmentation.demo.setup import set_up_server
from segmentation.demo.simulator import MAPPING, TIMEZONE
from segmentation.encoder.outlook import read_outlook_tables
from segmentation.errors import CannotBringForward
from segmentation.features.history import checked_rows
from segmentation.night import STEPS, Asked, Handed, do_step

log = logging.getLogger(__name__)

FIRST, FOLLOWING = "first", "following"
#: Hours after its day at which a night runs.
_HOURS_AFTER = 4
#: Share of the customers who do something in a quarter of an hour.
_CHANGED_SHARE = 0.005
_RUNS_WITHIN_DAY = 3


@dataclass(frozen=True)
class Measured:
    """A step of a night, or a part of one.

    Attributes
    ----------
    night
        `FIRST` or `FOLLOWING`.
    step
        Name of the step, or of the step and its part.
    rows
        What it is about: rows for extract, validate and features (of the whole history), else customers; sequences
        for embedding and training.
    seconds
        Wall time.
    cost
        None of a part.
    limit
        The bare tool at the same work; None where there is none.
    """

    night: str
    step: str
    rows: int
    seconds: float
    cost: Cost | None = None
    limit: Limit | None = None


@dataclass(frozen=True)
class ScaleBench:
    """What a run found.

    Attributes
    ----------
    shop
        What the source held.
    measured
        Steps and parts in order.
    changed
        Customers who did something before each run within the day after.
    within_day
        Those runs.
    no_runs
        Why there are none; '' if there are.
    """

    shop: ScaleShop
    measured: list[Measured]
    changed: int = 0
    within_day: tuple[Timed, ...] = ()
    no_runs: str = ""


def command(customers: int, events: int, engine: str = "duckdb") -> str:
    """Return the command that measures a shop of this size, which names the table's place in a page.

    Examples
    --------
    >>> command(20_000, 1_000_000)
    'segmentation bench scale --customers 20000 --events 1000000'
    >>> command(20_000, 1_000_000, "spark")
    'segmentation bench scale --customers 20000 --events 1000000 --engine spark'
    """
    sized = f"segmentation bench scale --customers {customers} --events {events}"
    return sized if engine == "duckdb" else f"{sized} --engine {engine}"


def run_scale(settings: Settings, server: Server, home: Path, customers: int, events: int) -> ScaleBench:
    """Fill a source, run a night of all history but the last day, the night of the last day, and runs in the day after.

    Parameters
    ----------
    settings : Settings
        All but home, timezone and mapping are used; ``engine`` among them.
    server : Server
        A fresh server.
    home : Path
        Folder of the lake and the models.
    customers, events : int
        As for `fill_shop`.
    """
    extract = settings.extract.model_copy(update={"mapping": MAPPING})
    told = settings.apart(home, timezone=TIMEZONE, extract=extract)
    set_up_server(server)
    shop, cost = work_apart(fill_shop, server, customers, events)
    log.info("filled the shop in %.0f s: %s", cost.seconds, shop.rows)
    nights = _Nights(told, server, shop)
    measured = list(nights.run(FIRST, shop.last_day - timedelta(days=1)))
    work_apart(let_last_day_in, server, shop)
    measured += nights.run(FOLLOWING, shop.last_day)
    changed = max(round(_CHANGED_SHARE * customers), 1)
    try:
        within_day = _apart(time_runs, told, server, shop.database, shop.last_day, changed, _RUNS_WITHIN_DAY)
    except CannotBringForward as error:
        return ScaleBench(shop, measured, changed, no_runs=str(error))
    return ScaleBench(shop, measured, changed, tuple(within_day))


@dataclass(frozen=True)
class _Nights:
    settings: Settings
    server: Server
    shop: ScaleShop

    def run(self, night: str, day: date) -> Iterator[Measured]:
        """Run one night and yield its steps, with their parts and limits."""
        now = day_interval(day, TIMEZONE).end + timedelta(hours=_HOURS_AFTER)
        asked = Asked(self.settings, day, self.shop.url, f"bench_{night}", now, accept_unusual_day=True)
        warehouse_url = self.server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE)
        work_apart(_start, asked, warehouse_url)
        handed, results = Handed(), {}
        for name in STEPS:
            step = "hold" if name == "publish" and not handed.publish else name
            (results[name], handed), cost = work_apart(_step, step, asked, warehouse_url, handed)
            spent = (cost.seconds, cost.cpu, cost.peak / 1e6)
            log.info("%s night, %s: %.1f s, of processors %.1f s, at most %.0f MB", night, step, *spent)
            rows, parts, limit = self._told_by(name, results, day, handed)
            yield Measured(night, step, rows, cost.seconds, cost, limit)
            for part, sequences, seconds, bare in parts:
                yield Measured(night, f"{step}: {part}", sequences, seconds, limit=bare)

    def _told_by(
        self, step: str, results: dict[str, Any], day: date, handed: Handed
    ) -> tuple[int, list[tuple[str, int, float, Limit | None]], Limit | None]:
        """Return a step's rows, its parts, and its bare limit."""
        result = results[step]
        if step == "extract":
            whole = day < self.shop.last_day
            first = None if whole else date.fromisoformat(result.days_extracted[0])
            return sum(result.rows.values()), [], _apart(copy_out, self.shop.url, self.settings, first, day)
        if step == "validate":
            return result.rows_in, [], None
        if step == "features":
            rows = checked_rows(self.settings.lake, day)
            return rows, [], _apart(aggregate, self.settings, day, rows)
        customers = results["features"].customers
        if step == "encode" and result.model_version != NO_MODEL:
            embedding, training = _apart(embed_and_train, self.settings, day, result.model_version)
            _, matured = read_outlook_tables(self.settings.lake, day)
            parts = [
                ("train", result.windows * result.passes, result.seconds["train"], training),
                ("embed", customers + len(matured), result.seconds["embed"], embedding),
            ]
            return customers, parts, None
        if step == "publish" and handed.publish:
            url = self.server.url(WAREHOUSE_DATABASE)
            return customers, [], _apart(upsert, self.settings, day, handed.segmentation_version, url)
        return customers, [], None


def _apart(work: Any, *told: Any) -> Any:
    return work_apart(work, *told)[0]


def _start(asked: Asked, warehouse_url: str) -> None:
    from segmentation import runs

    warehouse = engine_for(warehouse_url)
    runs.start_run(warehouse, asked.run_id, asked.day, asked.now)
    warehouse.dispose()


def _step(step: str, asked: Asked, warehouse_url: str, handed: Handed) -> tuple[object, Handed]:
    warehouse = engine_for(warehouse_url)
    try:
        return do_step(step, asked, warehouse, handed), handed
    finally:
        warehouse.dispose()


def scale_table(found: ScaleBench) -> str:
    """Return what was found in Markdown: the shop in a sentence, then a row per step."""
    rows = found.shop.rows
    lines = [
        f"{rows['customers']:,} customers, {rows['events']:,} events, {rows['orders']:,} orders, "
        f"{rows['order_items']:,} order lines in {found.shop.days} days.",
        "",
        "| night | step | rows | seconds | CPU s | rows/s | peak MB | read MB | written MB "
        "| bare limit | its rows/s | share of it |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    for night in (FIRST, FOLLOWING):
        measured = [one for one in found.measured if one.night == night]
        lines += [f"| {' | '.join(_cells(one))} |" for one in measured]
        steps = [one.cost for one in measured if one.cost]
        lines.append(f"| {' | '.join(_total(night, steps))} |")
    did = f"Within the day after, {found.changed:,} customers order and look before each run"
    if found.no_runs:
        return "\n".join([*lines, "", f"{did}: no run. {found.no_runs}"])
    lines += ["", f"{did}:", "", *(f"- {timed_line(one)}" for one in found.within_day)]
    return "\n".join(lines)


def _cells(one: Measured) -> list[str]:
    cost, limit = one.cost, one.limit
    return [
        one.night,
        one.step,
        f"{one.rows:,}",
        f"{one.seconds:.1f}",
        f"{cost.cpu:.1f}" if cost else "-",
        f"{one.rows / one.seconds:,.0f}",
        *(_sizes(cost.peak, cost.read, cost.written) if cost else "---"),
        *(_beside(one.rows / one.seconds, limit) if limit else "---"),
    ]


def _beside(rate: float, limit: Limit) -> list[str]:
    bare = limit.rows / limit.seconds
    return [limit.name, f"{bare:,.0f}", f"{rate / bare:.2f}"]


def _total(night: str, steps: Sequence[Cost]) -> list[str]:
    sizes = _sizes(
        max(cost.peak for cost in steps), sum(cost.read for cost in steps), sum(cost.written for cost in steps)
    )
    spent = (f"{sum(times):.1f}" for times in ([cost.seconds for cost in steps], [cost.cpu for cost in steps]))
    return [night, "the night", "-", *spent, "-", *sizes, "-", "-", "-"]


def _sizes(*sizes: int) -> list[str]:
    return [f"{size / 1e6:,.0f}" for size in sizes]
