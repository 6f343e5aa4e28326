"""Nights on a lake in a bucket: what a folder would hold, byte for byte, whichever worker does which step."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, select, text

from segmentation import runs
from segmentation.bucket import Bucket
from segmentation.catalog import MARTS, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.erasure.erase_customers import erase_customers
from segmentation.erasure.requests import request_erasure
from segmentation.errors import LakeRefused
from segmentation.housekeeping.tidy import tidy
from segmentation.night import STEPS, Asked, Handed, do_step, run_night
from segmentation.warehouse import metadata

if TYPE_CHECKING:
    from conftest import SmallShop

KEY = "0123456789abcdef" * 4
QUICK: dict[str, Any] = {
    "features": {"training_cutoffs": 1, "buckets": 2, "sequence_length": 16, "threads": 1},
    "encoder": {"cold_epochs": 1, "warm_epochs": 1, "width": 8, "categories": 4, "threads": 1},
    "clusters": {"k_max": 4, "bootstraps": 2, "minimum_stability": 0.0},
    "evaluate": {"moved_share_limit": 1.0, "usefulness_margin": 1.0, "ari_limit": -1.0},
    "privacy": {"key": KEY},
}
NO_MODEL: dict[str, Any] = QUICK | {"encoder": {"minimum_customers": 100_000}}
#: What one of two racing nights may meet: the other removes a file before it writes it anew.
LOST_FOR_A_MOMENT = {"InputReplaced", "MissingInput", "FileNotFoundError", "WarehouseBusy"}
_workers = count(1)

NIGHT = """
import sys
from datetime import date, datetime
from pathlib import Path
from segmentation.config import Settings
from segmentation.night import run_night
home, url, day, source, warehouse, now, run_id = sys.argv[1:]
settings = Settings(
    home=Path(home), lake_url=url, timezone="Europe/Berlin",
    features={"buckets": 2, "threads": 1}, encoder={"minimum_customers": 100_000},
)
print("ready", flush=True)
sys.stdin.readline()
night = run_night(settings, date.fromisoformat(day), source, warehouse, now=datetime.fromisoformat(now), run_id=run_id)
assert night.published, night.reasons
"""


@pytest.fixture
def young_shop(small_shop: SmallShop) -> SmallShop:
    """Take the first months from the small shop: fewer days, fewer files."""
    first = small_shop.last_day - timedelta(days=69)
    with small_shop.admin.begin() as connection:
        old = "select order_id from shop.orders where ordered_at < :first"
        for statement in (
            "delete from shop.events where occurred_at < :first",
            f"delete from shop.order_items where order_id in ({old})",
            f"delete from shop.orders where order_id in ({old})",
        ):
            connection.execute(text(statement), {"first": first})
    return small_shop


def kept(settings: Settings) -> dict[str, bytes]:
    """Every file that is kept from night to night, as a worker sees it that has nothing yet."""
    if not settings.lake_url:
        folder = settings.home
    else:
        fresh = settings.model_copy(update={"home": settings.home.with_name(f"onlooker-{next(_workers)}")})
        fresh.lake.refresh()
        assert isinstance(fresh.lake.bucket, Bucket)
        fresh.lake.bucket.bring(fresh.kept)
        folder = fresh.kept
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.relative_to(folder).parts[0].startswith(".")
    }


def alike(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out the spread history: its versions have names of their own, which no other lake has."""
    return {name: content for name, content in files.items() if not name.startswith("lake/history/")}


def marts(server: Server, database: str) -> dict[str, list[str]]:
    """Every row of every mart, less run ids, in key order."""
    engine, found = server.engine(database), {}
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            if table.schema == MARTS:
                columns = [column for column in table.c if column.name != "run_id"]
                ordered = connection.execute(select(*columns).order_by(*table.primary_key.columns))
                found[table.name] = [repr(tuple(row)) for row in ordered]
    engine.dispose()
    return found


