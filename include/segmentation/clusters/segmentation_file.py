"""The lake's record of one night's segments: labels.parquet and segmentation.json, named by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from segmentation import catalog
from segmentation.errors import LedgerBehind, MissingInput
from segmentation.lake import Lake

ACTIVE = "active"
RETIRED = "retired"

LABELS_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("segment_id", pa.int32()),
        ("confidence", pa.float64()),
        ("reasons", pa.list_(pa.string())),
        ("rfm_segment", pa.string()),
        ("previous_segment_id", pa.int32()),
        ("moved", pa.string()),
        ("taste_id", pa.int32()),
        # where the customer was put tonight, in `outlook_columns` before weights; what the next night moves on from
        ("position", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class Segment:
    """One segment, as `marts.segments` will show it.

    Attributes
    ----------
    lineage : for each segment it came from, the share of its customers at birth
    centroid : (Q,) in the weighted outlook; empty without a model, and for retired segments
    distinctive : what differs most from the shop, in words, strongest first
    rules : at most three conditions that tell who is in it, in words, all of which hold; see `rules`
    rule_fidelity : balanced accuracy of the rule on customers that it was not fitted on (0 to 1); None = no rule
    rule_precision, rule_recall : on the same customers
    """

    segment_id: int
    name: str
    description: str
    status: str
    born_on: str
    retired_on: str | None = None
    lineage: dict[str, float] = field(default_factory=dict)
    centroid: list[float] = field(default_factory=list)
    distinctive: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    rule_fidelity: float | None = None
    rule_precision: float | None = None
    rule_recall: float | None = None


@dataclass(frozen=True)
class Segmentation:
    """Everything about one night's segments except who is in them.

    Attributes
    ----------
    algorithm : 'kmeans', 'gmm' (Gaussian mixture), 'dbscan', 'hdbscan' or 'rfm'
    k : number of active segments, the one of customers without an order left out
    searched : whether the segments were searched this night
    searched_on : day of the newest search (ISO); None = never, for want of a model or of customers
    outlook_columns, outlook_weights : the Q columns that distances are taken in, and their weights
    manners, habit_weight : the `View` that made the weights, chosen by the search
    next_segment_id : first number never used
    lifecycle : rows of kind (born, retired, split, merged), segment_id, others
    candidates : the table that the newest search chose from, empty on other nights
    parameters : of the algorithm; with the labels, all that the next night needs to find the segments again
    tastes : the second segmentation, by what customers buy and look at; their ids are numbers of their own, their
        centroids lie in the space of `taste_categories`
    next_taste_id : first number never used for a taste
    taste_reason : why there are so many tastes, or none, in words
    taste_searched_on : day of the newest search of the tastes (ISO); None = never
    taste_categories : the categories that tastes are told apart by
    taste_lifecycle, taste_candidates : as `lifecycle` and `candidates`
    """

    business_day: str
    base_day: str | None
    base_version: str | None
    model_version: str
    algorithm: str
    k: int
    reason: str
    searched: bool
    searched_on: str | None
    outlook_columns: list[str]
    outlook_weights: list[float]
    habit_weight: float
    next_segment_id: int
    segments: list[Segment]
    lifecycle: list[dict[str, Any]]
    candidates: list[dict[str, Any]] = field(default_factory=list)
    # nights from before these were known have none of them
    parameters: dict[str, Any] = field(default_factory=dict)
    manners: bool = False
    tastes: list[Segment] = field(default_factory=list)
    next_taste_id: int = 1
    taste_reason: str = ""
    taste_searched_on: str | None = None
    taste_categories: list[str] = field(default_factory=list)
    taste_lifecycle: list[dict[str, Any]] = field(default_factory=list)
    taste_candidates: list[dict[str, Any]] = field(default_factory=list)

    @property
    def active(self) -> list[Segment]:
        """Tonight's segments by id, without the one of customers who have not ordered."""
        return [s for s in self.segments if s.status == ACTIVE and s.segment_id != catalog.NO_ORDER_SEGMENT]

    @property
    def active_tastes(self) -> list[Segment]:
        """Tonight's tastes by id."""
        return [taste for taste in self.tastes if taste.status == ACTIVE]

    @property
    def centroids(self) -> np.ndarray:
        """Centroids of the active segments in the order of `active`, (K, Q)."""
        return np.array([segment.centroid for segment in self.active], dtype=float).reshape(len(self.active), -1)


