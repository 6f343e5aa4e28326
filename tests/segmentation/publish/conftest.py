"""What the publish step finds in the lake, made by hand: labels, features, outlook and manifests of a day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from segmentation import runs
from segmentation.config import Settings
from segmentation.publish.publish_night import PublishResult, publish_night

FIRST_DAY = date(2026, 3, 1)
TASTE_NAMES = {1: "Mostly tea", 2: "Mostly cheese", 3: "Fond of wine", 4: "A bit of everything"}
NAMES = {0: "No order yet", 1: "Weekly big baskets", 2: "Rare bargain hunters", 3: "New and curious", 4: "Asleep"}


def described_tastes(tastes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the tastes that customers have, as the lake's file describes them."""
    return [
        {
            "segment_id": taste,
            "name": TASTE_NAMES[taste],
            "description": f"Taste {taste} in a sentence.",
            "status": "active",
            "born_on": FIRST_DAY.isoformat(),
            "retired_on": None,
            "lineage": {},
            "centroid": [],
            "distinctive": ["much tea: 50 % of spend, shop 10 %"],
        }
        for taste in sorted(set(tastes.values()))
    ]


@dataclass
class Nights:
    """Writes and publishes nights of a tiny shop; day 0 is 2026-03-01.

    A customer's spend, orders and categories follow from its number, so that figures can be worked out by hand:
    customer ``c<n>`` spent n.10 in 28 days in n orders.
    """

    settings: Settings
    warehouse: Engine
    count: int = 0
    versions: dict[int, str] = field(default_factory=dict)
    now: datetime = datetime(2026, 5, 1, tzinfo=UTC)

    def day(self, number: int) -> date:
        return FIRST_DAY + timedelta(days=number)

    def described(self, labels: Mapping[str, int]) -> dict[int, dict[str, Any]]:
        """Return the segments that customers are in, as the lake's file describes them, by id."""
        return {
            segment: {
                "segment_id": segment,
                "name": NAMES[segment],
                "description": f"Segment {segment} in a sentence.",
                "status": "active",
                "born_on": FIRST_DAY.isoformat(),
                "retired_on": None,
                "lineage": {},
                "centroid": [],
                "distinctive": ["orders often", "few discounts"],
            }
            for segment in sorted({*labels.values(), 0})
        }

    def write(
        self,
        number: int,
        labels: Mapping[str, int],
        base: Mapping[str, int] | None = None,
        tastes: Mapping[str, int] | None = None,
        **segmentation: Any,
    ) -> str:
        """Write the lake's files of a night and return the segmentation's version.

        ``tastes`` are those of the customers who have one; None = a night from before there were tastes.
        """
        lake, day = self.settings.lake, self.day(number)
        customers = sorted(labels)
        before = base or {}
        columns = {
            "customer_id": customers,
            "segment_id": pa.array([labels[c] for c in customers], pa.int32()),
            "confidence": [0.25 + 0.5 * (labels[c] % 2) for c in customers],
            "reasons": [[f'buys "{c}", often\\', "few, discounts"] for c in customers],
            "rfm_segment": ["champions" if labels[c] else "none" for c in customers],
            "previous_segment_id": pa.array([before.get(c) for c in customers], pa.int32()),
            "moved": ["new" if c not in before else "" if before[c] == labels[c] else "behaviour" for c in customers],
        }
        if tastes is not None:
            columns["taste_id"] = pa.array([tastes.get(c) for c in customers], pa.int32())
            segmentation = {"tastes": described_tastes(tastes), "taste_reason": "said in words"} | segmentation
        content = {
            "business_day": day.isoformat(),
            "model_version": "rfm",
            "segments": list(self.described(labels).values()),
            **segmentation,
        }
        version = hashlib.sha256(
            json.dumps([columns["customer_id"], labels, tastes, content], sort_keys=True).encode()
        ).hexdigest()[:16]
        folder = lake.path("segmentations", day=day, version=version)
        lake.write_table(pa.table(columns), folder / "labels.parquet")
        lake.write_json({"version": version, **content}, folder / "segmentation.json")
        self._write_features(day, [c for c in customers if labels[c] != 0])
        self.write_manifests(number)
        inputs = runs.inputs_version(lake, day)
        lake.write_json({"inputs_version": inputs}, lake.path("features", day=day) / "features.json")
        self.versions[number] = version
        return version

    def _write_features(self, day: date, customers: list[str]) -> None:
        lake = self.settings.lake
        numbers = [int(c[1:]) for c in customers]
        for bucket in range(2):
            mine = [n for n in numbers if n % 2 == bucket]
            static = {
                "customer_id": [f"c{n}" for n in mine],
                "recency_days": [float(n) for n in mine],
                "gap_days_mean": [None if n == 1 else float(n) for n in mine],
                "monetary_28d": [round(n + 0.1, 2) for n in mine],
                "monetary_365d": [round(10 * n + 0.1, 2) for n in mine],
                "frequency_28d": [float(n) for n in mine],
                "frequency_365d": [float(2 * n) for n in mine],
                "discount_share": [0.5 for _ in mine],
                "returns_share": [0.5 if n == 2 else 0.0 for n in mine],
            }
            categories = {
                "customer_id": [f"c{n}" for n in mine for _ in range(2)],
                "category": [c for n in mine for c in (("tea", "cheese") if n <= 10 else ("cheese", "wine"))],
                "spend_share": [s for _ in mine for s in (0.75, 0.25)],
            }
            folder = lake.path("features", day=day, bucket=f"{bucket:02d}")
            strings = pa.schema(
                [("customer_id", pa.string()), ("category", pa.string()), ("spend_share", pa.float64())]
            )
            lake.write_table(
                pa.table(
                    static, schema=pa.schema([(k, pa.string() if k == "customer_id" else pa.float64()) for k in static])
                ),
                folder / "static.parquet",
            )
            lake.write_table(pa.table(categories, schema=strings), folder / "categories.parquet")

    def write_manifests(self, number: int, content: str = "as extracted") -> None:
        """Write what validate leaves about a day; another content stands for late rows."""
        lake, day = self.settings.lake, self.day(number)
        lake.write_json(
            {"day": str(day), "files_hash": f"{day} {content}"}, lake.path("checked", "_days") / f"{day}.json"
        )
        lake.write_json(
            {"business_day": str(day), "snapshot_hash": "snapshot"}, lake.path("raw", "_runs") / f"{day}.json"
        )

    def publish(self, number: int, version: str | None = None) -> PublishResult:
        """Publish a written night as the DAG does, on the base that the ledger names."""
        self.count += 1
        run_id, now = f"run_{self.count}", datetime(2026, 4, 1, tzinfo=UTC) + timedelta(minutes=self.count)
        day = self.day(number)
        runs.start_run(self.warehouse, run_id, day, now)
        base = runs.base_night(self.warehouse, day)
        return publish_night(self.settings, day, version or self.versions[number], base, self.warehouse, run_id, now)

    def night(
        self,
        number: int,
        labels: Mapping[str, int],
        base: Mapping[str, int] | None = None,
        tastes: Mapping[str, int] | None = None,
    ) -> PublishResult:
        """Write and publish."""
        return self.publish(number, self.write(number, labels, base, tastes))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query on the warehouse."""
        with self.warehouse.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture
def nights(make_settings: Callable[..., Settings], warehouse: Engine) -> Nights:
    """Return a tiny shop with an empty warehouse."""
    return Nights(make_settings(timezone="UTC"), warehouse)
