"""Remove customers from every file of the lake, and keep what is recorded of the files true."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from segmentation.catalog import CHECKED, DAILY_TABLES, QUARANTINE, RAW, SNAPSHOT_TABLES
from segmentation.config import Settings
from segmentation.erasure.remove_from_warehouse import ERASED_WORD
from segmentation.erasure.requests import CUSTOMER_ID, load_requests
from segmentation.erasure.search import (
    ORDER_ID,
    bring_everything,
    is_word,
    orders_of,
    parquet_files,
    search_files,
    text_files,
    word_pattern,
)
from segmentation.extract.extract_day import write_daily_rows
from segmentation.features.months import forget_month, forget_replaced, keep_on, kept_as_checked, month_of
from segmentation.lake import Lake, content_hash, remove_left_behind, replacing
from segmentation.validate.check_rows import volume_of

#: The raw rows first: a checked file without bad rows is a copy of the raw one.
_FILE_SETS = (RAW, QUARANTINE, CHECKED)


def remove_from_lake(settings: Settings, warehouse: Any, request_ids: list[int]) -> int:
    """Rewrite every file of lake, Data Docs and reports that holds one of the customers.

    A raw file comes out byte for byte as an extraction that leaves the customer out would write it, and a checked one
    as a validation of that would: nothing is fetched or checked again for it. The lines of an order go before the
    order, which tells whose they are, so an interrupted call is gone on with by the next.

    Parameters
    ----------
    settings : Settings
        All settings.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    request_ids : list of int
        Requests that `begin_erasure` took up.

    Returns
    -------
    int
        Files that were rewritten.

    Raises
    ------
    LakeFull
        If the disk is full; every file is whole.
    """
    import duckdb

    requests = load_requests(settings, warehouse, request_ids)
    ids = [one for request in requests for one in request.customer_ids]
    lake = settings.lake
    bring_everything(settings)
    # what killed nights left: unfinished files, and versions of the spread history that nobody will read
    remove_left_behind(lake.root)
    lake.remove(lake.scratch)
    forget_replaced(lake)
    with duckdb.connect(config={"threads": settings.features.threads}) as connection:
        orders = orders_of(connection, parquet_files(lake.root), ids)
    changed = search_files(settings, ids, orders).changed
    for month in _with_shared_orders(lake, changed, ids, list(orders)):
        forget_month(lake, month)
        changed = {file: None for file in changed if month_of(lake, file) != month}
    # the rows that go from the checked files go from these months too
    kept = kept_as_checked(lake)
    tables = sorted((file for file in changed if file.suffix == ".parquet"), key=_order_of_removal)
    for file in tables:
        _rewrite(lake, file, ids, list(orders))
    words = [file for file in text_files(settings) if file in changed]
    for file in words:
        _remove_words(file, ids)
    days = [request.first_day for request in requests if request.first_day is not None]
    if days:
        _describe_again(lake, min(days))
    keep_on(lake, kept)
    return len(tables) + len(words)


def _order_of_removal(file: Path) -> tuple[bool, bool, int, str]:
    """Lines of orders first, the orders themselves last."""
    sets = [name for name in _FILE_SETS if name in file.parts]
    columns = pq.read_schema(file).names
    return (
        ORDER_ID in columns and CUSTOMER_ID in columns,
        CUSTOMER_ID in columns,
        _FILE_SETS.index(sets[0]) if sets else len(_FILE_SETS),
        str(file),
    )


def _with_shared_orders(
    lake: Lake, files: Iterable[Path], customer_ids: Sequence[str], order_ids: Sequence[str]
) -> set[str]:
    """Return the months of the spread history with an order that somebody else has as well, on another day.

    Its lines stay, but were spread with the customer: where they belong afterwards only spreading tells.
    """
    found: set[str] = set()
    theirs, alone = pa.array(customer_ids, pa.string()), pa.array(order_ids, pa.string())
    for file in files:
        if file.suffix == ".parquet" and (month := month_of(lake, file)):
            rows = pq.ParquetFile(file)
            if {ORDER_ID, CUSTOMER_ID} <= set(rows.schema_arrow.names):
                keys = rows.read([ORDER_ID, CUSTOMER_ID])
                of_them = keys.filter(pc.is_in(keys[CUSTOMER_ID], theirs))[ORDER_ID].drop_null()
                if pc.any(pc.invert(pc.is_in(of_them, alone))).as_py():
                    found.add(month)
    return found


def _rewrite(lake: Lake, file: Path, customer_ids: Sequence[str], order_ids: Sequence[str]) -> None:
    rows = pq.ParquetFile(file).read()
    column, keys = (CUSTOMER_ID, customer_ids) if CUSTOMER_ID in rows.column_names else (ORDER_ID, order_ids)
    of_them = pc.is_in(rows[column].cast(pa.string()), pa.array(keys, pa.string()))
    kept = rows.filter(pc.invert(of_them)).combine_chunks()
    file_set, table = file.relative_to(lake.root).parts[:2]
    if file_set == RAW and table in DAILY_TABLES:
        write_daily_rows(kept, file)
    elif file_set == QUARANTINE and not kept.num_rows:
        lake.remove(file.parent)
    elif file_set == CHECKED and _is_copy(lake, file, kept.num_rows):
        with replacing(file) as temporary:
            shutil.copyfile(lake.root / RAW / file.relative_to(lake.root / CHECKED), temporary)
    else:
        lake.write_table(kept, file)


def _is_copy(lake: Lake, checked: Path, rows: int) -> bool:
    """Tell whether a checked file holds all rows of its raw file, so that it is a copy of it."""
    raw = lake.root / RAW / checked.relative_to(lake.root / CHECKED)
    return raw.exists() and _rows(raw) == rows


def _remove_words(file: Path, customer_ids: Sequence[str]) -> None:
    text = file.read_text(encoding="utf-8")
    for one in filter(is_word, customer_ids):
        text = re.sub(word_pattern(one), ERASED_WORD, text)
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _describe_again(lake: Lake, first: date) -> None:
    """Bring the manifests of raw and checked days, from the first on that changed, in line with their files."""
    for day, raw in lake.day_manifests(RAW).items():
        if day >= first:
            _describe_day(lake, day, DAILY_TABLES, lake.day_manifest(RAW, day), raw, "files_hash", "raw_hash")
    for file in sorted((lake.root / RAW / "_runs").glob("????-??-??.json")):
        day = date.fromisoformat(file.stem)
        if day >= first:
            raw = json.loads(file.read_text())
            _describe_day(lake, day, SNAPSHOT_TABLES, file, raw, "snapshot_hash", "snapshot_hash")


def _describe_day(
    lake: Lake, day: date, names: Sequence[str], file: Path, raw: dict[str, Any], hash_name: str, checked_name: str
) -> None:
    tables = [name for name in names if name in raw.get("rows", raw.get("tables", ()))]
    files = [lake.rows_file(RAW, name, day) for name in tables]
    if not all(one.exists() for one in files):
        # an unfinished day: the next extraction fetches it whole
        return
    before, now = raw[hash_name], content_hash(*files)
    checked_file = lake.run_manifest(CHECKED, day) if names is SNAPSHOT_TABLES else lake.day_manifest(CHECKED, day)
    # the checked day first: interrupted between the two, it is recognised by either hash
    if checked_file.exists():
        checked = json.loads(checked_file.read_text())
        if checked[checked_name] in (before, now):
            lake.write_json(_checked_again(lake, day, checked, checked_name, now), checked_file)
    if "rows" in raw:
        raw = raw | {"rows": {name: _rows(one) for name, one in zip(tables, files, strict=True)}}
    lake.write_json(raw | {hash_name: now}, file)


def _checked_again(lake: Lake, day: date, checked: dict[str, Any], hash_name: str, raw_hash: str) -> dict[str, Any]:
    names = [name for name in (*DAILY_TABLES, *SNAPSHOT_TABLES) if name in checked["rows_in"]]
    raw_files = {name: lake.rows_file(RAW, name, day) for name in names}
    files = {name: lake.rows_file(CHECKED, name, day) for name in names}
    return checked | {
        hash_name: raw_hash,
        "rows_in": {name: _rows(file) for name, file in raw_files.items()},
        "rows_ok": {name: _rows(file) for name, file in files.items()},
        "quarantined": {
            # rows set aside so long ago that housekeeping has removed them stay counted as they were
            name: _reasons(lake.rows_file(QUARANTINE, name, day))
            or (checked["quarantined"].get(name, {}) if _rows(raw_files[name]) > _rows(files[name]) else {})
            for name in names
        },
        "volume": {name: volume_of(name, pq.ParquetFile(file).read()) for name, file in raw_files.items()},
        "hashes": {name: content_hash(file) for name, file in files.items()},
        "files_hash": content_hash(*files.values()),
    }


def _rows(file: Path) -> int:
    return int(pq.read_metadata(file).num_rows)


def _reasons(file: Path) -> dict[str, int]:
    if not file.exists():
        return {}
    reasons, counts = np.unique(pq.ParquetFile(file).read(["reason"])["reason"].to_pylist(), return_counts=True)
    return {str(reason): int(count) for reason, count in zip(reasons, counts, strict=True)}
