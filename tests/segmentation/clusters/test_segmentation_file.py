"""A segmentation is named by its content; a published one that is gone is an error that says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from segmentation.clusters import segmentation_file
from segmentation.clusters.segmentation_file import ACTIVE, Segment, Segmentation
from segmentation.config import Settings
from segmentation.errors import LedgerBehind, MissingInput

DAY = date(2026, 5, 1)
NIGHT = Segmentation(
    business_day="2026-05-01", base_day=None, base_version=None, model_version="m", algorithm="kmeans", k=1,
    reason="", searched=True, searched_on="2026-05-01", outlook_columns=["q_spend"], outlook_weights=[1.0],
    habit_weight=1.0, next_segment_id=2,
    segments=[Segment(1, "All", "Everybody.", ACTIVE, "2026-05-01", centroid=[0.5])],
    lifecycle=[{"kind": "born", "segment_id": 1, "others": []}],
)  # fmt: skip
LABELS = pd.DataFrame(
    {
        "customer_id": ["b", "a"], "segment_id": [1, 1], "confidence": [1.0, 0.5], "reasons": [["x"], []],
        "rfm_segment": ["Champions", "Champions"], "previous_segment_id": pd.array([None, 1], dtype="Int32"),
        "moved": ["new", ""],
    }
)  # fmt: skip


def test_same_content_same_version_and_bytes_whatever_the_order(make_settings: Callable[..., Settings]) -> None:
    lake = make_settings().lake
    version = segmentation_file.write(lake, DAY, NIGHT, LABELS)
    file = segmentation_file.version_folder(lake, DAY, version) / "labels.parquet"
    first = file.read_bytes()
    assert segmentation_file.write(lake, DAY, NIGHT, LABELS.iloc[::-1]) == version
    assert file.read_bytes() == first
    assert segmentation_file.write(lake, DAY, replace(NIGHT, reason="other"), LABELS) != version
    assert segmentation_file.write(lake, DAY, NIGHT, LABELS.assign(segment_id=[1, 0])) != version


def test_reads_back_what_was_written(make_settings: Callable[..., Settings]) -> None:
    lake = make_settings().lake
    found, labels = segmentation_file.read(lake, DAY, segmentation_file.write(lake, DAY, NIGHT, LABELS))
    assert found == NIGHT
    assert labels["customer_id"].tolist() == ["a", "b"]
    assert labels["previous_segment_id"].isna().tolist() == [False, True]
    assert found.centroids.tolist() == [[0.5]]


def test_a_night_from_before_there_were_rules_is_read(make_settings: Callable[..., Settings]) -> None:
    lake = make_settings().lake
    version = segmentation_file.write(lake, DAY, NIGHT, LABELS)
    file = segmentation_file.version_folder(lake, DAY, version) / "segmentation.json"
    content = json.loads(file.read_text())
    for segment in content["segments"]:
        for name in ("rules", "rule_fidelity", "rule_precision", "rule_recall"):
            del segment[name]
    lake.write_json(content, file)
    (segment,) = segmentation_file.read(lake, DAY, version)[0].segments
    assert (segment.rules, segment.rule_fidelity) == ([], None)


def test_missing_segmentations_are_named(make_settings: Callable[..., Settings]) -> None:
    lake = make_settings().lake
    with pytest.raises(MissingInput, match="segmentation abc for business day 2026-05-01"):
        segmentation_file.read(lake, DAY, "abc")
    with pytest.raises(LedgerBehind, match="could not keep their identity"):
        segmentation_file.read_base(lake, DAY, "abc")