def write(lake: Lake, day: date, segmentation: Segmentation, labels: pd.DataFrame) -> str:
    """Write one night's segments and return their version.

    Parameters
    ----------
    lake : Lake
    day : business day
    segmentation : all but the labels
    labels : columns of `LABELS_SCHEMA`, one row per customer; without ``taste_id`` nobody has a taste, without
        ``position`` nobody has a place to move on from

    Returns
    -------
    str
        16 hex digits of a SHA-256 over both; the same content has the same version and the same bytes.
    """
    table = pa.Table.from_pandas(
        _with_all_columns(labels).sort_values("customer_id", kind="stable"), schema=LABELS_SCHEMA, preserve_index=False
    ).replace_schema_metadata(None)
    content = asdict(segmentation)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    digest.update(sink.getvalue())
    version = digest.hexdigest()[:16]
    folder = version_folder(lake, day, version)
    lake.write_table(table, folder / "labels.parquet")
    lake.write_json({"version": version, **content}, folder / "segmentation.json")
    return version


def read(
    lake: Lake, day: date, version: str, columns: Sequence[str] | None = None
) -> tuple[Segmentation, pd.DataFrame]:
    """Read one night's segments.

    Parameters
    ----------
    lake : Lake
    day : business day
    version : which of the day's
    columns : columns of the labels to read; None = all. Nights from before a column was kept lack it.

    Raises
    ------
    MissingInput
        If they are not in the lake.
    """
    folder = version_folder(lake, day, version)
    description, labels = folder / "segmentation.json", folder / "labels.parquet"
    if not (description.exists() and labels.exists()):
        raise MissingInput(f"segmentation {version}", day, "Clear the task `cluster` of this run first.")
    content = json.loads(description.read_text())
    content.pop("version")
    content["segments"] = [Segment(**segment) for segment in content["segments"]]
    content["tastes"] = [Segment(**taste) for taste in content.get("tastes", [])]
    there = None if columns is None else [name for name in pq.read_schema(labels).names if name in columns]
    return Segmentation(**content), _with_all_columns(pd.read_parquet(labels, partitioning=None, columns=there))


def _with_all_columns(labels: pd.DataFrame) -> pd.DataFrame:
    """Return labels with a nullable ``taste_id`` and ``position``, which older nights in the lake do not have."""
    taste = labels["taste_id"] if "taste_id" in labels else pd.Series(pd.NA, labels.index)
    position = labels["position"] if "position" in labels else pd.Series(None, labels.index, dtype=object)
    return labels.assign(taste_id=taste.astype("Int32"), position=position)


def with_no_order(ordered: pd.DataFrame, waiting: Sequence[str]) -> pd.DataFrame:
    """Add the labels of customers who have not ordered yet, behind those who have.

    Parameters
    ----------
    ordered : ``customer_id``, ``segment_id``, ``confidence``, ``reasons`` and ``rfm_segment`` of those who have
    waiting : those who have not
    """
    if not waiting:
        return ordered
    nobody = pd.DataFrame(
        {
            "customer_id": waiting,
            "segment_id": catalog.NO_ORDER_SEGMENT,
            "confidence": 1.0,
            "reasons": [["has not ordered yet"]] * len(waiting),
            "rfm_segment": catalog.NO_ORDER_NAME,
        }
    )
    return nobody if ordered.empty else pd.concat([ordered, nobody], ignore_index=True)


def positions(segmentation: Segmentation, labels: pd.DataFrame) -> pd.DataFrame:
    """Return where a night put its customers, by ``customer_id``, in its `outlook_columns`, (customers, Q).

    No rows for a night without a model, or from before positions were kept.
    """
    placed = labels.set_index("customer_id")["position"].dropna()
    columns = segmentation.outlook_columns
    values = np.stack(placed.tolist()) if len(placed) else np.empty((0, len(columns)))
    return pd.DataFrame(values, index=placed.index, columns=columns)


def read_base(
    lake: Lake, day: date, version: str, columns: Sequence[str] | None = None
) -> tuple[Segmentation, pd.DataFrame]:
    """Read a published night's segments; parameters as of `read`.

    Raises
    ------
    LedgerBehind
        If the lake has lost them.
    """
    try:
        return read(lake, day, version, columns)
    except MissingInput as error:
        raise LedgerBehind(f"segmentation {version}", day) from error


def version_folder(lake: Lake, day: date, version: str) -> Path:
    """Return the folder of one version."""
    return lake.path(catalog.SEGMENTATIONS, day=day, version=version)


def no_order_segment(day: date, carried: Sequence[Segment]) -> Segment:
    """Return the reserved segment, kept from the base or born on ``day``."""
    for segment in carried:
        if segment.segment_id == catalog.NO_ORDER_SEGMENT:
            return segment
    return Segment(
        segment_id=catalog.NO_ORDER_SEGMENT,
        name=catalog.NO_ORDER_NAME,
        description="Known to the shop, but without an order so far.",
        status=ACTIVE,
        born_on=day.isoformat(),
        distinctive=["no order yet"],
    )
