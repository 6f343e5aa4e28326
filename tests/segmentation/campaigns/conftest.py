"""A small shop with published segments, the orders of its customers, and marketing's own login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Engine, text
from tests.segmentation.publish.conftest import Nights

from segmentation.catalog import MARKETING_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server

CUSTOMERS = 2000
#: Segment 1 for the first half, segment 2 for the second; two who never ordered.
LABELS = {f"c{n}": 1 + (n > CUSTOMERS // 2) for n in range(1, CUSTOMERS + 1)} | {"x1": 0, "x2": 0}


class Shop(Nights):
    """Nights of a shop whose customers' orders a test chooses; marketing acts by SQL."""

    marketing: Engine

    def orders(self, number: int, rows: list[tuple[str, float]], **columns: Any) -> None:
        """Write the checked orders of a day: customer and amount; ``status`` and ``updated`` (day number) for all."""
        day = self.day(number)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        updated = noon + timedelta(days=columns.get("updated", number) - number)
        table = pa.table(
            {
                "order_id": [f"{number}-{at}" for at in range(len(rows))],
                "customer_id": [customer for customer, _ in rows],
                "ordered_at": pa.array([noon] * len(rows), pa.timestamp("us", "UTC")),
                "status": pa.array([columns.get("status", "completed")] * len(rows), pa.string()),
                "currency": pa.array(["EUR"] * len(rows), pa.string()),
                "total_amount": pa.array([amount for _, amount in rows], pa.float64()),
                "updated_at": pa.array([updated] * len(rows), pa.timestamp("us", "UTC")),
            }
        )
        self.settings.lake.write_table(table, self.settings.lake.rows_file("checked", "orders", day))

    def call(self, statement: str, **values: Any) -> Any:
        """Run a statement as marketing and return its first value."""
        with self.marketing.begin() as connection:
            return connection.execute(text(statement), values).scalar()

    def launch(self, **changes: Any) -> int:
        """Launch win-back in segment 1 for days 1 to 7, half left alone."""
        values = {
            "name": "Spring",
            "action": "leave_alone",
            "segment_ids": [1],
            "starts": self.day(1),
            "ends": self.day(7),
            "control_share": 0.5,
            "split": "random",
        } | changes
        named = ", ".join(f"{name} => :{name}" for name in values)
        found: int = self.call(f"select marts.launch_campaign({named})", **values)
        return found

    def members(self, campaign: int) -> dict[str, tuple[str, int]]:
        """Return arm and segment of each member."""
        rows = self.rows(
            f"select customer_id, arm, segment_id from marts.campaign_members where campaign_id = {campaign}"
        )
        return {customer: (arm, segment) for customer, arm, segment in rows}

    def result(self, campaign: int, number: int, columns: str, segment: int = -1) -> tuple[Any, ...]:
        """Return the only result of a campaign's segment as of a day."""
        (row,) = self.rows(
            f"select {columns} from marts.campaign_results where campaign_id = {campaign} "
            f"and as_of = '{self.day(number)}' and segment_id = {segment}"
        )
        return row


@pytest.fixture
def shop(
    make_settings: Callable[..., Settings], warehouse: Engine, server: Server, warehouse_database: str
) -> Iterator[Shop]:
    """Return the shop with night 0 published."""
    campaigns = {"days_after": 3, "covariate_days": 5}
    shop = Shop(make_settings(timezone="UTC", campaigns=campaigns), warehouse)
    shop.marketing = server.engine(warehouse_database, MARKETING_ROLE)
    shop.night(0, LABELS)
    yield shop
    shop.marketing.dispose()
