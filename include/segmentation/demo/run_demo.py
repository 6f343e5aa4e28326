"""The main job from nothing: load a shop, run seven nights through Airflow, show what marketing gets."""

from __future__ import annotations

import os
import statistics
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from segmentation.catalog import MARKETING_ROLE
from segmentation.config import Settings, settings
from segmentation.demo.postgres import WAREHOUSE_DATABASE
from segmentation.demo.shops import SHOPS, DemoShop, load_shop
from segmentation.demo.stack import Api, Stack, open_stack, prepare, start_airflow
from segmentation.demo.watch import TASKS, Watched, backfill, wait_for_dag, watch
from segmentation.errors import InvalidSetting, SegmentationError
from segmentation.warehouse import runs

if TYPE_CHECKING:
    from segmentation.publish.report import NightSummary

#: Names the demo that was run last, the one that other commands mean.
_CURRENT = "current"


class NoDemo(SegmentationError):
    """A command wants the demo's databases, and there is no demo."""

    def __init__(self) -> None:
        super().__init__("there is no demo here. Run `make demo` first, or give the URLs (see --help).")


def run_demo(root: Path, shop_name: str, customers: int, console: Console) -> bool:
    """Run the whole demo and leave Airflow up.

    Parameters
    ----------
    root : Path
        Folder that holds one folder per demo.
    shop_name : str
        A key of `SHOPS`.
    customers : int
        Size of the simulated shop; the other shops have their own.
    console : Console
        Where progress and results go.

    Returns
    -------
    bool
        True if the last of the seven days is published.

    Raises
    ------
    InvalidSetting
        If there is no such shop.
    """
    if shop_name not in SHOPS:
        raise InvalidSetting("shop", shop_name, f"choose one of {', '.join(SHOPS)}.")
    shop = SHOPS[shop_name]
    first, last = shop.demo_days[0], shop.demo_days[-1]
    home = root / (f"{shop_name}-{customers}" if shop_name == "simulated" else shop_name)

    console.rule(f"[bold]{shop_name}[/]: {shop.description}")
    console.print("1. Postgres: databases shop, warehouse and airflow; roles and schemas ...")
    stack = prepare(home, shop_settings(shop))
    (root / _CURRENT).write_text(home.name)
    console.print("2. Loading the shop ...")
    for line in load_shop(shop_name, stack.server, customers=customers, progress=console.print).lines():
        console.print(f"   {line}")
    console.print("3. Starting Airflow ...")
    stack = start_airflow(stack)
    api = Api(stack)
    wait_for_dag(api)
    console.print(f"   UI: {stack.url}   user: admin   password: {stack.password}")

    console.print(f"4. The nights of {first} to {last}, by Airflow's backfill")
    missing = [day for day in shop.demo_days if day not in published_days(stack)]
    watched = None
    if missing:
        since: datetime | None = datetime.now(UTC)
        if not backfill(api, missing[0], last, reprocess="completed"):
            console.print("   (a backfill is under way already; watching it)")
            since = None
        watched = watch(api, missing[0], last, console, since=since)
    else:
        console.print("   all published already; nothing to run")

    show_results(stack, shop, console)
    if watched:
        show_times(watched, console)
    done = last in published_days(stack)
    console.print(f"\nAirflow is at {stack.url}   user: admin   password: {stack.password}")
    console.print('Ask as marketing does: .venv/bin/segmentation sql "select * from marts.segments"')
    console.print("End it with: make stop")
    if not done:
        console.print(f"[red]The night of {last} is not published[/]: look at the failed task in the UI.")
    return done


def shop_settings(shop: DemoShop) -> dict[str, str]:
    """Return the `SEGMENTATION_…` variables that this shop needs."""
    found = {
        "SEGMENTATION_TIMEZONE": shop.timezone,
        "SEGMENTATION_CURRENCY": shop.currency,
        "SEGMENTATION_LAST_DAY": shop.demo_days[-1].isoformat(),
    }
    if shop.mapping:
        found["SEGMENTATION_EXTRACT__MAPPING"] = str(shop.mapping)
    return found