def night_of_many_workers(
    worker: Callable[[], Settings], day: date, shop: SmallShop, warehouse: Engine, run_id: str
) -> dict[str, int]:
    """Run a night each of whose steps is done by a worker that has nothing; return the requests by kind."""
    handed, requests = Handed(), dict[str, int]()
    runs.start_run(warehouse, run_id, day, shop.now)
    for step in STEPS:
        settings = worker()
        do_step(step, Asked(settings, day, shop.url, run_id, shop.now), warehouse, handed)
        assert isinstance(settings.lake.bucket, Bucket)
        for kind, number in settings.lake.bucket.requests.items():
            requests[kind] = requests.get(kind, 0) + number
        if step == "evaluate":
            assert handed.publish, handed.reasons
    return requests


@pytest.mark.timeout(600)
def test_a_night_on_a_bucket_is_that_on_a_folder_then_erasure_and_housekeeping_reach_every_copy(
    make_settings: Callable[..., Settings],
    lake_url: str,
    young_shop: SmallShop,
    server: Server,
    warehouse_database: str,
    other_warehouse: str,
    tmp_path: Path,
) -> None:
    days = [young_shop.last_day - timedelta(days=1), young_shop.last_day]
    on_folder = make_settings(**QUICK)
    url = server.url(warehouse_database, PUBLISH_ROLE)
    for day in days:
        assert run_night(on_folder, day, young_shop.url, url, now=young_shop.now, run_id=f"night_{day}").published

    def worker() -> Settings:
        return make_settings(home=tmp_path / f"worker-{next(_workers)}", lake_url=lake_url, **QUICK)

    warehouse = server.engine(other_warehouse, PUBLISH_ROLE)
    for day in days:
        requests = night_of_many_workers(worker, day, young_shop, warehouse, f"night_{day}")
    print(f"requests of a following night, each step on a worker that has nothing: {requests}")

    found = kept(worker())
    now, wanted = alike(found), alike(kept(on_folder))
    assert sorted(now) == sorted(wanted)
    assert [name for name in wanted if now[name] != wanted[name]] == []
    assert {name.partition("/")[0] for name in found} == {"lake", "models", "data_docs", "reports"}
    assert marts(server, other_warehouse) == marts(server, warehouse_database)

    # a worker that has everything, and does nothing while another one erases a customer
    idle = worker()
    assert kept_here(idle) == sorted(found)
    with young_shop.admin.connect() as connection:
        query = "select customer_id from shop.orders group by 1 order by count(*) desc, 1 limit 1"
        customer = str(connection.scalar(text(query)))
    for erasing, engine in ((worker(), warehouse), (on_folder, server.engine(warehouse_database, PUBLISH_ROLE))):
        request_erasure(engine, customer, "ticket")
        erase_customers(erasing, engine, "erasure", young_shop.now)
    with warehouse.connect() as connection:
        statement = str(connection.scalar(text("select statement from ops.erasure_certificates")))
    assert "Copies of the lake on other workers follow" in statement
    assert "old versions" not in statement
    found = kept(idle)
    assert alike(found) == alike(kept(on_folder))
    assert not [name for name in found if name.endswith("weights.npz")]
    idle.lake.refresh()
    assert {name: (idle.kept / name).read_bytes() for name in kept_here(idle)} == found

    # all is older than the policy keeps, by the store's clock as well
    later = datetime.now(UTC) + timedelta(days=3)
    housekeeping = {"backfill_days": 1, "working_days": 0, "quarantine_days": 1, "pages_days": 1}
    tidying = worker().model_copy(
        update={"housekeeping": on_folder.housekeeping.model_copy(update=housekeeping | {"working_days": 0})}
    )
    told = tidy(tidying, warehouse, later)
    assert told.removed["features"] == told.removed["outlook"] == 1
    assert kept(idle) == found
    assert tidy(tidying, warehouse, later, dry_run=False).removed == told.removed
    assert not list(tidying.kept.rglob("*.parquet")), "nothing is fetched to be removed"
    gone = set(found) - set(kept(idle))
    assert {name.partition("/day=")[0] for name in gone} >= {"lake/features", "lake/outlook", "lake/raw/customers"}
    assert all(f"day={days[0]}" in name for name in gone)
    idle.lake.refresh()
    assert kept_here(idle) == sorted(set(found) - gone)
    warehouse.dispose()


