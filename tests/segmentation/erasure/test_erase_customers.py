"""A customer who was erased is nowhere any more, does not come back, and nothing is fetched or called stale for it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, text
from tests.segmentation.activation.receiver import receiving

from segmentation.activation.destination import Batch, Login, Recipient
from segmentation.activation.s3_object import S3Bucket
from segmentation.catalog import CHECKED, HISTORY, PUBLISH_ROLE, RAW
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.erasure.erase_customers import erase_customers
from segmentation.erasure.requests import erased_customers, request_erasure
from segmentation.erasure.search import search_files, search_tables
from segmentation.errors import (
    DestinationUnreachable,
    InvalidSetting,
    MissingPrivacyKey,
    NightRunning,
    OtherPrivacyKey,
)
from segmentation.extract.extract_day import extract_day
from segmentation.features.build_features import build_features
from segmentation.features.months import kept_as_checked, unused
from segmentation.lake import content_hash
from segmentation.night import run_night
from segmentation.validate.validate_day import validate_day

if TYPE_CHECKING:
    from conftest import SmallShop

KEY = "0123456789abcdef" * 4
QUICK = {
    "encoder": {"cold_epochs": 1, "warm_epochs": 1},
    "features": {"training_cutoffs": 1},
    "clusters": {"k_max": 5, "bootstraps": 2},
}
NO_MODEL = {"encoder": {"minimum_customers": 100_000}}


class Shop:
    """A small shop with published nights, and what is known of one of its customers."""

    def __init__(self, settings: Settings, shop: SmallShop, warehouse: Engine, url: str) -> None:
        self.settings, self.shop, self.warehouse, self.url = settings, shop, warehouse, url

    def night(self, day: date) -> Any:
        return run_night(self.settings, day, self.shop.url, self.url, now=self.shop.now)

    def busiest_customer(self) -> str:
        with self.shop.admin.connect() as connection:
            return str(
                connection.scalar(
                    text("select customer_id from shop.orders group by 1 order by count(*) desc, 1 limit 1")
                )
            )

    def files(self, *parts: str) -> dict[str, str]:
        root = self.settings.lake.root.joinpath(*parts)
        return {
            str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(root.rglob("*"))
            if file.is_file()
        }

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.warehouse.connect() as connection:
            return list(connection.execute(text(query), values))

    def do(self, statement: str, **values: Any) -> None:
        with self.warehouse.begin() as connection:
            connection.execute(text(statement), values)

    def erase(self, run_id: str = "test", **options: Any) -> Any:
        return erase_customers(self.settings, self.warehouse, run_id, self.shop.now, **options)


@pytest.fixture
def make_shop(
    make_settings: Callable[..., Settings],
    small_shop: SmallShop,
    warehouse: Engine,
    server: Server,
    warehouse_database: str,
    tmp_path: Path,
) -> Callable[..., Shop]:
    def make(**changes: Any) -> Shop:
        exports = {"files": (tmp_path / "exports").as_uri(), "crm": "https://crm.example.org/hook"}
        settings = make_settings(
            **{"privacy": {"key": KEY}, "activation": {"destinations": exports}, **NO_MODEL, **changes}
        )
        return Shop(settings, small_shop, warehouse, server.url(warehouse_database, PUBLISH_ROLE))

    return make


@pytest.mark.timeout(600)
def test_an_erased_customer_is_gone_everywhere_and_stays_gone(make_shop: Callable[..., Shop], tmp_path: Path) -> None:
    shop = make_shop(**QUICK)
    days = [shop.shop.last_day - timedelta(days=2), shop.shop.last_day - timedelta(days=1)]
    for day in days:
        assert shop.night(day).published
    customer = shop.busiest_customer()
    profiles = shop.rows("select * from marts.segment_profiles order by 1, 2")
    everybody = shop.rows("select count(*) from marts.customer_segments")[0][0]
    shop.do(
        "insert into ops.activation_log (destination, campaign_id, customer_id, number, event, action, as_of, "
        "batch_key, planned_at, run_id) values ('crm', 1, :id, 1, 'joined', 'a', :day, 'k', now(), 'r')",
        id=customer,
        day=days[0],
    )
    sent = tmp_path / "exports" / "campaign_1" / "2026-06-29_joined_k.csv"
    sent.parent.mkdir(parents=True)
    sent.write_bytes(f"customer_id,campaign_id\r\n{customer},1\r\nother,1\r\n".encode())
    models = shop.rows("select model_version from ops.models order by 1")
    assert models

    lake = shop.settings.lake
    kept = kept_as_checked(lake)
    assert len(kept) > 3

    number = request_erasure(shop.warehouse, customer, "ticket 17")
    certified = shop.erase()

    assert certified.request_ids == [number]
    # the spread history lost the rows that the checked files lost: nothing of it is spread again for that
    assert {month: one.version for month, one in kept_as_checked(lake).items()} == {
        month: one.version for month, one in kept.items()
    }
    assert unused(lake) == []
    assert certified.stale_days == []
    for found in (search_files(shop.settings, [customer]), search_tables(shop.warehouse, [customer])):
        assert not found.rows
    row = shop.rows("select * from ops.erasure_certificates")[0]
    for place in (
        "lake/raw/orders", "lake/raw/order_items", "lake/raw/events", "lake/raw/customers", "lake/checked/orders",
        "lake/history/orders",
        "lake/history/order_items", "lake/history/events", "lake/features", "lake/windows",
        "lake/outlook", "lake/segmentations", "exports/files", "ops.activation_log",
        "marts.customer_segments", "marts.customer_segment_history",
    ):  # fmt: skip
        assert row.found.get(place, 0) > 0, place
    assert row.recipients == ["crm"]
    assert row.models_withdrawn == [version for (version,) in models]
    assert "then found nothing" in row.statement
    assert not list(shop.settings.models.glob("*/weights.npz"))
    request = shop.rows("select * from ops.erasure_requests")[0]
    assert (request.status, request.customer_id) == ("erased", None)
    assert sent.read_bytes() == b"customer_id,campaign_id\r\nother,1\r\n"
    # what was published about groups stays, and everybody else is as before
    assert shop.rows("select * from marts.segment_profiles order by 1, 2") == profiles
    assert shop.rows("select count(*) from marts.customer_segments")[0][0] == everybody - 1

    # the shop still has the customer: the next night leaves them out, fetches no old day again, and learns anew
    night = shop.night(shop.shop.last_day)
    assert night.published
    assert night.results["extract"].days_extracted == [shop.shop.last_day.isoformat()]  # type: ignore[attr-defined]
    assert "withdrawn" in night.results["encode"].cold_start_reason  # type: ignore[attr-defined]
    for found in (search_files(shop.settings, [customer]), search_tables(shop.warehouse, [customer])):
        assert not found.rows
    assert shop.rows("select count(*) from ops.runs where stale") == [(0,)]
    after = {month: one.version for month, one in kept_as_checked(lake).items()}
    assert [month for month, one in kept.items() if one.version != after[month]] == [f"{shop.shop.last_day:%Y-%m}"]
    # and what it gives is what spreading everything again gives
    made = {name: shop.files(name, f"day={shop.shop.last_day}") for name in ("features", "windows")}
    lake.remove(lake.root / HISTORY)
    build_features(shop.settings, shop.shop.last_day, warm=False)
    assert made == {name: shop.files(name, f"day={shop.shop.last_day}") for name in made}
    again = shop.erase()
    assert again.request_ids == []


def test_rewritten_files_are_those_that_extraction_and_validation_would_write(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    day = shop.shop.last_day
    with shop.shop.admin.begin() as connection:
        # some rows set aside, also of the customer: their days' checked files are no copies
        customer = connection.scalar(
            text("select customer_id from shop.orders group by 1 order by count(*) desc, 1 limit 1")
        )
        connection.execute(
            text(
                "update shop.orders set total_amount = -5 where order_id in ("
                "(select max(order_id) from shop.orders where customer_id = :id) union all "
                "(select order_id from shop.orders where customer_id <> :id and mod(order_id, 300) = 0))"
            ),
            {"id": customer},
        )
    assert shop.night(day).published
    request_erasure(shop.warehouse, str(customer), "ticket")
    shop.erase()
    rewritten = {part: shop.files(part) for part in ("raw", "checked", "quarantine")}

    erased = shop.settings.lake.root / "erased"
    shop.settings.lake.root.joinpath(RAW).rename(erased)
    shop.settings.lake.remove(shop.settings.lake.root / CHECKED)
    shop.settings.lake.remove(shop.settings.lake.root / "quarantine")
    extract_day(shop.settings, day, shop.shop.url, shop.shop.now, shop.warehouse)
    validate_day(shop.settings, day, shop.warehouse, "again", shop.shop.now)
    assert len(rewritten["quarantine"]) > 1
    for part, found in rewritten.items():
        assert shop.files(part) == found, part


def test_an_erasure_killed_halfway_is_finished_by_the_next(make_shop: Callable[..., Shop], tmp_path: Path) -> None:
    shop = make_shop()
    assert shop.night(shop.shop.last_day).published
    before = shop.rows("select inputs_version from ops.runs")
    customer = shop.busiest_customer()
    request_erasure(shop.warehouse, customer, "ticket")
    # dies in the middle of the lake, after so many files
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal, sys\n"
        "from datetime import datetime\n"
        "from segmentation.config import Settings\n"
        "from segmentation.connections import engine_for\n"
        "from segmentation.erasure import remove_from_lake\n"
        "from segmentation.erasure.erase_customers import erase_customers\n"
        "original, left = remove_from_lake._rewrite, [int(sys.argv[3])]\n"
        "def deadly(*args):\n"
        "    if not left[0]:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    left[0] -= 1\n"
        "    original(*args)\n"
        "remove_from_lake._rewrite = deadly\n"
        "settings = Settings.model_validate_json(os.environ['TOLD'])\n"
        "erase_customers(settings, engine_for(sys.argv[1]), 'killed', datetime.fromisoformat(sys.argv[2]))\n"
    )
    told = {
        "home": str(shop.settings.home),
        "timezone": shop.settings.timezone,
        "privacy": {"key": KEY},
        "activation": {"destinations": shop.settings.activation.destinations},
    }
    for files in (3, 40, 100):
        done = subprocess.run(
            [sys.executable, str(script), shop.url, shop.shop.now.isoformat(), str(files)],
            env=os.environ | {"TOLD": json.dumps(told)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert shop.rows("select status from ops.erasure_requests") == [("erasing",)]

    certified = shop.erase()
    assert certified.stale_days == []
    row = shop.rows("select * from ops.erasure_certificates")[0]
    # what there was is what the first attempt found, before anything was gone
    assert row.found["lake/raw/order_items"] > 0
    assert not search_files(shop.settings, [customer]).rows
    items = shop.settings.lake.days(RAW, "order_items")
    with shop.shop.admin.connect() as connection:
        orders = set(
            connection.scalars(text("select order_id from shop.orders where customer_id = :id"), {"id": int(customer)})
        )
    left = [
        set(pq.ParquetFile(shop.settings.lake.rows_file(RAW, "order_items", day)).read()["order_id"].to_pylist())
        for day in items
    ]
    assert not orders & set().union(*left)
    assert shop.rows("select inputs_version from ops.runs") != before
    result = extract_day(shop.settings, shop.shop.last_day, shop.shop.url, shop.shop.now, shop.warehouse)
    assert result.days_extracted == [shop.shop.last_day.isoformat()]
    checked = validate_day(shop.settings, shop.shop.last_day, shop.warehouse, "again", shop.shop.now)
    assert checked.days_checked == [shop.shop.last_day.isoformat()]


def test_an_order_that_somebody_else_has_too_has_its_month_spread_anew(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    day, lake = shop.shop.last_day, shop.settings.lake
    customer = shop.busiest_customer()
    assert shop.night(day).published
    # the customer's first order is also in the file of the last day, as somebody else's, without lines of its own
    orders = next(
        rows
        for one in lake.days(CHECKED, "orders")
        if (rows := pq.ParquetFile(lake.rows_file(CHECKED, "orders", one)).read()).num_rows
        and customer in map(str, rows["customer_id"].to_pylist())
    )
    first = orders.filter(pc.equal(orders["customer_id"].cast("string"), customer)).slice(0, 1)
    file = lake.rows_file(CHECKED, "orders", day)
    rows = pq.ParquetFile(file).read()
    moved = rows.filter(pc.not_equal(rows["customer_id"].cast("string"), customer)).slice(0, 1)
    moved = moved.set_column(0, "order_id", first["order_id"])
    lake.write_table(pa.concat_tables([rows, moved]), file)
    manifest = lake.day_manifest(CHECKED, day)
    told = json.loads(manifest.read_text())
    hashes = told["hashes"] | {"orders": content_hash(file)}
    lake.write_json(told | {"hashes": hashes}, manifest)
    build_features(shop.settings, day, warm=False)
    month = f"{first['ordered_at'][0].as_py().astimezone(ZoneInfo(shop.settings.timezone)):%Y-%m}"
    kept = kept_as_checked(lake)
    assert month in kept

    request_erasure(shop.warehouse, customer, "ticket")
    shop.erase()
    assert set(kept) - set(kept_as_checked(lake)) == {month}
    build_features(shop.settings, day, warm=False)
    made = shop.files("features", f"day={day}")
    lake.remove(lake.root / HISTORY)
    build_features(shop.settings, day, warm=False)
    assert shop.files("features", f"day={day}") == made


def test_with_the_policy_retrain_the_nights_made_with_the_customer_are_stale(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(privacy={"key": KEY, "models": "retrain"})
    day = shop.shop.last_day
    assert shop.night(day).published
    request_erasure(shop.warehouse, shop.busiest_customer(), "ticket")
    assert shop.erase().stale_days == [day.isoformat()]
    assert "--reprocess-behavior completed" in shop.rows("select stale_reason from ops.runs")[0][0]
    assert shop.night(day).published
    assert shop.rows("select stale from ops.runs where status = 'published'") == [(False,)]


def test_a_customer_nobody_knows_gets_a_certificate_that_says_so(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    number = request_erasure(shop.warehouse, "nobody-4711", "ticket")
    assert shop.erase().request_ids == [number]
    row = shop.rows("select * from ops.erasure_certificates")[0]
    assert row.found == {}
    assert "check the key" in row.statement


def test_a_key_that_is_a_word_is_removed_from_sentences_too(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    customer = "anna-4711"
    shop.do(
        "insert into ops.runs (run_id, business_day, status, started_at, message) "
        "values ('old', '2026-01-01', 'failed', '2026-01-01', 'bad: anna-4711, anna-47110')"
    )
    page = shop.settings.data_docs / "2026-01-01" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>anna-4711</p>")
    request_erasure(shop.warehouse, customer, "ticket")
    shop.erase()
    assert shop.rows("select message from ops.runs") == [("bad: (erased), anna-47110",)]
    assert page.read_text() == "<p>(erased)</p>"
    assert shop.rows("select found from ops.erasure_certificates") == [({"data_docs": 1, "ops.runs": 1},)]


@pytest.fixture
def bucket() -> Iterator[str]:
    """URL of a bucket on a real S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    # all such servers of a process share their buckets
    httpx.put(f"http://127.0.0.1:{port}/erasures").raise_for_status()
    yield f"s3://erasures/crm?scheme=http&region=us-east-1&endpoint_override=127.0.0.1%3A{port}"
    server.stop()


