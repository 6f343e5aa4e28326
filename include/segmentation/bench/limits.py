"""What a step could take at best: the same work by the bare tool, without checks, days, versions or atomic files."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.bench.extract import copy_rows_out
from segmentation.calendar import day_interval
from segmentation.catalog import EVENTS, FEATURES, ORDERS, SEGMENTATIONS, WINDOWS
from segmentation.config import Settings
from segmentation.features.months import kept_months

_SQL = Path(__file__).parent
#: Customers, at most, whose padded batches are in memory.
_IN_MEMORY = 20_000


@dataclass(frozen=True)
class Limit:
    """A bare tool at work.

    Attributes
    ----------
    name
        What it did.
    rows
        Rows, as the step counts them.
    seconds
        Time it took.
    """

    name: str
    rows: int
    seconds: float


def copy_out(source_url: str, settings: Settings, first: date | None, last: date) -> Limit:
    """Fetch the days' rows by raw binary COPY, and keep nothing."""
    began = time.perf_counter()
    rows = copy_rows_out(source_url, settings, last, first)
    return Limit("raw binary COPY", rows, time.perf_counter() - began)


def aggregate(settings: Settings, day: date, rows: int) -> Limit:
    """Let DuckDB count, sum and list what the features step described, bucket by bucket, and write nothing.

    The rows are spread over the buckets already, and of the past only the training sample is looked at, as in the step.

    Parameters
    ----------
    settings : Settings
        Lake, timezone and ``features``.
    day : date
        Business day, whose features are there.
    rows : int
        Rows of the history.
    """
    import duckdb

    lake, told = settings.lake, settings.features
    described = json.loads((lake.path(FEATURES, day=day) / "features.json").read_text())
    shares = {day: 1.0} | {date.fromisoformat(each): described["training_share"] for each in described["cutoffs"]}
    months = kept_months(lake, day)
    began = time.perf_counter()
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": told.threads,
        "memory_limit": f"{told.memory_limit_gb}GB",
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=config) as duck:
        for bucket in range(described["buckets"]):
            files = {
                table: [file for month in months for file in month.files(table, bucket)] for table in (EVENTS, ORDERS)
            }
            if not all(files.values()):
                continue
            for as_of, share in shares.items():
                end = day_interval(as_of, settings.timezone).end
                moments = {f"since_{days}": end - timedelta(days=days) for days in (28, 91, 365)}
                duck.execute(_query("aggregate_alone"), {**files, "end": end, "share": share, **moments}).fetchall()
                asked = {"events": files[EVENTS], "end": end, "share": share, "length": told.sequence_length}
                duck.execute(_query("list_alone"), asked).fetchall()
    return Limit("DuckDB alone", rows, time.perf_counter() - began)


def embed_and_train(settings: Settings, day: date, version: str) -> tuple[Limit, Limit]:
    """Let Keras predict, and pass once over, windows whose padded batches are in memory already.

    Parameters
    ----------
    settings : Settings
        Lake, models and ``encoder``.
    day : date
        Business day, whose windows are there.
    version : str
        Its model.

    Returns
    -------
    tuple of Limit
        Of embedding and of training; rows are sequences.
    """
    from segmentation.encoder.registry import load_encoder
    from segmentation.encoder.runtime import start_tensorflow
    from segmentation.encoder.timelines import padded_lengths, readable_lengths
    from segmentation.encoder.train_encoder import PREDICTION_BATCH

    start_tensorflow(settings.encoder)
    encoder = load_encoder(settings.models, version)
    length, batch = settings.features.sequence_length, settings.encoder.batch_size
    folder = min(settings.lake.path(FEATURES, day=day).glob("bucket=*"))
    inputs = encoder.preparation.apply(encoder.preparation.read(folder), encoder.scale)
    lengths = readable_lengths(length)
    padded = [inputs.take(rows, lengths)[0] for rows in inputs.batches(PREDICTION_BATCH)]
    padded = padded[-_IN_MEMORY // PREDICTION_BATCH :]
    embedding = _predict(encoder.network, padded)

    window = min(settings.lake.path(WINDOWS, day=day).glob("cutoff=*/bucket=*"))
    windows = encoder.preparation.apply(encoder.preparation.read(window), encoder.scale)
    batches = [windows.take(rows, padded_lengths(length)) for rows in windows.batches(batch)][: _IN_MEMORY // batch]
    return embedding, _train(encoder, batches)


def _predict(network: Any, padded: Sequence[tuple[Any, ...]]) -> Limit:
    import tensorflow as tf

    forward = tf.function(lambda *inputs: network(list(inputs), training=False), reduce_retracing=True)
    tensors = [tuple(tf.constant(part) for part in batch) for batch in padded]
    for batch in tensors:
        forward(*batch)  # builds the graph of every shape
    began = time.perf_counter()
    for batch in tensors:
        forward(*batch).numpy()
    return Limit("Keras in memory", sum(len(batch[0]) for batch in padded), time.perf_counter() - began)


def _train(encoder: Any, batches: Sequence[tuple[Any, Any]]) -> Limit:
    import keras

    from segmentation.encoder.network import outlook_loss

    chances = np.array([head.kind == "chance" for head in encoder.scale.heads])
    encoder.network.compile(
        optimizer=keras.optimizers.Adam(1e-4, global_clipnorm=1.0),
        loss=outlook_loss(chances, encoder.scale.loss_weights()),
        jit_compile=False,
    )
    for batch in {each[0][0].shape[1]: each for each in batches}.values():
        encoder.network.train_on_batch(*batch)
    began = time.perf_counter()
    for batch in batches:
        encoder.network.train_on_batch(*batch)
    return Limit("Keras in memory", sum(len(batch[1]) for batch in batches), time.perf_counter() - began)


def upsert(settings: Settings, day: date, version: str, database_url: str) -> Limit:
    """Copy a night's labels into a table and upsert them into another that holds them already.

    Parameters
    ----------
    settings : Settings
        Lake.
    day, version : date and str
        Which segmentation.
    database_url : str
        Where temporary tables are made.
    """
    import psycopg2
    import pyarrow.csv
    import pyarrow.parquet as pq

    file = settings.lake.path(SEGMENTATIONS, day=day, version=version) / "labels.parquet"
    labels = pq.read_table(file, columns=["customer_id", "segment_id", "confidence"], partitioning=None)
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(labels, buffer, pyarrow.csv.WriteOptions(include_header=False))
    columns = "(customer_id text primary key, segment_id int, confidence float, as_of date default current_date)"
    connection = psycopg2.connect(database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"create temp table labels {columns}")
            cursor.execute("create temp table arrived (like labels including defaults)")
            _copy_in(cursor, "labels", buffer)
            began = time.perf_counter()
            _copy_in(cursor, "arrived", buffer)
            cursor.execute(_query("upsert_alone"))
            seconds = time.perf_counter() - began
        connection.rollback()
    finally:
        connection.close()
    return Limit("COPY and one upsert", labels.num_rows, seconds)


def _copy_in(cursor: Any, table: str, buffer: io.BytesIO) -> None:
    buffer.seek(0)
    cursor.copy_expert(f"copy {table} (customer_id, segment_id, confidence) from stdin (format csv)", buffer)


def _query(name: str) -> str:
    lines = (_SQL / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))
