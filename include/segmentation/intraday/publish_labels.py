"""Put labels within the day into the warehouse: all of them in one transaction, or none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.dialects.postgresql import insert

from segmentation import runs
from segmentation.config import Settings
from segmentation.erasure.requests import erased_customers
from segmentation.intraday.bring_forward import BroughtForward
from segmentation.publish.consent import read_consent
from segmentation.publish.copy_rows import copy_rows
from segmentation.publish.publish_night import begin_publication, copy_labels, run_file
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import intraday
from segmentation.warehouse import runs as runs_table

if TYPE_CHECKING:
    from segmentation.runs import PublishedNight

_SQL = Path(__file__).parent
_SEEN = "create temporary table seen (customer_id text primary key, as_of_time timestamptz not null) on commit drop"
_MOVED = """
select count(*)
from wanted
join marts.customer_segment_history as stay on stay.customer_id = wanted.customer_id and stay.valid_to is null
where stay.segment_id <> wanted.segment_id
"""


@dataclass(frozen=True)
class Published:
    """How many customers got a label, and how many of them are in another segment than at night."""

    labelled: int
    moved: int


def publish_labels(
    settings: Settings,
    forward: BroughtForward,
    labels: pd.DataFrame,
    touched: pa.Table,
    base: PublishedNight,
    warehouse: Engine,
    run_id: str,
    now: datetime,
) -> Published | None:
    """Publish labels within the day, and note up to which instant the shop's rows are taken in.

    Parameters
    ----------
    settings : Settings
        All settings.
    forward : BroughtForward
        The customers; their consent is read.
    labels : DataFrame
        From `place_customers`; of customers who are not in ``touched`` nothing is published.
    touched : pyarrow.Table
        ``customer_id`` and ``at``, the instant of the newest row that the label takes in.
    base : PublishedNight
        Night whose segments these are.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    run_id : str
        Kept in `ops.intraday`.
    now : datetime
        When the rows were read.

    Returns
    -------
    Published or None
        None if a night was published since the labels were made; nothing was written then.

    Raises
    ------
    DatabaseUnreachable, LoginRefused, PermissionMissing, WarehouseNotReady, WarehouseBusy, WarehouseFull
        If the warehouse refuses.
    """
    import duckdb

    at = pd.Series(touched["at"].to_pandas().to_numpy(), [str(one) for one in touched["customer_id"].to_pylist()])
    labels = labels[labels["customer_id"].isin(at.index)]
    with (
        duckdb.connect() as duck,
        named_warehouse_errors(warehouse),
        warehouse.begin() as connection,
    ):
        begin_publication(connection, settings)
        # now that nobody else can publish
        if not _is_newest(connection, base):
            return None
        # whose erasure was asked for since the rows were read
        ids = pa.chunked_array([pa.array(labels["customer_id"], pa.string())])
        labels = labels[~erased_customers(settings, warehouse).among(ids)].assign(taste_id=None)
        duck.from_df(labels.astype({"taste_id": "Int32"})).create_view("labels")
        read_consent(duck, forward.settings, forward.day)
        copy_labels(connection, duck)
        connection.exec_driver_sql(_SEEN)
        times = pa.table(
            {"customer_id": pa.array(labels["customer_id"], pa.string()), "as_of_time": at.loc[labels["customer_id"]]}
        )
        copy_rows(connection, duck.from_arrow(times), "seen")
        told = {"today": forward.day, "as_of": base.business_day, "model_version": base.model_version}
        connection.exec_driver_sql((_SQL / "create_wanted.sql").read_text(), told)
        run_file(connection, "put_current.sql")
        moved = int(connection.scalar(text(_MOVED)) or 0)
        _note(connection, base, run_id, now, len(labels), moved)
    return Published(len(labels), moved)


def _is_newest(connection: Connection, base: PublishedNight) -> bool:
    """Tell whether a night is the newest published one, and still with the same labels."""
    version = connection.scalar(
        select(runs_table.c.segmentation_version).where(
            runs_table.c.business_day == base.business_day, runs_table.c.status == runs.PUBLISHED
        )
    )
    return runs.newest_published(connection) == base.business_day and version == base.segmentation_version


def _note(connection: Connection, base: PublishedNight, run_id: str, now: datetime, labelled: int, moved: int) -> None:
    values = {
        "segmentation_version": base.segmentation_version,
        "through": now,
        "run_id": run_id,
        "labelled": labelled,
        "moved": moved,
    }
    statement = insert(intraday).values(base_day=base.business_day, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[intraday.c.base_day], set_=values))