def test_what_was_sent_is_rewritten_where_it_lies_and_a_webhook_is_told_to_forget(
    make_shop: Callable[..., Shop], bucket: str, tmp_path: Path
) -> None:
    login, opened = Login("an-access-key", "a/secret+key"), list[str]()

    def login_of(name: str) -> Login:
        opened.append(name)
        return login

    # a place that lets nobody look: what should be a file is none
    (tmp_path / "shut" / "campaign_1" / "2026-06-29_joined_0.csv").mkdir(parents=True)
    with receiving() as receiver:
        places = {"crm": receiver.url, "old": receiver.url, "bucket": bucket, "shut": (tmp_path / "shut").as_uri()}
        activation = {"destinations": places, "tell_erased": ["crm"], "attempts": 1}
        shop = make_shop(activation=activation)
        day = shop.shop.last_day
        store = S3Bucket("bucket", bucket, shop.settings.activation, login)
        others = [Recipient(f"other-{n}", "win_back", 1) for n in range(3)]
        for campaign, event in ((1, "joined"), (2, "left")):
            recipients = (*others, Recipient("4711", "win_back", 1))
            store.send(Batch(f"{campaign}" * 64, campaign, 'Spring, "part" 1', event, day, recipients))
        before = {file: store.read(file) for file in store.files()}
        for destination, campaign, number, event in (
            ("crm", 1, 1, "joined"), ("crm", 1, 2, "left"), ("crm", 2, 1, "joined"), ("bucket", 1, 1, "joined"),
            ("old", 1, 1, "joined"), ("shut", 1, 1, "joined"),
        ):  # fmt: skip
            shop.do(
                "insert into ops.activation_log (destination, campaign_id, customer_id, number, event, action, as_of, "
                "batch_key, planned_at, run_id) values (:to, :campaign, '4711', :number, :event, 'win_back', :day, "
                "'k', now(), 'r')",
                to=destination, campaign=campaign, number=number, event=event, day=day,
            )  # fmt: skip
        request_erasure(shop.warehouse, "4711", "ticket")
        receiver.answers = [200, 500]
        with pytest.raises(DestinationUnreachable, match="destination crm cannot be reached: it answered 500"):
            shop.erase(login_of=login_of)
        assert shop.rows("select status, told from ops.erasure_requests") == [("erasing", [])]
        shop.erase(login_of=login_of)

        told = [(body["campaign_id"], body["event"], body["customers"]) for body in receiver.bodies]
        first = (1, "erased", [{"customer_id": "4711", "action": "win_back", "number": 3}])
        second = (2, "erased", [{"customer_id": "4711", "action": "win_back", "number": 2}])
        # the second attempt repeats both, under the same keys
        assert told == [first, second, first, second]
        assert receiver.keys[:2] == receiver.keys[2:]
        assert len(set(receiver.keys)) == 2
        assert set(receiver.logins) == {f"Bearer {login.secret}"}
    assert store.files() == list(before)
    for file, content in before.items():
        assert store.read(file) == b"".join(line for line in content.splitlines(keepends=True) if b"4711" not in line)
    row = shop.rows("select * from ops.erasure_certificates")[0]
    assert (row.told, row.recipients) == (["crm"], ["bucket", "old", "shut"])
    assert row.found == {"exports/bucket": 2, "ops.activation_log": 6}
    assert "Told by an event that they confirmed: crm." in row.statement
    assert "Not looked through, because they let nobody look: shut." in row.statement
    assert {"crm", "bucket"} <= set(opened)
    assert shop.rows("select count(*) from ops.activation_log") == [(0,)]


