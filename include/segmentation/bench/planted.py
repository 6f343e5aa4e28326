"""`segmentation bench planted`: are the types that a simulated shop hides found, and none where none are hidden."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import adjusted_rand_score

from segmentation.bench.replay import STATIC_ONLY, run_again, segments_of, with_encoder
from segmentation.calendar import days_between
from segmentation.catalog import CHECKED, EVENTS, FEATURES, ORDER_ITEMS, ORDERS, RFM, WINDOWS
from segmentation.clusters.inputs import read_static
from segmentation.config import Settings
from segmentation.demo.simulator import DEMO_DAYS, FIRST_DAY, TIMEZONE, Shop, simulate
from segmentation.evaluate.baselines import KMEANS_RFM, baseline_labels
from segmentation.extract.contract import TIME_COLUMNS
from segmentation.features import definitions
from segmentation.features.build_features import build_features
from segmentation.lake import Lake

log = logging.getLogger(__name__)

_SHOP, _FOUND = ("customers", "types", "seed", "history_days"), ("segments", "algorithm", "reason")
COLUMNS = (*_SHOP, "adjusted_rand_index", "static_features_only", KMEANS_RFM, *_FOUND)


def find_planted(
    settings: Settings,
    customers: int,
    types: int,
    seeds: Sequence[int],
    history_days: int | None = None,
    paths: bool = True,
) -> pd.DataFrame:
    """Simulate shops, run one first night of each, and compare the segments with the planted types.

    The rows are laid into the lake as the validate step leaves them, so this needs no database.

    Parameters
    ----------
    settings : Settings
        All but home and timezone are used.
    customers, types
        As for `simulate`.
    seeds : sequence of int
        One shop each.
    history_days : int, optional
        Days up to the night; by default from the first simulated day on.
    paths : bool
        False: the features made for the order of events are hidden, as if nobody had thought of them; then only the
        sequence encoder can tell what differs in order alone.

    Returns
    -------
    DataFrame
        One row per shop, `COLUMNS`. Adjusted Rand indices to the types over the customers who have ordered, 1 = the
        types: of the segments, of segments by a model without a sequence encoder, and of as many K-means segments on
        log-RFM as there are types.
    """
    day = DEMO_DAYS[-1]
    first = FIRST_DAY if history_days is None else day - timedelta(days=history_days - 1)
    rows = []
    for seed in seeds:
        with TemporaryDirectory(prefix="segmentation-bench-") as folder:
            told = settings.apart(Path(folder), timezone=TIMEZONE)
            shop = simulate(customers, seed, types, first_day=first, last_day=day)
            lay(told.lake, shop, day)
            build_features(told, day, warm=False)
            if not paths:
                hide_paths(told.lake, day)
            night = run_again(told, day, None, features=False)
            found = segments_of(told, night.night)
            plain = with_encoder(told, STATIC_ONLY, told.encoder.seed)
            labels = [
                found,
                segments_of(plain, run_again(plain, day, None, features=False).night),
                baseline_labels(read_static(told.lake, day), types, seed)[KMEANS_RFM],
            ]
        clustered = night.clustered
        truth = shop.truth.astype(str).set_index("customer_id")["type"]
        indices = [adjusted_rand_score(truth.loc[labelled.index], labelled) for labelled in labels]
        length = (day - first).days + 1
        rows.append((customers, types, seed, length, *indices, clustered.k, clustered.algorithm, clustered.reason))
        log.info("%s customers, %s types, seed %s: %s", customers, types, seed, rows[-1][3:])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def hide_paths(lake: Lake, day: date) -> None:
    """Make every feature from the order of events unknown, in the features and windows of a day."""
    hidden = [feature.name for feature in definitions.FEATURES if feature.source == "paths"]
    for file_set in (FEATURES, WINDOWS):
        for file in lake.path(file_set, day=day).rglob("static.parquet"):
            table = pq.read_table(file, partitioning=None)
            for name in set(hidden) & set(table.column_names):
                place = table.schema.get_field_index(name)
                table = table.set_column(place, name, pa.nulls(len(table), table.schema.field(name).type))
            lake.write_table(table, file)


def lay(lake: Lake, shop: Shop, day: date) -> None:
    """Write a simulated shop's rows up to ``day`` into the lake, as the validate step leaves them."""
    frames = dict(shop.tables)
    placed = frames[ORDERS][["order_id", "ordered_at"]]
    frames[ORDER_ITEMS] = frames[ORDER_ITEMS].merge(placed, on="order_id")
    events = frames[EVENTS]
    campaign = events["properties"].astype("string").str.extract(r'"campaign_id": ?"?([^",}]+)')[0]
    frames[EVENTS] = events.drop(columns="properties").assign(campaign_id=campaign)
    for table, frame in frames.items():
        texts = {name: "string" for name, kind in frame.dtypes.items() if isinstance(kind, pd.CategoricalDtype)}
        rows = frame.drop(columns=["email", "birth_year"], errors="ignore").astype(texts)
        time = TIME_COLUMNS.get(table)
        if time is None:
            _write(lake, table, day, rows)
            continue
        of_day = rows[time].dt.tz_convert(TIMEZONE).dt.date
        by_day = dict(tuple(rows.groupby(of_day)))
        for each in days_between(min(by_day, default=day), day):
            _write(lake, table, each, by_day.get(each, rows.iloc[:0]))


def _write(lake: Lake, table: str, day: date, rows: pd.DataFrame) -> None:
    lake.write_table(pa.Table.from_pandas(rows, preserve_index=False), lake.rows_file(CHECKED, table, day))


def summarise_planted(found: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds; ``no_structure`` counts the shops that were answered with RFM segments."""
    groups = found.groupby(["customers", "types", "history_days"], sort=False)
    return groups.agg(
        shops=("seed", "count"),
        adjusted_rand_index=("adjusted_rand_index", "mean"),
        least=("adjusted_rand_index", "min"),
        static_features_only=("static_features_only", "mean"),
        kmeans_rfm=(KMEANS_RFM, "mean"),
        fewest=("segments", "min"),
        most=("segments", "max"),
        no_structure=("algorithm", lambda names: int((names == RFM).sum())),
    ).reset_index()