def newest_stack(root: Path) -> Stack:
    """Return the demo that was used last.

    Raises
    ------
    NoDemo
        If there is none.
    """
    marker = root / _CURRENT
    stack = open_stack((root / marker.read_text()).resolve()) if marker.exists() else None
    if stack is None:
        raise NoDemo
    return stack


def demo_settings(stack: Stack) -> Settings:
    """Make this process use the demo's settings and return them."""
    os.environ.update(stack.settings | {"SEGMENTATION_HOME": str(stack.home / "data"), "SEGMENTATION_LAKE": ""})
    settings.cache_clear()
    return settings()


def published_days(stack: Stack) -> set[date]:
    """Return the business days whose labels are published."""
    engine = stack.server.engine(WAREHOUSE_DATABASE)
    with engine.connect() as connection:
        return set(connection.scalars(select(runs.c.business_day).where(runs.c.status == "published")))


def show_results(stack: Stack, shop: DemoShop, console: Console) -> None:
    """Print the segments and the example queries with their answers, as the marketing role sees them."""
    from segmentation.publish.query import run_query
    from segmentation.publish.report import EXAMPLE_QUERIES, night_summary

    console.rule("[bold]What marketing finds in the morning")
    engine = stack.server.engine(WAREHOUSE_DATABASE, MARKETING_ROLE)
    summary = night_summary(engine)
    table = Table(title=f"Segments on {summary.as_of}", show_lines=False)
    for heading in (
        "id",
        "segment",
        "customers",
        "share",
        f"revenue 28 d {shop.currency}".strip(),
        "what sets them apart",
    ):
        table.add_column(heading, justify="right" if heading in ("id", "customers", "share") else "left")
    for row in summary.segments:
        table.add_row(
            str(row.segment_id),
            row.name,
            f"{row.customers:,}",
            f"{row.share:.1%}",
            "" if row.revenue_28d is None else f"{row.revenue_28d:,.2f}",
            row.distinctive,
        )
    console.print(table)
    _show_tastes(summary, console)
    url = stack.server.url(WAREHOUSE_DATABASE, MARKETING_ROLE)
    for query in EXAMPLE_QUERIES:
        console.print(f"\n[bold]{query.title}[/]\n[cyan]{query.sql.strip()}[/]", soft_wrap=True)
        console.print(run_query(url, query.sql).rstrip(), markup=False, highlight=False, soft_wrap=True)


def _show_tastes(summary: NightSummary, console: Console) -> None:
    if not summary.tastes:
        console.print("Tastes: none (ops.metrics says why, in the row of metric 'tastes')")
        return
    table = Table(title=f"Tastes on {summary.as_of}: what customers buy and look at, whatever they are worth")
    for heading in ("id", "taste", "customers", "share", "what sets them apart"):
        table.add_column(heading, justify="right" if heading in ("id", "customers", "share") else "left")
    for taste in summary.tastes:
        table.add_row(str(taste.taste_id), taste.name, f"{taste.customers:,}", f"{taste.share:.1%}", taste.description)
    console.print(table)


def show_times(watched: Watched, console: Console) -> None:
    """Print wall time per step, first night beside the median of the others, and peak memory."""
    days = sorted(watched.seconds)
    table = Table(title="\nWall time per step, seconds")
    for heading in ("step", f"first night ({days[0]})", "median of the others"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for task in (*TASKS, "total"):
        later = [watched.seconds[day][task] for day in days[1:] if task in watched.seconds[day]]
        table.add_row(
            task,
            f"{watched.seconds[days[0]].get(task, float('nan')):.1f}",
            f"{statistics.median(later):.1f}" if later else "-",
        )
    console.print(table)
    console.print(f"Peak memory of Airflow with its tasks: {watched.peak_memory_bytes / 1e9:.1f} GB")