def test_a_bucket_that_does_not_answer_is_tried_again(make_shop: Callable[..., Shop]) -> None:
    down = "s3://exports/crm?scheme=http&endpoint_override=127.0.0.1%3A1&region=us-east-1"
    shop = make_shop(activation={"destinations": {"bucket": down}})
    request_erasure(shop.warehouse, "4711", "ticket")
    with pytest.raises(DestinationUnreachable, match="NETWORK_CONNECTION"):
        shop.erase()
    assert shop.rows("select count(*) from ops.erasure_certificates") == [(0,)]


@pytest.mark.parametrize("name", ["files", "crmm"])
def test_only_webhooks_can_be_told(make_settings: Callable[..., Settings], tmp_path: Path, name: str) -> None:
    places = {"files": tmp_path.as_uri(), "crm": "https://crm.example.org/hook"}
    with pytest.raises(InvalidSetting, match="name webhooks of the destinations"):
        make_settings(activation={"destinations": places, "tell_erased": [name]})


def test_an_erasure_waits_for_a_night_that_is_under_way(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    request_erasure(shop.warehouse, "17", "ticket")
    shop.do(
        "insert into ops.runs (run_id, business_day, status, started_at) values ('now', '2026-06-30', 'running', :at)",
        at=shop.shop.now - timedelta(hours=1),
    )
    with pytest.raises(NightRunning, match="run now is or was under way"):
        shop.erase()
    assert shop.rows("select status from ops.erasure_requests") == [("open",)]
    # one that was killed a day ago and more holds nothing up
    shop.do("update ops.runs set started_at = :at", at=shop.shop.now - timedelta(hours=25))
    assert shop.erase().request_ids


def test_without_the_key_or_with_another_nothing_is_erased_or_extracted(
    make_shop: Callable[..., Shop], make_settings: Callable[..., Settings]
) -> None:
    shop = make_shop()
    request_erasure(shop.warehouse, "17", "ticket")
    keyless = make_settings()
    with pytest.raises(MissingPrivacyKey, match="the erasure of a customer needs the privacy key"):
        erase_customers(keyless, shop.warehouse, "run", shop.shop.now)
    # not erased yet, and left out already
    assert erased_customers(keyless, shop.warehouse).customer_ids == {"17"}
    shop.erase()
    with pytest.raises(MissingPrivacyKey, match="leaving out 1 erased customers needs the privacy key"):
        extract_day(keyless, shop.shop.last_day, shop.shop.url, shop.shop.now, shop.warehouse)
    other = make_settings(privacy={"key": "another" * 10})
    with pytest.raises(OtherPrivacyKey, match=r"requests 1 of ops\.erasure_requests"):
        extract_day(other, shop.shop.last_day, shop.shop.url, shop.shop.now, shop.warehouse)
    assert not shop.settings.lake.days(RAW, "orders")
