"""In whatever order days are run, late rows arrive and runs die: the days marked stale mend it, run in their order.

After every single operation the marts are whole: one label per customer now, a history without gaps and overlaps, the
present as the newest day has it, and profiles that add up to the labels (of a customer who was erased there is no label
any more, and the figures of a night that counted the customer stay until it is made anew). In the end the next night
runs, then the days that `ops.runs` marks stale, each once, the earliest first; what marketing has then is what one
clean pass over the same source gives. One sequence is written by hand and has every operation; hypothesis makes others:
`ORDER_TEST_EXAMPLES=40 pytest tests/segmentation/test_order_of_runs.py` (a minute each).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, select, text

from segmentation.bench.attempts import KILL, LIGHT, Place
from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE, MARTS, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.demo.simulator import load_simulated
from segmentation.demo.source import create_database
from segmentation.erasure.erase_customers import erase_customers
from segmentation.erasure.requests import request_erasure
from segmentation.night import STEPS, Asked, Handed, run_night
from segmentation.publish.roles import grant_warehouse_roles
from segmentation.warehouse import metadata

TIMEZONE = "Europe/Berlin"
DAYS = [date(2026, 3, 9), date(2026, 3, 10), date(2026, 3, 11)]
NEXT = date(2026, 3, 12)
FIRST = date(2026, 2, 17)
NOW = day_interval(NEXT, TIMEZONE).end + timedelta(hours=4)
EXAMPLES = int(os.environ.get("ORDER_TEST_EXAMPLES", "2"))
_numbers = count(1)

WHOLE = {
    "a stay ends where the next begins, and the last one is open": """
        select customer_id from (
            select customer_id, valid_to, lead(valid_from) over (partition by customer_id order by valid_from) as next
            from marts.{history}
        ) as stays
        where valid_to is distinct from next""",
    "the present is what the newest published day has": """
        select customer_id, {label}
        from marts.customer_segments
        where {label} is not null
        except select customer_id, {label} from marts.{history} where valid_to is null""",
    "who is labelled now has a row now": """
        select customer_id from marts.{history} where valid_to is null and {label} is not null
        except select customer_id from marts.customer_segments""",
}
ADD_UP = """
    select runs.business_day, profiles.customers, labels.customers
    from (select business_day, stale from ops.runs where status = 'published') as runs
    left join (select as_of, sum(customers) as customers from marts.segment_profiles group by 1) as profiles
        on profiles.as_of = runs.business_day
    left join lateral (
        select count(*) as customers from marts.customer_segment_history
        where valid_from <= runs.business_day and (valid_to is null or valid_to > runs.business_day)
    ) as labels on true
    where profiles.customers is distinct from labels.customers
        and not coalesce(runs.stale and profiles.customers - labels.customers between 1 and :erased, false)"""
AS_OF = """
    select (select max(business_day) from ops.runs where status = 'published'), min(as_of), max(as_of), count(*)
    from marts.customer_segments"""


@dataclass
class Shop:
    """One source that changes, a warehouse and a lake; and what may be done to them."""

    server: Server
    source: str
    warehouse_database: str
    home: Path
    warehouse: Engine = field(init=False)
    erased: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.warehouse = self.server.engine(self.warehouse_database, PUBLISH_ROLE)
        self.admin = self.server.engine(self.source)

    def settings(self) -> Settings:
        # RFM segments: the order of runs is what is tested, and a night without an encoder takes two seconds
        return Settings(
            home=self.home,
            timezone=TIMEZONE,
            features={"buckets": 1, "sequence_length": 16, "training_cutoffs": 1, "threads": 1},
            encoder={"minimum_customers": 100_000},
            evaluate={"moved_share_limit": 1.0, "usefulness_margin": 1.0},
            # nights made with an erased customer are called stale: in the end they are as if there had been none
            privacy={"key": "0123456789abcdef" * 4, "models": "retrain"},
        )

    def run(self, day: date) -> None:
        urls = self.server.url(self.source, EXTRACT_ROLE), self.server.url(self.warehouse_database, PUBLISH_ROLE)
        run_id = f"{day}_{next(_numbers)}"
        assert run_night(self.settings(), day, *urls, now=NOW, run_id=run_id, accept_unusual_day=True).published

    def kill(self, day: date, step: str, after_s: float) -> None:
        """Begin a night and kill it in a step; nobody tries again."""
        place = Place(
            Path(), self.home, self.warehouse, self.server.url(self.warehouse_database, PUBLISH_ROLE),
            self.home.parent / "attempts.log", LIGHT,
        )  # fmt: skip
        url = self.server.url(self.source, EXTRACT_ROLE)
        asked = Asked(self.settings(), day, url, f"killed_{day}_{next(_numbers)}", NOW, accept_unusual_day=True)
        handed = Handed()
        for before in ("wait_for_source", *STEPS[: STEPS.index(step)]):
            done = place.attempt(before, asked, handed)
            assert done.handed is not None, done
            handed = done.handed
        struck = place.strike(KILL, after_s, step, asked, handed)
        assert struck.end in ("killed", "done"), struck

    def order_late(self, day: date) -> None:
        """Let a customer's new order of a past day arrive now, with one line."""
        at = day_interval(day, TIMEZONE).start + timedelta(hours=11)
        with self.admin.begin() as connection:
            key = connection.scalar(text("select max(order_id) + 1 from shop.orders"))
            values = {"key": key, "at": at, "now": self._later(), "nth": key % 50}
            connection.execute(text(INSERT_ORDER), values)
            connection.execute(text(INSERT_ITEM), values)

    def refund(self, day: date) -> None:
        """Refund the day's largest order that is not refunded yet."""
        within = day_interval(day, TIMEZONE)
        with self.admin.begin() as connection:
            connection.execute(text(REFUND), {"start": within.start, "end": within.end, "now": self._later()})

    def erase(self, nth: int) -> None:
        """Erase a customer; the shop still has the rows, and goes on writing some."""
        with self.admin.connect() as connection:
            customer = str(connection.scalar(text(NTH_CUSTOMER), {"nth": nth}))
        request_erasure(self.warehouse, customer, "ticket")
        # a day later, when nights that were killed are known to be dead
        assert erase_customers(self.settings(), self.warehouse, "erasure", NOW + timedelta(days=2)).request_ids
        self.erased.append(customer)

    def _later(self) -> datetime:
        # no two changes at the same instant, as in a real shop
        return NOW - timedelta(hours=2) + timedelta(seconds=next(_numbers))

    def published(self, where: str = "true") -> list[date]:
        query = f"select business_day from ops.runs where status = 'published' and {where} order by 1"
        with self.warehouse.connect() as connection:
            return list(connection.scalars(text(query)))

    def check(self) -> None:
        with self.warehouse.connect() as connection:
            for label, history in (
                ("segment_id", "customer_segment_history"),
                ("taste_id", "customer_taste_history"),
            ):
                for promise, query in WHOLE.items():
                    broken = connection.execute(text(query.format(label=label, history=history))).all()
                    assert broken == [], f"{promise} ({history})"
            told_of = connection.execute(text(ADD_UP), {"erased": len(set(self.erased))}).all()
            assert told_of == [], "profiles add up to the labels"
            newest, first, last, labels = connection.execute(text(AS_OF)).one()
            assert (first, last) == (newest, newest), "the present is the newest day"
            assert bool(labels) == (newest is not None)

    def marts(self) -> dict[str, list[str]]:
        found = {}
        with self.warehouse.connect() as connection:
            for table in metadata.sorted_tables:
                if table.schema == MARTS:
                    columns = [column for column in table.c if column.name != "run_id"]
                    rows = connection.execute(select(*columns).order_by(*table.primary_key.columns))
                    found[table.name] = [repr(tuple(row)) for row in rows]
        return found

    def bring_forward(self) -> None:
        """Run the next night, which sees what has changed, then the days marked stale, in their order, once."""
        self.run(NEXT)
        for day in self.published("stale"):
            self.run(day)
            self.check()
        assert self.published("stale") == []