def kept_here(settings: Settings) -> list[str]:
    """Bring everything into a worker's copy, and name it."""
    assert isinstance(settings.lake.bucket, Bucket)
    settings.lake.bucket.bring(settings.kept)
    return sorted(
        name
        for file in settings.kept.rglob("*")
        if file.is_file() and not (name := file.relative_to(settings.kept).as_posix()).startswith(".")
    )


@pytest.mark.timeout(400)
def test_two_nights_racing_leave_what_one_after_the_other_leaves(
    make_settings: Callable[..., Settings],
    lake_url: str,
    young_shop: SmallShop,
    server: Server,
    warehouse_database: str,
    other_warehouse: str,
    tmp_path: Path,
) -> None:
    quiet = make_settings(features={"buckets": 2, "threads": 1}, encoder={"minimum_customers": 100_000})
    url, day = server.url(warehouse_database, PUBLISH_ROLE), young_shop.last_day
    for run_id in ("first", "second"):
        assert run_night(quiet, day, young_shop.url, url, now=young_shop.now, run_id=run_id).published

    racing = server.url(other_warehouse, PUBLISH_ROLE)

    def start(run_id: str) -> subprocess.Popen[str]:
        asked = tmp_path / run_id, lake_url, day, young_shop.url, racing, young_shop.now.isoformat(), run_id
        return subprocess.Popen(
            [sys.executable, "-c", NIGHT, *map(str, asked)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    nights = {run_id: start(run_id) for run_id in ("first", "second")}
    for night in nights.values():
        assert night.stdout
        assert night.stdout.readline() == "ready\n"
    for night in nights.values():
        assert night.stdin
        night.stdin.write("\n")
        night.stdin.flush()
    said = {run_id: night.communicate(timeout=200)[1] for run_id, night in nights.items()}
    # as under Airflow, what lost a file to the other for a moment is tried again
    for run_id, night in nights.items():
        if night.returncode:
            assert LOST_FOR_A_MOMENT & set(re.findall(r"\w+", said[run_id][-3000:])), said[run_id]
            again = start(run_id)
            told = again.communicate("\n", timeout=200)[1]
            assert again.returncode == 0, told
    on_bucket = make_settings(lake_url=lake_url, home=tmp_path / "reader")
    found, wanted = alike(kept(on_bucket)), alike(kept(quiet))
    assert sorted(found) == sorted(wanted)
    assert [name for name in wanted if found[name] != wanted[name]] == []
    assert marts(server, other_warehouse) == marts(server, warehouse_database)


def test_a_night_without_its_bucket_stops_at_once_and_the_ledger_says_why(
    make_settings: Callable[..., Settings],
    lake_url: str,
    small_shop: SmallShop,
    server: Server,
    warehouse_database: str,
    warehouse: Engine,
) -> None:
    settings = make_settings(lake_url="s3://not-there/shop")
    url = server.url(warehouse_database, PUBLISH_ROLE)
    with pytest.raises(LakeRefused, match="SEGMENTATION_LAKE"):
        run_night(settings, small_shop.last_day, small_shop.url, url, now=small_shop.now)
    with warehouse.connect() as connection:
        status, message = connection.execute(select(runs.runs.c.status, runs.runs.c.message)).one()
    assert status == "failed"
    assert "Make the bucket, or correct SEGMENTATION_LAKE" in message
    assert "a-secret-key" not in message
