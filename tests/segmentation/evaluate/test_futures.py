"""What customers did afterwards: the same sums from the lake's day files and from the shop itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import text

from segmentation import catalog
from segmentation.calendar import day_interval, days_between
from segmentation.config import Settings
from segmentation.errors import MissingRate
from segmentation.evaluate.futures import lake_future, of_customers, source_future

DAY = date(2026, 5, 1)


def _write(
    settings: Settings,
    rows: list[tuple[str, str, datetime, str, float, datetime]],
    currencies: Mapping[str, str] = MappingProxyType({}),
) -> None:
    names = ("order_id", "customer_id", "ordered_at", "status", "total_amount", "updated_at", "currency")
    kinds = (pa.string(), pa.string(), pa.timestamp("us", "UTC"), pa.string(), pa.float64(), pa.timestamp("us", "UTC"))
    kinds = (*kinds, pa.string())
    for day in days_between(DAY, DAY + timedelta(days=28)):
        interval = day_interval(day, settings.timezone)
        of_day = [(*row, currencies.get(row[0], "EUR")) for row in rows if interval.start <= row[2] < interval.end]
        columns = list(zip(*of_day, strict=True)) or [()] * len(names)
        table = pa.table({n: pa.array(list(c), k) for n, c, k in zip(names, columns, kinds, strict=True)})
        settings.lake.write_table(table, settings.lake.path(catalog.CHECKED, catalog.ORDERS, day=day) / "rows.parquet")


def test_sums_what_stands_at_the_end_of_the_horizon(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone="America/New_York")
    start = day_interval(DAY, settings.timezone).end
    end = day_interval(DAY + timedelta(days=28), settings.timezone).end
    inside, late = start + timedelta(days=3), end + timedelta(days=1)
    _write(
        settings,
        [
            ("1", "a", start, "completed", 10.10, start),  # the first instant counts
            ("2", "a", end - timedelta(microseconds=1), "completed", 0.20, inside),
            ("3", "a", start - timedelta(microseconds=1), "completed", 500.0, inside),  # of the business day itself
            ("4", "b", inside, "Returned", 30.0, inside),  # ordered, but the money went back
            ("5", "b", inside, "returned", 7.0, late),  # given back after the horizon: not known then
            ("6", "c", inside, "cancelled", 40.0, inside),  # never a sale
            ("1", "a", inside, "completed", 99.0, start - timedelta(days=1)),  # where the order was before it was moved
        ],
    )
    found = lake_future(settings, DAY)
    assert found is not None
    assert found.to_dict("records") == [
        {"customer_id": "a", "spend": 10.3, "orders": 2.0},
        {"customer_id": "b", "spend": 7.0, "orders": 2.0},
    ]
    lined_up = of_customers(found, pd.Index(["c", "b", "a"]))
    assert lined_up["bought"].tolist() == [0.0, 1.0, 1.0]
    assert lined_up["spend"].tolist() == [0.0, 7.0, 10.3]


def test_orders_in_another_currency_count_at_the_rate_of_their_day(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone="America/New_York").model_copy(update={"reporting_currency": "EUR"})
    # 03:00 UTC is still the evening before in New York
    friday, saturday = datetime(2026, 5, 9, 3, tzinfo=UTC), datetime(2026, 5, 10, 3, tzinfo=UTC)
    rows = [("1", "a", friday, "completed", 10.0, friday), ("2", "a", saturday, "completed", 1.0, saturday)]
    _write(settings, rows, {"1": "USD"})
    with pytest.raises(MissingRate, match=r"USD \(1 order, 2026-05-08\)"):
        lake_future(settings, DAY)

    rates = pa.table(
        {
            "day": pa.array([date(2026, 5, 7), date(2026, 5, 8), date(2026, 5, 9)]),
            "currency": pa.array(["USD"] * 3),
            "rate": pa.array([2.0, 0.9, 3.0]),
        }
    )
    settings.lake.write_table(rates, settings.lake.rows_file(catalog.CHECKED, catalog.RATES, DAY + timedelta(days=28)))
    found = lake_future(settings, DAY)
    assert found is not None
    assert found.to_dict("records") == [{"customer_id": "a", "spend": 10.0, "orders": 2.0}]


def test_a_lake_that_ends_too_early_has_no_future(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone="UTC")
    at = datetime(2026, 5, 10, tzinfo=UTC)
    _write(settings, [("1", "a", at, "completed", 1.0, at)])
    assert lake_future(settings, DAY) is not None
    assert lake_future(settings, DAY + timedelta(days=1)) is None


@pytest.mark.parametrize("day", [date(2026, 5, 1), date(2026, 3, 20)], ids=["plain", "over the change of clocks"])
def test_the_shop_itself_gives_the_same_as_plain_sql(
    make_settings: Callable[..., Settings], small_shop, day: date
) -> None:
    settings = make_settings(timezone=small_shop.timezone)
    found = source_future(settings, day, small_shop.url)
    start = day_interval(day, small_shop.timezone).end
    end = day_interval(day + timedelta(days=28), small_shop.timezone).end
    with small_shop.admin.connect() as connection:
        expected = connection.execute(
            text(
                "select customer_id::text,"
                " sum(case when status in ('returned', 'refunded') and updated_at < :end then 0"
                " else total_amount end), count(*) from shop.orders where ordered_at >= :start and ordered_at < :end"
                " and not (status in ('cancelled', 'canceled', 'failed') and updated_at < :end) group by 1 order by 1"
            ),
            {"start": start, "end": end},
        ).all()
    assert len(found) > 50
    assert found["customer_id"].tolist() == [row[0] for row in expected]
    assert found["spend"].tolist() == pytest.approx([float(row[1]) for row in expected])
    assert found["orders"].tolist() == [row[2] for row in expected]


def test_the_shop_itself_is_converted_by_its_own_rates(
    make_settings: Callable[..., Settings], small_shop, tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.yml"
    mapping.write_text("rates: {table: shop.exchange_rates}\n")
    plain = make_settings(timezone=small_shop.timezone)
    settings = make_settings(timezone=small_shop.timezone, extract={"mapping": mapping})
    settings = settings.model_copy(update={"reporting_currency": "XTS"})
    with pytest.raises(MissingRate, match="no exchange rate to XTS: "):
        source_future(settings, DAY, small_shop.url)

    weekdays = (
        "insert into shop.exchange_rates select day, currency, 2 from generate_series(:first, :last, interval '1 day')"
        " as day cross join (select distinct currency from shop.orders) as sold where extract(isodow from day) < 6"
    )
    values = {"first": DAY - timedelta(days=7), "last": DAY + timedelta(days=28)}
    with small_shop.admin.begin() as connection:
        connection.execute(text(weekdays), values)
    try:
        found = source_future(settings, DAY, small_shop.url)
    finally:
        with small_shop.admin.begin() as connection:
            connection.execute(text("delete from shop.exchange_rates"))
    expected = source_future(plain, DAY, small_shop.url)
    assert len(found) > 50
    assert found["customer_id"].tolist() == expected["customer_id"].tolist()
    assert found["spend"].tolist() == pytest.approx([2 * spend for spend in expected["spend"]])