INSERT_ORDER = """
    insert into shop.orders (order_id, customer_id, ordered_at, status, currency, total_amount, updated_at)
    select :key, customer_id, :at, 'completed', 'EUR', 87.5, :now
    from shop.customers order by customer_id offset :nth limit 1"""
NTH_CUSTOMER = "select customer_id from shop.orders group by 1 order by count(*) desc, 1 offset :nth limit 1"
INSERT_ITEM = """
    insert into shop.order_items (order_id, line_no, product_id, quantity, unit_price)
    select :key, 1, min(product_id), 1, 87.5 from shop.products"""
REFUND = """
    update shop.orders set status = 'refunded', updated_at = :now where order_id = (
        select order_id from shop.orders where ordered_at >= :start and ordered_at < :end and status <> 'refunded'
        order by total_amount desc, order_id limit 1)"""


@pytest.fixture(scope="module")
def template(server: Server) -> Iterator[str]:
    load_simulated(server, database="order_template", customers=80, first_day=FIRST, last_day=NEXT, timezone=TIMEZONE)
    yield "order_template"
    server.drop_database("order_template")


@pytest.fixture
def new_shop(server: Server, template: str, _warehouse_template: str, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Make shops, each with databases and a folder of its own, or on the source of another one."""
    made: list[Shop] = []

    def make(source: str = "") -> Shop:
        number = next(_numbers)
        database = source or f"order_source_{number}"
        if not source:
            create_database(server, database, template=template)
        server.create_database(f"order_warehouse_{number}", template=_warehouse_template)
        grant_warehouse_roles(server.engine(f"order_warehouse_{number}"))
        (tmp_path / str(number)).mkdir()
        made.append(Shop(server, database, f"order_warehouse_{number}", tmp_path / str(number) / "home"))
        return made[-1]

    yield make
    for shop in made:
        shop.warehouse.dispose()
        shop.admin.dispose()
        server.drop_database(shop.warehouse_database)
        server.drop_database(shop.source)


def assert_mended(shop: Shop, new_shop: Callable[..., Shop]) -> None:
    shop.bring_forward()
    clean = new_shop(shop.source)
    for customer in shop.erased:
        # from the request on no extraction takes the customer in
        request_erasure(clean.warehouse, customer, "ticket")
    for day in shop.published():
        clean.run(day)
    found, expected = shop.marts(), clean.marts()
    assert [name for name in expected if expected[name] != found[name]] == []
    assert len(found["customer_segments"]) > 50


@pytest.mark.timeout(300)
def test_every_operation_once_and_then_the_stale_days_in_order_is_one_clean_pass(
    new_shop: Callable[..., Shop],
) -> None:
    shop = new_shop()
    first, second, third = DAYS
    operations: list[tuple[Callable[..., None], tuple[object, ...]]] = [
        (shop.run, (third,)),
        (shop.run, (second,)),
        (shop.order_late, (second,)),
        (shop.kill, (first, "publish", 0.1)),
        (shop.run, (first,)),
        (shop.refund, (third,)),
        (shop.kill, (second, "validate", 0.3)),
        (shop.erase, (0,)),
    ]
    for operation, arguments in operations:
        operation(*arguments)
        shop.check()
    assert_mended(shop, new_shop)


def test_a_day_with_the_late_rows_is_marked_too_if_it_built_on_one_without(new_shop: Callable[..., Shop]) -> None:
    """Otherwise one pass over the marked days would leave it on labels that are no longer there."""
    shop = new_shop()
    shop.run(DAYS[0])
    shop.order_late(DAYS[0])
    assert_mended(shop, new_shop)


class Operations(RuleBasedStateMachine):
    """What may happen to a shop's nights, in any order."""

    new_shop: Callable[..., Shop]

    def __init__(self) -> None:
        super().__init__()
        self.shop = self.new_shop()

    @rule(day=st.sampled_from(DAYS))
    def run_a_day(self, day: date) -> None:
        self.shop.run(day)

    @rule(first=st.sampled_from(DAYS), length=st.integers(2, 3), backwards=st.booleans())
    def backfill(self, first: date, length: int, backwards: bool) -> None:
        days = [day for day in DAYS if first <= day < first + timedelta(days=length)]
        for day in reversed(days) if backwards else days:
            self.shop.run(day)

    @rule(day=st.sampled_from([DAYS[0] - timedelta(days=3), *DAYS]))
    def rows_arrive_late(self, day: date) -> None:
        self.shop.order_late(day)

    @rule(day=st.sampled_from(DAYS))
    def an_order_is_refunded(self, day: date) -> None:
        self.shop.refund(day)

    @rule(day=st.sampled_from(DAYS), step=st.sampled_from(STEPS), after_s=st.sampled_from([0.0, 0.1, 0.3, 0.8]))
    def a_run_is_killed(self, day: date, step: str, after_s: float) -> None:
        self.shop.kill(day, step, after_s)

    @rule(nth=st.integers(0, 2))
    def a_customer_is_erased(self, nth: int) -> None:
        self.shop.erase(nth)

    @invariant()
    def the_marts_are_whole(self) -> None:
        self.shop.check()

    def teardown(self) -> None:
        assert_mended(self.shop, self.new_shop)


@pytest.mark.timeout(3600 if EXAMPLES > 2 else 300)
def test_any_sequence_and_then_the_stale_days_in_order_is_one_clean_pass(new_shop: Callable[..., Shop]) -> None:
    machine = type("OfThisTest", (Operations,), {"new_shop": staticmethod(new_shop)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=10 if EXAMPLES > 2 else 4,
            deadline=None,
            derandomize=EXAMPLES == 2,
            suppress_health_check=list(HealthCheck),
        ),
    )
