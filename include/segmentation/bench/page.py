"""`segmentation bench page`: how long each page of the Segments page takes in a shop of a million customers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from sqlalchemy import text

from segmentation.catalog import MARKETING_ROLE, PUBLISH_ROLE
from segmentation.connections import engine_for
from segmentation.demo.postgres import Server
from segmentation.demo.setup import set_up_server
from segmentation.pages.customers_view import audiences_view, look_up, segment_audience
from segmentation.pages.flows_view import flows_view
from segmentation.pages.map_view import map_view
from segmentation.pages.night import read_night
from segmentation.pages.overview import overview
from segmentation.pages.reader import Warehouse
from segmentation.pages.rendering import Viewer, render
from segmentation.pages.runs_view import runs_view
from segmentation.pages.segment_view import segment_view

_DATABASE = "warehouse"
_LAST = date(2026, 6, 30)


def make_bench_warehouse(server: Server, customers: int, nights: int) -> Warehouse:
    """Fill the server's warehouse with synthetic labels and published nights.

    Parameters
    ----------
    server : Server
        A fresh server.
    customers, nights : int
        Labels of the newest night, and nights with profiles; each night 1 % of the customers move.
    """
    set_up_server(server)
    admin = server.engine(_DATABASE)
    fill = Path(__file__).with_name("fill_labels.sql").read_text()
    with admin.begin() as connection:
        connection.exec_driver_sql(fill, {"customers": customers, "nights": nights, "last": _LAST})
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    admin.dispose()
    return Warehouse(engine_for(server.url(_DATABASE, MARKETING_ROLE)), engine_for(server.url(_DATABASE, PUBLISH_ROLE)))


def time_pages(warehouse: Warehouse, repeats: int) -> list[str]:
    """Ask for each page again and again, queries and HTML, and return the table to print.

    Airflow's own work (the user's permissions) and the network are not in it. The first time, with templates still to
    be compiled and connections to be made, stands by itself.
    """
    with warehouse.reading() as reading:
        night = read_night(reading, None)
    assert night  # noqa: S101 (the benchmark has just made it)
    month = night.earlier(28)
    pages: dict[str, Callable[[], int]] = {
        "overview": lambda: _page("overview.html", overview(warehouse, None, "EUR")),
        "map": lambda: _page("map.html", map_view(warehouse, None)),
        "segment": lambda: _page("segment.html", segment_view(warehouse, 3, None, "EUR")),
        "flows, 7 days": lambda: _page("flows.html", flows_view(warehouse, None, None)),
        "flows, 28 days": lambda: _page("flows.html", flows_view(warehouse, month, None)),
        "runs": lambda: _page("runs.html", runs_view(warehouse, None)),
        "customer": lambda: _page("customer.html", {"asked": "", **look_up(warehouse, "customer-7", "bench", "bench")}),
        "audiences": lambda: _page("audiences.html", audiences_view(warehouse)),
        "audience.csv": lambda: sum(map(len, segment_audience(warehouse, 3, "bench").blocks())),
    }
    lines = [f"{'page':16}{'bytes':>12}{'first ms':>10}{'median ms':>11}{'max ms':>9}   (of {repeats})"]
    for name, ask in pages.items():
        seconds = []
        for _ in range(repeats + 1):
            began = time.perf_counter()
            size = ask()
            seconds.append(time.perf_counter() - began)
        first, *later = (1000 * second for second in seconds)
        lines.append(f"{name:16}{size:>12,}{first:>10.0f}{statistics.median(later):>11.0f}{max(later):>9.0f}")
    return lines


def _page(template: str, content: dict[str, object]) -> int:
    return len(render(template, content, Viewer(customers=True, audiences=True), "EUR").encode())
