"""A shop written by hand, row by row, as the validate step would leave it in the lake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segmentation.calendar import business_day_of, days_between
from segmentation.config import FeatureSettings, Settings

_TIME = pa.timestamp("us", tz="UTC")


def _schemas(key: pa.DataType) -> dict[str, pa.Schema]:
    columns: dict[str, dict[str, pa.DataType]] = {
        "orders": {
            "order_id": key, "customer_id": key, "ordered_at": _TIME, "status": pa.string(), "currency": pa.string(),
            "total_amount": pa.float64(), "discount_amount": pa.float64(), "coupon_code": pa.string(),
            "updated_at": _TIME,
        },
        "order_items": {
            "order_id": key, "line_no": pa.int32(), "product_id": key, "quantity": pa.float64(),
            "unit_price": pa.float64(), "discount_amount": pa.float64(), "ordered_at": _TIME,
        },
        "events": {
            "event_id": key, "customer_id": key, "session_id": pa.string(), "occurred_at": _TIME,
            "event_type": pa.string(), "product_id": key, "channel": pa.string(), "campaign_id": pa.string(),
            "loaded_at": _TIME,
        },
        "customers": {"customer_id": key, "created_at": _TIME, "country": pa.string(), "updated_at": _TIME},
        "products": {
            "product_id": key, "category": pa.string(), "subcategory": pa.string(), "brand": pa.string(),
            "list_price": pa.float64(), "updated_at": _TIME,
        },
        "rates": {"day": pa.date32(), "currency": pa.string(), "rate": pa.float64()},
    }  # fmt: skip
    return {table: pa.schema(list(fields.items())) for table, fields in columns.items()}


@dataclass
class HandmadeShop:
    """Rows by table; times are written as local wall-clock text, ``"2026-03-01 10:00"``."""

    settings: Settings
    key: pa.DataType = field(default_factory=pa.string)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def at(self, text: str) -> datetime:
        from segmentation.calendar import shop_timezone

        return datetime.fromisoformat(text).replace(tzinfo=shop_timezone(self.settings.timezone)).astimezone(UTC)

    def add(self, table: str, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)

    def rate(self, day: str, currency: str, rate: float) -> None:
        self.add("rates", day=date.fromisoformat(day), currency=currency, rate=rate)

    def order(
        self,
        order_id: Any,
        customer: Any,
        at: str,
        amount: float = 10.0,
        *,
        discount: float = 0.0,
        status: str = "completed",
        updated: str | None = None,
        coupon: str | None = None,
        items: dict[Any, float] | None = None,
        currency: str | None = "EUR",
    ) -> None:
        """Place an order; ``items`` maps product to what its line cost."""
        self.add(
            "orders", order_id=order_id, customer_id=customer, ordered_at=self.at(at), status=status, currency=currency,
            total_amount=amount, discount_amount=discount, coupon_code=coupon, updated_at=self.at(updated or at),
        )  # fmt: skip
        for line, (product, price) in enumerate((items or {}).items(), start=1):
            self.add(
                "order_items", order_id=order_id, line_no=line, product_id=product, quantity=1.0, unit_price=price,
                discount_amount=0.0, ordered_at=self.at(at),
            )  # fmt: skip

    def event(
        self, event_id: Any, customer: Any, at: str, kind: str, session: str | None = None, *, product: Any = None,
        channel: str = "web",
    ) -> None:  # fmt: skip
        self.add(
            "events", event_id=event_id, customer_id=customer, session_id=session, occurred_at=self.at(at),
            event_type=kind, product_id=product, channel=channel, campaign_id=None, loaded_at=self.at(at),
        )  # fmt: skip

    def customer(self, customer: Any, created: str | None) -> None:
        at = self.at(created) if created else None
        self.add("customers", customer_id=customer, created_at=at, country="DE", updated_at=at)

    def product(self, product: Any, category: str | None) -> None:
        self.add("products", product_id=product, category=category, updated_at=self.at("2020-01-01"))

    def write(self, last: date) -> None:
        """Write the checked files of every day up to ``last`` (and of later days that have rows)."""
        schemas, times = (
            _schemas(self.key),
            {"orders": "ordered_at", "order_items": "ordered_at", "events": "occurred_at"},
        )
        for table, rows in self.rows.items():
            by_day: dict[date, list[dict[str, Any]]] = {}
            if table in times:
                for row in rows:
                    by_day.setdefault(business_day_of(row[times[table]], self.settings.timezone), []).append(row)
            else:
                by_day[last] = rows
            for day in sorted({*by_day, *days_between(last - timedelta(days=2), last)} if table in times else by_day):
                whole = [{name: row.get(name) for name in schemas[table].names} for row in by_day.get(day, [])]
                target = self.settings.lake.path("checked", table, day=day) / "rows.parquet"
                target.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(pa.Table.from_pylist(whole, schema=schemas[table]), target)


@pytest.fixture
def new_shop(tmp_path: Path) -> Callable[..., HandmadeShop]:
    """Make shops with own lakes: ``new_shop(timezone=…, key=…, name=…, buckets=…)``."""

    def make(
        timezone: str = "UTC", key: pa.DataType | None = None, name: str = "shop", **features: Any
    ) -> HandmadeShop:
        chosen = FeatureSettings(**{"buckets": 2, "training_cutoffs": 3, **features})
        settings = Settings(home=tmp_path / name, timezone=timezone, features=chosen)
        return HandmadeShop(settings, key or pa.string())

    return make


@pytest.fixture
def shop(new_shop: Callable[..., HandmadeShop]) -> HandmadeShop:
    return new_shop()


@pytest.fixture
def read() -> Callable[..., pd.DataFrame]:
    """Read one file set over all buckets, by customer: ``read(shop, "static", day)`` or with ``cutoff=``."""

    def read_set(shop: HandmadeShop, name: str, day: date, cutoff: date | None = None) -> pd.DataFrame:
        lake = shop.settings.lake
        folder = (
            lake.path("features", day=day)
            if cutoff is None
            else lake.path("windows", day=day, cutoff=cutoff.isoformat())
        )
        parts = [pq.ParquetFile(path).read() for path in sorted(folder.glob(f"bucket=*/{name}.parquet"))]
        return pa.concat_tables(parts).to_pandas().set_index("customer_id").sort_index(kind="stable")

    return read_set
