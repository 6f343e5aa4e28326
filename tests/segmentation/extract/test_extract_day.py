"""The lake must hold what the source holds, day by day, whatever happened on the way; and say so when it cannot."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from segmentation.calendar import day_interval, days_between
from segmentation.config import Settings
from segmentation.errors import (
    ChangedType,
    DatabaseUnreachable,
    FutureBusinessDay,
    InvalidMapping,
    LakeFull,
    LoginRefused,
    MissingColumn,
    MissingTable,
    PermissionMissing,
)
from segmentation.extract.extract_day import extract_day

from .conftest import DAY_AFTER, FIRST_DAY, LAST_DAY, TIMEZONE, Shop, files, read

DAYS = list(days_between(FIRST_DAY, LAST_DAY))
CLOCKS_FORWARD = date(2026, 3, 29)


def test_first_run_fetches_every_day_of_the_history(shop: Shop, settings: Settings) -> None:
    result = extract_day(settings, LAST_DAY, shop.url, shop.now)

    assert result.days_extracted == [day.isoformat() for day in DAYS]
    assert result.rows == {"customers": 4, "products": 3, "orders": 12, "order_items": 24, "events": 18}
    for number, day in enumerate(DAYS, start=1):
        interval = day_interval(day, TIMEZONE)
        orders = read(settings, "orders", day)
        assert orders["order_id"].to_pylist() == [10 * number + 1, 10 * number + 2]
        assert orders["ordered_at"].to_pylist() == [interval.start, interval.end - timedelta(microseconds=1)]
        assert read(settings, "order_items", day)["ordered_at"].to_pylist() == [
            at for at in orders["ordered_at"].to_pylist() for _ in range(2)
        ]
        assert read(settings, "events", day)["event_id"].to_pylist() == [10 * number + part for part in (1, 2, 3)]
    assert day_interval(CLOCKS_FORWARD, TIMEZONE).end - day_interval(CLOCKS_FORWARD, TIMEZONE).start == timedelta(
        hours=23
    )


def test_the_day_of_25_hours_is_one_day(shop: Shop, settings: Settings) -> None:
    back = date(2026, 10, 25)
    interval = day_interval(back, TIMEZONE)
    assert interval.end - interval.start == timedelta(hours=25)
    # half past two happens twice; the last microsecond still belongs to the day, the next one does not
    instants = [interval.start + timedelta(minutes=minutes) for minutes in (0, 150, 210)]
    instants += [interval.end - timedelta(microseconds=1), interval.end]
    for number, at in enumerate(instants):
        shop.execute(
            "insert into shop.events values (:id, 1, 's', :at, 'page_view', null, 'web', null, :at)",
            id=1000 + number,
            at=at,
        )

    extract_day(settings, back, shop.url, interval.end + timedelta(hours=4))

    assert read(settings, "events", back)["event_id"].to_pylist() == [1000, 1001, 1002, 1003]


def test_files_have_the_contract_columns_and_types_and_no_personal_data(shop: Shop, settings: Settings) -> None:
    extract_day(settings, LAST_DAY, shop.url, shop.now)

    def columns(table: str) -> dict[str, str]:
        return {field.name: str(field.type) for field in read(settings, table, LAST_DAY).schema}

    instant = "timestamp[us, tz=UTC]"
    assert columns("customers") == {
        "customer_id": "int64", "created_at": instant, "country": "string", "updated_at": instant,
        "marketing_consent": "bool",
    }  # fmt: skip
    assert columns("products") == {
        "product_id": "int64", "category": "string", "subcategory": "string", "brand": "string",
        "list_price": "double", "updated_at": instant,
    }  # fmt: skip
    assert columns("orders") == {
        "order_id": "int64", "customer_id": "int64", "ordered_at": instant, "status": "string", "currency": "string",
        "total_amount": "double", "discount_amount": "double", "coupon_code": "string", "updated_at": instant,
    }  # fmt: skip
    assert columns("order_items") == {
        "order_id": "int64", "line_no": "int64", "product_id": "int64", "quantity": "double", "unit_price": "double",
        "discount_amount": "double", "ordered_at": instant,
    }  # fmt: skip
    assert columns("events") == {
        "event_id": "int64", "customer_id": "int64", "session_id": "string", "occurred_at": instant,
        "event_type": "string", "product_id": "int64", "channel": "string", "campaign_id": "string",
        "loaded_at": instant,
    }  # fmt: skip
    assert read(settings, "events", LAST_DAY)["campaign_id"].to_pylist() == ["spring", None, None]
    assert read(settings, "events", LAST_DAY)["customer_id"].to_pylist() == [1, 2, None]


def test_same_source_gives_same_bytes_in_one_go_or_day_by_day(
    shop: Shop, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    at_once = make_settings(timezone=TIMEZONE, home=tmp_path / "at_once")
    extract_day(at_once, LAST_DAY, shop.url, shop.now)
    first = files(at_once.lake.root)
    extract_day(at_once, LAST_DAY, shop.url, shop.now)
    again = files(at_once.lake.root)
    nightly = make_settings(timezone=TIMEZONE, home=tmp_path / "nightly")
    for day in DAYS:
        extract_day(nightly, day, shop.url, shop.now)
    by_day = files(nightly.lake.root)

    # only the list of what the last run fetched may differ between a first and a second run
    run = f"raw/_runs/{LAST_DAY}.json"
    assert {path: digest for path, digest in again.items() if path != run} == {
        path: digest for path, digest in first.items() if path != run
    }
    daily = {path for path in first if "/_days/" in path or path.split("/")[1] in ("orders", "order_items", "events")}
    assert len(daily) == 4 * len(DAYS)
    assert {path: by_day[path] for path in daily} == {path: first[path] for path in daily}


def test_second_run_fetches_only_the_business_day(shop: Shop, settings: Settings) -> None:
    extract_day(settings, LAST_DAY, shop.url, shop.now)

    assert extract_day(settings, LAST_DAY, shop.url, shop.now).days_extracted == [LAST_DAY.isoformat()]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            "insert into shop.events values (999, 3, 's', '2026-03-28 10:00Z', 'page_view', null, 'app', null, now())",
            id="late event",
        ),
        pytest.param(
            "update shop.orders set status = 'returned', updated_at = now() where order_id = 31",
            id="changed order",
        ),
        pytest.param("update shop.orders set total_amount = 7 where order_id = 31", id="amount without updated_at"),
        pytest.param("insert into shop.order_items values (31, 3, 1, 1, 1.00, 0)", id="added line"),
        pytest.param("delete from shop.orders where order_id = 31", id="deleted order"),
    ],
)
def test_a_change_makes_its_own_day_be_fetched_again(shop: Shop, settings: Settings, change: str) -> None:
    extract_day(settings, LAST_DAY, shop.url, shop.now)
    before = files(settings.lake.root / "raw")
    shop.execute(change)

    result = extract_day(settings, LAST_DAY, shop.url, shop.now)

    assert result.days_extracted == ["2026-03-28", "2026-03-31"]
    after = files(settings.lake.root / "raw")
    changed = {path for path in after if after[path] != before[path]}
    assert "_days/2026-03-28.json" in changed
    lone = {"_runs/2026-03-31.json", "_days/2026-03-31.json", "order_items/day=2026-03-31/rows.parquet"}
    assert all("2026-03-28" in path for path in changed - lone)


def test_a_change_further_back_than_late_days_is_left(shop: Shop, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone=TIMEZONE, extract={"late_days": 2})
    extract_day(settings, LAST_DAY, shop.url, shop.now)
    shop.execute("update shop.orders set updated_at = now() where order_id in (31, 41)")  # the 28th and the 29th

    assert extract_day(settings, LAST_DAY, shop.url, shop.now).days_extracted == ["2026-03-29", "2026-03-31"]


def test_run_of_an_earlier_day_reads_nothing_after_it(shop: Shop, settings: Settings) -> None:
    shop.execute(
        "update shop.customers set created_at = :at where customer_id = 4", at=day_interval(LAST_DAY, TIMEZONE).start
    )

    result = extract_day(settings, DAYS[2], shop.url, shop.now)

    assert result.days_extracted == [day.isoformat() for day in DAYS[:3]]
    assert settings.lake.days("raw", "orders") == DAYS[:3]
    assert read(settings, "customers", DAYS[2])["customer_id"].to_pylist() == [1, 2, 3]


def test_a_day_without_rows_gets_empty_files(shop: Shop, settings: Settings) -> None:
    day = LAST_DAY + timedelta(days=1)

    extract_day(settings, day, shop.url, shop.now + timedelta(days=1))

    assert [read(settings, table, day).num_rows for table in ("orders", "order_items", "events")] == [0, 0, 0]


def test_order_line_without_order_goes_to_the_business_day(shop: Shop, settings: Settings) -> None:
    shop.execute("insert into shop.order_items values (777, 1, 1, 1, 1.00, 0)")

    extract_day(settings, LAST_DAY, shop.url, shop.now)

    lines = read(settings, "order_items", LAST_DAY).to_pylist()
    assert [line["order_id"] for line in lines if line["ordered_at"] is None] == [777]
    assert all(None not in read(settings, "order_items", day)["ordered_at"].to_pylist() for day in DAYS[:-1])


def test_an_order_id_that_occurs_twice_does_not_repeat_its_lines(shop: Shop, settings: Settings) -> None:
    shop.execute("alter table shop.orders drop constraint orders_pkey")
    shop.execute("insert into shop.orders select * from shop.orders where order_id = 61")

    extract_day(settings, LAST_DAY, shop.url, shop.now)

    assert read(settings, "orders", LAST_DAY)["order_id"].to_pylist() == [61, 61, 62]
    assert read(settings, "order_items", LAST_DAY)["order_id"].to_pylist() == [61, 61, 62, 62]


def test_rows_from_the_future_are_counted_with_their_keys(shop: Shop, settings: Settings) -> None:
    for number in range(12):
        shop.execute(
            "insert into shop.events values (:id, 1, 's', :at, 'page_view', null, 'web', null, :at)",
            id=500 + number,
            at=shop.now + timedelta(hours=2),
        )
    shop.execute("update shop.orders set ordered_at = :at where order_id = 62", at=shop.now + timedelta(minutes=30))

    result = extract_day(settings, LAST_DAY, shop.url, shop.now)

    assert result.future_rows == {"orders": 0, "events": 12}  # half an hour is what two clocks may differ by
    run = json.loads((settings.lake.root / f"raw/_runs/{LAST_DAY}.json").read_text())
    assert run["future_rows"]["events"] == {"count": 12, "keys": [str(500 + number) for number in range(10)]}
    assert run["tables"] == ["customers", "products", "orders", "order_items", "events"]


def test_keys_that_could_be_personal_data_are_counted_only(
    shop: Shop, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    shop.execute("alter table shop.order_items drop constraint if exists order_items_order_id_fkey")
    shop.execute("alter table shop.order_items alter order_id type text")
    shop.execute("alter table shop.orders alter order_id type text, alter ordered_at drop not null")
    uuid = "6f1c2a34-0b7d-4f0e-9a51-3c1d2e4f5a6b"
    for key, number in (("jane@example.org", "51"), ("Jane Doe", "52"), (uuid, "61")):
        shop.execute("update shop.orders set order_id = :key, ordered_at = null where order_id = :n", key=key, n=number)
    shop.execute("update shop.orders set ordered_at = null where order_id = '62'")

    extract_day(settings, LAST_DAY, shop.url, shop.now)

    run = (settings.lake.root / f"raw/_runs/{LAST_DAY}.json").read_text()
    undated = json.loads(run)["undated_rows"]["orders"]
    assert (undated["count"], sorted(undated["keys"])) == (4, sorted([uuid, "62"]))
    assert "4 rows of orders have no usable ordered_at and are left out" in caplog.text
    for told in (run, caplog.text):
        assert "jane" not in told.lower()


def test_odd_values_are_fetched_or_counted_but_stop_nothing(shop: Shop, settings: Settings) -> None:
    shop.execute(
        "alter table shop.orders alter column total_amount type double precision, alter ordered_at drop not null"
    )
    shop.execute("update shop.orders set total_amount = 'NaN', updated_at = 'infinity' where order_id = 61")
    shop.execute("update shop.orders set total_amount = '-infinity', updated_at = '0044-03-15 BC' where order_id = 62")
    shop.execute("update shop.orders set ordered_at = null where order_id = 51")
    shop.execute("update shop.orders set ordered_at = '0026-03-30' where order_id = 52")
    shop.execute("update shop.events set occurred_at = 'infinity' where event_id = 53")

    result = extract_day(settings, LAST_DAY, shop.url, shop.now)

    amounts = read(settings, "orders", LAST_DAY)["total_amount"].to_pylist()
    assert math.isnan(amounts[0])
    assert amounts[1] == -math.inf
    assert read(settings, "orders", LAST_DAY)["updated_at"].to_pylist() == [None, None]
    assert result.undated_rows == {"orders": 2, "events": 0}
    assert result.future_rows == {"orders": 0, "events": 1}
    assert result.days_extracted[0] == FIRST_DAY.isoformat()
    # NaN equals nothing, so a careless comparison would fetch this day every night
    later = extract_day(settings, LAST_DAY + timedelta(days=1), shop.url, shop.now + timedelta(days=1))
    assert later.days_extracted == ["2026-04-01"]


@pytest.mark.parametrize(
    ("renamed", "mapped"),
    [
        pytest.param("rename column amount to total_amount", "", id="by the alter that the error names"),
        pytest.param("", "orders: {columns: {total_amount: amount}}", id="by the mapping that the error names"),
    ],
)
def test_a_renamed_column_is_mended(
    shop: Shop, make_settings: Callable[..., Settings], tmp_path: Path, renamed: str, mapped: str
) -> None:
    (tmp_path / "mapping.yml").write_text(mapped or "orders: {}")
    settings = make_settings(TIMEZONE, extract={"mapping": tmp_path / "mapping.yml"})
    shop.execute("alter table shop.orders rename column total_amount to amount")
    if renamed:
        with pytest.raises(MissingColumn) as caught:
            extract_day(settings, LAST_DAY, shop.url, shop.now)
        assert renamed in str(caught.value)
        shop.execute(f"alter table shop.orders {renamed}")
    assert extract_day(settings, LAST_DAY, shop.url, shop.now).rows["orders"] == 12


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("alter column total_amount type numeric(18, 4)", id="more digits"),
        pytest.param("alter column coupon_code type varchar(400)", id="varchar"),
        pytest.param(
            "alter column ordered_at type timestamp using ordered_at at time zone 'Europe/Berlin'", id="local"
        ),
        pytest.param("add column gift_note text default 'for Jane'", id="added column"),
    ],
)
def test_a_widened_type_or_an_added_column_changes_no_row(shop: Shop, settings: Settings, change: str) -> None:
    extract_day(settings, LAST_DAY, shop.url, shop.now)
    before = files(settings.lake.root)
    shop.execute(f"alter table shop.orders {change}")
    extract_day(settings, LAST_DAY, shop.url, shop.now)
    rows = [name for name in before if name.endswith(".parquet")]
    assert len(rows) >= 3 * len(DAYS)
    assert {name: files(settings.lake.root)[name] for name in rows} == {name: before[name] for name in rows}
    found = json.loads(settings.lake.run_manifest("raw", LAST_DAY).read_text())["source_columns"]["orders"]
    assert found["order_id"] == "bigint"
    assert ("gift_note" in found) == ("gift_note" in change)


def test_a_shop_with_other_names_and_without_events_lines_or_products(
    shop: Shop, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    for statement in (
        "drop table shop.events, shop.order_items, shop.products",
        'create schema "Verkauf"',
        'alter table shop.orders set schema "Verkauf"',
        'alter table "Verkauf".orders rename to "Bestellungen"',
        'alter table "Verkauf"."Bestellungen" rename column order_id to "Nummer"',
        # a time without a timezone, as many shops keep it, and no column that tells of changes
        'alter table "Verkauf"."Bestellungen" alter column ordered_at type timestamp '
        "using ordered_at at time zone 'Europe/Berlin'",
        'alter table "Verkauf"."Bestellungen" drop column updated_at, drop column status, drop column coupon_code',
        'grant usage on schema "Verkauf" to segmentation_extract',
    ):
        shop.execute(statement)
    mapping = tmp_path / "mapping.yml"
    mapping.write_text(
        "orders:\n  table: Verkauf.Bestellungen\n  columns:\n    order_id: Nummer\n    updated_at: null\n"
        "    status: null\n    coupon_code: null\n    discount_amount: {expression: 'total_amount * 0.1'}\n"
        "events: null\norder_items: null\nproducts: null\n"
    )
    settings = make_settings(timezone=TIMEZONE, extract={"mapping": mapping})

    result = extract_day(settings, LAST_DAY, shop.url, shop.now)

    assert result.tables == ["customers", "orders"]
    assert result.rows == {"customers": 4, "orders": 12}
    assert result.days_extracted == [day.isoformat() for day in DAYS]
    orders = read(settings, "orders", CLOCKS_FORWARD)
    interval = day_interval(CLOCKS_FORWARD, TIMEZONE)
    assert orders["order_id"].to_pylist() == [41, 42]
    assert orders["ordered_at"].to_pylist() == [interval.start, interval.end - timedelta(microseconds=1)]
    assert orders["status"].to_pylist() == ["completed", "completed"]
    assert orders["discount_amount"].to_pylist() == [4.05, 4.05]
    assert orders["updated_at"].to_pylist() == [None, None]
    assert not (settings.lake.root / "raw" / "events").exists()


@pytest.mark.parametrize(
    ("kind", "moment"),
    # half past eleven in UTC is a Berlin morning of the next day
    [("date", "{}"), ("timestamp", "{} 23:30"), ("timestamptz", "{} 23:30Z")],
)
def test_rates_are_kept_by_day_up_to_the_business_day(
    shop: Shop, make_settings: Callable[..., Settings], tmp_path: Path, kind: str, moment: str
) -> None:
    mapping = tmp_path / "mapping.yml"
    mapping.write_text("rates: {table: shop.exchange_rates}\n")
    settings = make_settings(timezone=TIMEZONE, extract={"mapping": mapping})
    shop.execute(f"alter table shop.exchange_rates alter column day type {kind}")
    back = timedelta(days=1 if kind == "timestamptz" else 0)
    moments = [moment.format(day - back) for day in (LAST_DAY, FIRST_DAY, DAY_AFTER)]
    for at in (*moments, "infinity", "-infinity"):
        shop.execute(f"insert into shop.exchange_rates values (cast(:at as {kind}), 'USD', 0.9005)", at=at)

    result = extract_day(settings, LAST_DAY, shop.url, shop.now)

    assert result.rows["rates"] == 2
    rates = read(settings, "rates", LAST_DAY)
    assert [str(found) for found in rates.schema.types] == ["date32[day]", "string", "double"]
    assert rates.to_pylist() == [
        {"day": FIRST_DAY, "currency": "USD", "rate": 0.9005},
        {"day": LAST_DAY, "currency": "USD", "rate": 0.9005},
    ]
    assert not (settings.lake.root / "raw" / "rates" / f"day={FIRST_DAY}").exists()


def test_ids_of_different_types_meet_as_text(shop: Shop, settings: Settings) -> None:
    shop.execute("alter table shop.events alter column customer_id type text")

    extract_day(settings, LAST_DAY, shop.url, shop.now)

    assert read(settings, "events", LAST_DAY)["customer_id"].to_pylist() == ["1", "2", None]
    assert read(settings, "orders", LAST_DAY)["customer_id"].to_pylist() == ["1", "2"]
    assert str(read(settings, "customers", LAST_DAY).schema.field("customer_id").type) == "string"


def test_a_table_that_is_no_longer_mapped_leaves_no_folder(
    shop: Shop, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    extract_day(make_settings(timezone=TIMEZONE), LAST_DAY, shop.url, shop.now)
    mapping = tmp_path / "mapping.yml"
    mapping.write_text("events: null\nproducts: null\n")
    settings = make_settings(timezone=TIMEZONE, extract={"mapping": mapping})

    extract_day(settings, LAST_DAY, shop.url, shop.now)

    kept = {path.name for path in (settings.lake.root / "raw").iterdir()}
    assert kept == {"customers", "orders", "order_items", "_days", "_runs"}


def test_another_mapping_fetches_the_history_again(
    shop: Shop, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    extract_day(make_settings(timezone=TIMEZONE), LAST_DAY, shop.url, shop.now)
    mapping = tmp_path / "mapping.yml"
    mapping.write_text("events:\n  columns:\n    channel: null\n")

    result = extract_day(make_settings(timezone=TIMEZONE, extract={"mapping": mapping}), LAST_DAY, shop.url, shop.now)

    assert len(result.days_extracted) == len(DAYS)


def test_a_lost_file_is_fetched_again(shop: Shop, settings: Settings) -> None:
    extract_day(settings, LAST_DAY, shop.url, shop.now)
    settings.lake.remove(settings.lake.path("raw", "events", day=DAYS[1]))

    assert extract_day(settings, LAST_DAY, shop.url, shop.now).days_extracted == ["2026-03-27", "2026-03-31"]


def test_a_killed_run_is_finished_by_the_next_one(
    shop: Shop, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    shop.execute(
        "insert into shop.events select 1000 + n, 1, 's', at, 'page_view', null, 'web', null, at from ("
        "select n, timestamptz '2025-12-01Z' + n * interval '1 hour' as at from generate_series(1, 2600) as n) as hours"
    )
    killed = make_settings(timezone=TIMEZONE, home=tmp_path / "killed", extract={"rows_per_query": 1000})
    # a slow disk, so that the kill surely falls in the middle
    program = (
        "import datetime, os, sys, time\n"
        "from segmentation.config import Settings\n"
        "from segmentation.extract.extract_day import extract_day\n"
        "fsync = os.fsync\n"
        "os.fsync = lambda fd: (time.sleep(0.02), fsync(fd))\n"
        f"settings = Settings(home={str(killed.home)!r}, timezone={TIMEZONE!r}, extract={{'rows_per_query': 1000}})\n"
        f"now = datetime.datetime.fromisoformat({shop.now.isoformat()!r})\n"
        f"extract_day(settings, datetime.date.fromisoformat({LAST_DAY.isoformat()!r}), {shop.url!r}, now)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "include")}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    manifests = killed.lake.root / "raw" / "_days"
    deadline = time.monotonic() + 60
    while len(list(manifests.glob("*.json"))) < 10:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.stem for path in manifests.glob("*.json")}
    undisturbed = make_settings(timezone=TIMEZONE, home=tmp_path / "undisturbed")

    result = extract_day(killed, LAST_DAY, shop.url, shop.now)
    whole = extract_day(undisturbed, LAST_DAY, shop.url, shop.now)

    assert 10 <= len(done) < len(whole.days_extracted)
    assert set(result.days_extracted) == set(whole.days_extracted) - done
    run = f"raw/_runs/{LAST_DAY}.json"
    expected = files(undisturbed.lake.root)
    found = files(killed.lake.root)
    assert {**found, run: ""} == {**expected, run: ""}


def test_a_full_disk_keeps_whole_days_and_the_next_run_goes_on(
    shop: Shop, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a full disk is a tmpfs of 2 MB, which may not be mounted here: {mounted.stderr.strip()}")
    # random session ids do not shrink: about 5 MB
    shop.execute(
        "insert into shop.events select 1000 + n, 1, gen_random_uuid()::text, at, 'page_view', null, 'web', null, at "
        "from (select n, timestamptz '2026-03-27Z' + n * interval '2 s' as at from generate_series(1, 190000) n) as c"
    )
    settings = make_settings(timezone=TIMEZONE, home=disk / "home", extract={"rows_per_query": 1000})
    try:
        with pytest.raises(LakeFull) as caught:
            extract_day(settings, LAST_DAY, shop.url, shop.now)
        assert "MB free). The half-written file was removed, earlier files are whole." in str(caught.value)
        manifests = {path.stem: json.loads(path.read_text()) for path in (settings.lake.root / "raw/_days").glob("*")}
        assert 0 < len(manifests) < len(DAYS)
        for day, manifest in manifests.items():
            for table, rows in manifest["rows"].items():
                assert read(settings, table, date.fromisoformat(day)).num_rows == rows

        subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True)
        result = extract_day(settings, LAST_DAY, shop.url, shop.now)
        assert set(result.days_extracted) == {day.isoformat() for day in DAYS} - set(manifests)
        undisturbed = make_settings(timezone=TIMEZONE, home=tmp_path / "undisturbed")
        extract_day(undisturbed, LAST_DAY, shop.url, shop.now)
        run = f"raw/_runs/{LAST_DAY}.json"
        assert {**files(settings.lake.root), run: ""} == {**files(undisturbed.lake.root), run: ""}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_business_day_that_is_not_over(shop: Shop, settings: Settings) -> None:
    now = datetime.fromisoformat("2026-03-31T23:59:00+02:00")
    with pytest.raises(FutureBusinessDay) as caught:
        extract_day(settings, LAST_DAY, shop.url, now)
    assert str(caught.value) == (
        "business day 2026-03-31 has not ended in the shop's timezone. No data was read or written. "
        "The newest day that can run is 2026-03-30."
    )
    assert not settings.lake.root.exists()


def test_a_database_that_is_down(shop: Shop, settings: Settings) -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        extract_day(settings, LAST_DAY, "postgresql://segmentation_extract:secret@127.0.0.1:1/shop", shop.now)
    message = str(caught.value)
    assert message.startswith("the source database at 127.0.0.1:1/shop cannot be reached: ")
    assert "Nothing was written. Marketing keeps the labels of the last published night." in message
    assert "secret" not in message


def test_a_wrong_password(shop: Shop, settings: Settings) -> None:
    port = shop.url.rsplit(":", 1)[1]
    with pytest.raises(LoginRefused) as caught:
        extract_day(settings, LAST_DAY, f"postgresql://segmentation_extract:wr0ng@127.0.0.1:{port}", shop.now)
    assert str(caught.value) == (
        f"the source database at 127.0.0.1:{port} refuses user 'segmentation_extract': wrong password, or the role "
        "may not connect. Nothing was written. Marketing keeps the labels of the last published night. Correct the "
        "connection (see .env.example), then clear the task."
    )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param(
            "alter table shop.events rename to clicks",
            MissingTable,
            "source table shop.events (mapped as events) does not exist. Tables found there: shop.orders, ",
            id="missing table",
        ),
        pytest.param(
            "alter table shop.orders rename column total_amount to amount_total",
            MissingColumn,
            "column total_amount of source table shop.orders (mapped as orders) does not exist; the table has: "
            "discount_amount, amount_total, ",
            id="renamed column",
        ),
        pytest.param(
            "alter table shop.orders rename column total_amount to amount",
            MissingColumn,
            "If it is amount now, write into the mapping file orders: {columns: {total_amount: amount}}, or undo it: "
            "alter table shop.orders rename column amount to total_amount; if it is gone and optional, set it to null.",
            id="renamed column, undone",
        ),
        pytest.param(
            "alter table shop.events drop column channel",
            MissingColumn,
            "name the new column in the mapping file under events.columns; if it is gone and optional, set it to null.",
            id="missing column",
        ),
        pytest.param(
            "alter table shop.orders alter column total_amount type text",
            ChangedType,
            "column total_amount of source table shop.orders has type text, expected numeric. Nothing was written.",
            id="amount became text",
        ),
        pytest.param(
            "alter table shop.orders alter column total_amount type text",
            ChangedType,
            "Change it back: alter table shop.orders alter column total_amount type numeric using "
            "total_amount::numeric; or map the column to an expression that casts it, for example {expression: "
            '"total_amount::numeric"}.',
            id="amount became text, undone",
        ),
        pytest.param(
            "alter table shop.events alter column occurred_at type bigint using 0",
            ChangedType,
            'for example {expression: "occurred_at::timestamptz"}.',
            id="time became a number",
        ),
        pytest.param(
            "revoke select on shop.orders from segmentation_extract",
            PermissionMissing,
            "role 'segmentation_extract' may not select shop.orders. Run: grant select on shop.orders to "
            "segmentation_extract; then clear the task.",
            id="no right on a table",
        ),
        pytest.param(
            "revoke usage on schema shop from segmentation_extract",
            PermissionMissing,
            "Run: grant usage on schema shop to segmentation_extract; then clear the task.",
            id="no right on the schema",
        ),
        pytest.param(
            "alter table shop.events drop column properties",
            InvalidMapping,
            "the expression of events.columns.campaign_id, \"properties ->> 'campaign_id'\", does not work on "
            'shop.events: column "properties" does not exist.',
            id="expression over a missing column",
        ),
    ],
)
def test_a_source_that_does_not_fit(
    shop: Shop, settings: Settings, change: str, error: type[Exception], message: str
) -> None:
    shop.execute(change)
    with pytest.raises(error) as caught:
        extract_day(settings, LAST_DAY, shop.url, shop.now)
    assert message in str(caught.value)
    assert not settings.lake.root.exists()
