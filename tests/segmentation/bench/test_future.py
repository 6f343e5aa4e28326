"""`segmentation bench future`: the segments of a day beside both baselines, on what really came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from segmentation import catalog
from segmentation.bench.future import COLUMNS, score_future
from segmentation.calendar import business_day_of
from segmentation.clusters.recluster import recluster
from segmentation.config import Settings
from segmentation.errors import MissingInput


@pytest.fixture
def labelled(make_settings: Callable[..., Settings], small_shop, tmp_path: Path) -> tuple[Settings, object]:
    """RFM segments of the small shop's customers, 30 days before its last day."""
    from sqlalchemy import text

    settings = make_settings(timezone=small_shop.timezone)
    day = business_day_of(small_shop.now, small_shop.timezone) - timedelta(days=40)
    with small_shop.admin.connect() as connection:
        static = pd.read_sql(
            text(
                "select customer_id::text,"
                " extract(epoch from cast(:day as date) - max(ordered_at)) / 86400 as recency_days,"
                " count(*)::float as frequency_365d, sum(total_amount)::float as monetary_365d from shop.orders"
                " where ordered_at < :day group by 1"
            ),
            connection,
            params={"day": day},
        )
    static["recency_days"] = static["recency_days"].astype(float)
    lake = settings.lake
    table = pa.Table.from_pandas(static, preserve_index=False)
    lake.write_table(table, lake.path(catalog.FEATURES, day=day) / "bucket=00" / "static.parquet")
    content = {"model_version": "rfm", "reason": "too young", "cutoff": None, "heads": []}
    lake.write_json(content, lake.path(catalog.OUTLOOK, day=day) / "outlook.json")
    recluster(settings, day, None)
    return settings, day


def test_one_table_from_the_shop_itself(labelled: tuple, small_shop) -> None:
    settings, day = labelled
    table = score_future(settings, day, source_url=small_shop.url)
    assert table.columns.tolist() == list(COLUMNS)
    assert table["segmentation"].str.split().str[0].tolist() == ["rfm", "rfm_grid", "kmeans_rfm"]
    # tonight's segments are the grid here, so both rows agree
    assert table.iloc[0, 1:].tolist() == table.iloc[1, 1:].tolist()
    assert (table["churn_auc"] > 0.5).all()
    assert np.isfinite(table.iloc[:, 1:].to_numpy(dtype=float)).all()


def test_without_a_future_it_says_where_to_get_one(labelled: tuple) -> None:
    settings, day = labelled
    with pytest.raises(MissingInput, match="Give the URL of the shop"):
        score_future(settings, day)
    with pytest.raises(MissingInput, match="segmentation run --day"):
        score_future(settings, day - timedelta(days=1))
