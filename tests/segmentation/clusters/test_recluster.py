"""One night's clustering as marketing sees it: stable ids, still customers, reasons, and honest fallbacks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segmentation.clusters import segmentation_file
from segmentation.clusters.recluster import ReclusterResult, recluster
from segmentation.clusters.segmentation_file import Segmentation
from segmentation.config import ClusterSettings, Settings
from segmentation.errors import LedgerBehind, MissingInput, TooLittleHistory
from segmentation.runs import PublishedNight

FIRST = date(2026, 5, 1)
SECOND = FIRST + timedelta(days=1)
FOUR = ["regulars", "feasters", "samplers", "gone"] * 60
#: How still a shop that sets nothing is held; the other tests look at one night without it.
SHIPPED = ClusterSettings()

WriteNight = Callable[..., list[str]]


def _published(day: date, result: ReclusterResult) -> PublishedNight:
    return PublishedNight(day, f"run {day}", "2026-01-01-abc", result.segmentation_version)


def _read(settings: Settings, day: date, result: ReclusterResult) -> tuple[Segmentation, pd.DataFrame]:
    found, labels = segmentation_file.read(settings.lake, day, result.segmentation_version)
    return found, labels.set_index("customer_id")


def _names(segmentation: Segmentation) -> dict[int, str]:
    return {segment.segment_id: segment.name for segment in segmentation.active}


def test_first_night_finds_the_four_kinds(cluster_settings: Settings, write_night: WriteNight) -> None:
    customers = write_night(cluster_settings, FIRST, FOUR, no_order=("x1", "x2"))
    result = recluster(cluster_settings, FIRST, None)
    found, labels = _read(cluster_settings, FIRST, result)
    assert (result.algorithm, result.k, result.searched, result.customers) == ("kmeans", 4, True, 242)
    kinds = pd.Series(FOUR, customers)
    assert pd.crosstab(kinds, labels.loc[customers, "segment_id"]).gt(0).sum(axis=1).eq(1).all()
    assert sorted(labels["segment_id"].unique()) == [0, 1, 2, 3, 4]
    # the most valuable kind has the first number
    assert set(labels.loc[kinds.index[kinds.isin(("regulars", "feasters"))], "segment_id"]) == {1, 2}
    assert labels.loc["x1", "segment_id"] == 0
    assert (labels["moved"] == "new").all()
    assert labels["confidence"].between(0, 1).all()
    assert all(len(reasons) for reasons in labels["reasons"])
    assert len(set(_names(found).values())) == 4
    assert found.next_segment_id == 5
    assert {change["kind"] for change in found.lifecycle} == {"born"}
    assert [c["k"] for c in found.candidates if c["name"].startswith("kmeans")] == [3, 4, 5, 6, 7]
    assert [c["name"] for c in found.candidates if c["chosen"]] == ["kmeans_k=4"]
    assert all(c["refused"] or c["allowed"] for c in found.candidates)


def test_segments_have_rules_that_tell_who_is_in_them(cluster_settings: Settings, write_night: WriteNight) -> None:
    write_night(cluster_settings, FIRST, FOUR, no_order=("x1", "x2"))
    found, labels = _read(cluster_settings, FIRST, recluster(cluster_settings, FIRST, None))
    for segment in found.active:
        assert 1 <= len(segment.rules) <= 3
        assert segment.rule_fidelity is not None
        assert segment.rule_fidelity >= 0.95
    nobody = found.segments[0]
    assert (nobody.segment_id, nobody.rules, nobody.rule_fidelity) == (0, [], None)
    ordered = labels[labels["segment_id"] != 0]
    assert ordered["reasons"].map(len).mean() > 2.5


def test_the_next_night_keeps_ids_names_and_customers(cluster_settings: Settings, write_night: WriteNight) -> None:
    write_night(cluster_settings, FIRST, FOUR, seed=1)
    one = recluster(cluster_settings, FIRST, None)
    write_night(cluster_settings, SECOND, FOUR, seed=2)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one))
    before, _ = _read(cluster_settings, FIRST, one)
    after, labels = _read(cluster_settings, SECOND, two)
    assert not two.searched
    assert _names(after) == _names(before)
    assert two.moved_share == 0.0
    assert after.lifecycle == []
    assert (labels["previous_segment_id"] == labels["segment_id"]).all()


@pytest.mark.parametrize("search", [False, True], ids=["refit", "search"])
def test_whoever_behaves_differently_moves_and_nobody_else(
    cluster_settings: Settings, write_night: WriteNight, search: bool
) -> None:
    customers = write_night(cluster_settings, FIRST, FOUR, seed=1)
    one = recluster(cluster_settings, FIRST, None)
    changed = ["gone" if i < 40 and kind == "regulars" else kind for i, kind in enumerate(FOUR)]
    write_night(cluster_settings, SECOND, changed, seed=2)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one), search=search)
    _, before = _read(cluster_settings, FIRST, one)
    after, labels = _read(cluster_settings, SECOND, two)
    moved = [c for c, old, new in zip(customers, FOUR, changed, strict=True) if old != new]
    assert labels.index[labels["moved"] != ""].tolist() == moved
    assert set(labels.loc[moved, "moved"]) == {"behaviour"}
    gone = before.loc[customers[FOUR.index("gone")], "segment_id"]
    assert (labels.loc[moved, "segment_id"] == gone).all()
    assert after.searched is search
    assert after.lifecycle == []


def _without(kinds: list[str], changed: int) -> list[str]:
    return ["gone" if i < changed and kind == "regulars" else kind for i, kind in enumerate(kinds)]


def _week(settings: Settings, write_night: WriteNight, nights: list[list[str]]) -> list[pd.DataFrame]:
    """Run a first night of `FOUR` and the nights after it; return the labels of these."""
    write_night(settings, FIRST, FOUR, seed=1)
    day, result, labels = FIRST, recluster(settings, FIRST, None), []
    for number, kinds in enumerate(nights):
        base, day = _published(day, result), day + timedelta(days=1)
        write_night(settings, day, kinds, seed=2 + number)
        # the weekly search is left out: what moves here moves by behaviour alone
        result = recluster(settings, day, base)
        labels.append(_read(settings, day, result)[1])
    return labels


def test_a_lasting_change_arrives_within_a_week(cluster_settings: Settings, write_night: WriteNight) -> None:
    slow = cluster_settings.clusters.model_copy(
        update={"half_life_days": SHIPPED.half_life_days, "search_every_days": 30}
    )
    settings = cluster_settings.model_copy(update={"clusters": slow})
    changed = _without(FOUR, 40)
    nights = _week(settings, write_night, [changed] * 7)
    switched = [i for i, (old, new) in enumerate(zip(FOUR, changed, strict=True)) if old != new]
    gone = nights[-1]["segment_id"].iloc[FOUR.index("gone")]
    assert (nights[-1]["segment_id"].iloc[switched] == gone).mean() >= 0.8
    others = [labels["moved"].drop(labels.index[switched]).ne("").sum() for labels in nights]
    assert sum(others) == 0


def test_a_passing_change_moves_hardly_anybody(cluster_settings: Settings, write_night: WriteNight) -> None:
    slow = cluster_settings.clusters.model_copy(update={"half_life_days": SHIPPED.half_life_days})
    settings = cluster_settings.model_copy(update={"clusters": slow})
    nights = _week(settings, write_night, [_without(FOUR, 40), FOUR, FOUR])
    assert all(labels["moved"].ne("").sum() <= 0.05 * 40 for labels in nights)


def test_a_new_kind_is_born_with_a_number_never_used(cluster_settings: Settings, write_night: WriteNight) -> None:
    three = ["regulars", "feasters", "gone"] * 80
    customers = write_night(cluster_settings, FIRST, three, seed=1)
    one = recluster(cluster_settings, FIRST, None)
    changed = ["samplers" if kind == "feasters" and i % 2 else kind for i, kind in enumerate(three)]
    write_night(cluster_settings, SECOND, changed, seed=2)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one), search=True)
    after, labels = _read(cluster_settings, SECOND, two)
    samplers = [c for c, kind in zip(customers, changed, strict=True) if kind == "samplers"]
    assert two.born == 1
    assert set(labels.loc[samplers, "segment_id"]) == {4}
    assert set(labels.loc[samplers, "moved"]) == {"relabelling"}
    (born,) = [segment for segment in after.active if segment.segment_id == 4]
    assert born.born_on == SECOND.isoformat()
    assert list(born.lineage.values()) == [1.0]
    assert "born" in [change["kind"] for change in after.lifecycle]


def test_a_kind_that_disappears_is_retired_and_its_number_stays_taken(
    cluster_settings: Settings, write_night: WriteNight
) -> None:
    write_night(cluster_settings, FIRST, FOUR, seed=1)
    one = recluster(cluster_settings, FIRST, None)
    three = ["regulars" if kind == "feasters" else kind for kind in FOUR]
    write_night(cluster_settings, SECOND, three, seed=2)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one), search=True)
    after, labels = _read(cluster_settings, SECOND, two)
    (ended,) = [segment for segment in after.segments if segment.status == "retired"]
    assert (after.k, two.retired, ended.retired_on) == (3, 1, SECOND.isoformat())
    assert after.next_segment_id == 5
    assert set(labels.loc[labels["moved"] != "", "moved"]) == {"relabelling"}
    third = SECOND + timedelta(days=1)
    write_night(cluster_settings, third, FOUR, seed=3)
    three_result = recluster(cluster_settings, third, _published(SECOND, two), search=True)
    again, _ = _read(cluster_settings, third, three_result)
    assert 5 in _names(again)
    assert ended.segment_id not in _names(again)
    assert len({segment.name for segment in again.segments}) == len(again.segments)


def test_search_is_due_after_a_week(cluster_settings: Settings, write_night: WriteNight) -> None:
    write_night(cluster_settings, FIRST, FOUR, seed=1)
    one = recluster(cluster_settings, FIRST, None)
    for days, due in ((6, False), (7, True)):
        day = FIRST + timedelta(days=days)
        write_night(cluster_settings, day, FOUR, seed=days)
        result = recluster(cluster_settings, day, _published(FIRST, one))
        assert result.searched is due
        assert result.moved_share == 0.0


def test_without_a_model_rfm_segments_with_the_reason(cluster_settings: Settings, write_night: WriteNight) -> None:
    write_night(cluster_settings, FIRST, FOUR, model=False)
    result = recluster(cluster_settings, FIRST, None)
    found, labels = _read(cluster_settings, FIRST, result)
    assert result.algorithm == "rfm"
    assert result.reason == "RFM segments: the shop is too young"
    names = _names(found)
    assert (labels["segment_id"].map(names) == labels["rfm_segment"]).all()
    assert (labels["confidence"] == 1.0).all()


def test_rfm_segments_end_when_a_model_comes_and_return_under_their_numbers(
    cluster_settings: Settings, write_night: WriteNight
) -> None:
    write_night(cluster_settings, FIRST, FOUR, model=False)
    one = recluster(cluster_settings, FIRST, None)
    write_night(cluster_settings, SECOND, FOUR)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one))
    third = SECOND + timedelta(days=1)
    write_night(cluster_settings, third, FOUR, model=False)
    three = recluster(cluster_settings, third, _published(SECOND, two))
    grid, clusters, again = (
        _read(cluster_settings, day, result)[0] for day, result in ((FIRST, one), (SECOND, two), (third, three))
    )
    assert two.searched
    assert not set(_names(grid)) & set(_names(clusters))
    assert _names(again) == _names(grid)
    assert [s.retired_on for s in again.active] == [None] * again.k
    assert {s.segment_id for s in again.segments if s.status == "retired"} == set(_names(clusters))


@pytest.mark.parametrize("size", [1, 2, 50])
def test_small_shops_get_rfm_segments(cluster_settings: Settings, write_night: WriteNight, size: int) -> None:
    write_night(cluster_settings, FIRST, FOUR[:size])
    result = recluster(cluster_settings, FIRST, None)
    assert result.algorithm == "rfm"
    assert f"{size} customers with an order are too few" in result.reason
    assert result.customers == size


def test_no_structure_gives_rfm_segments_until_the_next_search(
    cluster_settings: Settings, write_night: WriteNight
) -> None:
    write_night(cluster_settings, FIRST, ["samplers"] * 400, spread=1.0)
    one = recluster(cluster_settings, FIRST, None)
    assert (one.algorithm, one.searched) == ("rfm", True)
    assert "no structure" in one.reason
    write_night(cluster_settings, SECOND, ["samplers"] * 400, seed=2, spread=1.0)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one))
    assert (two.algorithm, two.searched, two.reason) == ("rfm", False, one.reason)


def test_the_same_inputs_give_the_same_bytes_elsewhere(
    make_settings: Callable[..., Settings], cluster_settings: Settings, write_night: WriteNight, tmp_path: Path
) -> None:
    elsewhere = make_settings(timezone="UTC", home=tmp_path / "elsewhere", clusters=cluster_settings.clusters)
    files = []
    for settings in (cluster_settings, elsewhere):
        write_night(settings, FIRST, FOUR)
        base = _published(FIRST, recluster(settings, FIRST, None))
        write_night(settings, SECOND, FOUR, seed=2)
        result = recluster(settings, SECOND, base, search=True)
        folder = segmentation_file.version_folder(settings.lake, SECOND, result.segmentation_version)
        files.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert files[0] == files[1]
    assert set(files[0]) == {"labels.parquet", "segmentation.json"}


def test_a_lost_base_is_named(cluster_settings: Settings, write_night: WriteNight) -> None:
    write_night(cluster_settings, SECOND, FOUR)
    with pytest.raises(LedgerBehind, match="2026-05-01"):
        recluster(cluster_settings, SECOND, PublishedNight(FIRST, "run", "m", "0123456789abcdef"))


def test_missing_and_mismatched_inputs_are_named(cluster_settings: Settings, write_night: WriteNight) -> None:
    with pytest.raises(MissingInput, match="Clear the task `features`"):
        recluster(cluster_settings, FIRST, None)
    write_night(cluster_settings, FIRST, FOUR)
    outlook = cluster_settings.lake.path("outlook", day=FIRST)
    whole = pd.read_parquet(outlook / "outlook.parquet")
    whole.iloc[1:].to_parquet(outlook / "outlook.parquet")
    with pytest.raises(MissingInput, match="outlook of exactly the customers"):
        recluster(cluster_settings, FIRST, None)
    (outlook / "outlook.json").unlink()
    with pytest.raises(MissingInput, match="Clear the task `encode`"):
        recluster(cluster_settings, FIRST, None)
    write_night(cluster_settings, FIRST, [], model=False)
    with pytest.raises(TooLittleHistory):
        recluster(cluster_settings, FIRST, None)


def _on_rings(settings: Settings, day: date, seed: int) -> None:
    """Move the customers of a night's outlook onto two rings: the first two kinds inside, the others around them."""
    file = settings.lake.path("outlook", day=day) / "outlook.parquet"
    table = pd.read_parquet(file)
    angle = np.arange(len(table)) * 2.4
    kind = np.arange(len(table)) % 4
    radius = np.where(kind < 2, 1.0, 2.5) + np.random.default_rng(seed).normal(0, 0.08, len(table))
    table["q_spend"] = (radius * np.cos(angle)).astype("float32")
    table["q_orders"] = (radius * np.sin(angle)).astype("float32")
    table.to_parquet(file)


def test_groups_of_any_shape_keep_ids_and_customers_the_next_night(
    cluster_settings: Settings, write_night: WriteNight
) -> None:
    customers = write_night(cluster_settings, FIRST, FOUR * 2, seed=1)
    _on_rings(cluster_settings, FIRST, seed=1)
    one = recluster(cluster_settings, FIRST, None)
    before, labels = _read(cluster_settings, FIRST, one)
    assert (one.algorithm, one.k) in {("dbscan", 2), ("hdbscan", 2)}
    assert before.parameters["min_samples"] >= 5
    inside = pd.Series([kind in ("regulars", "feasters") for kind in FOUR * 2], customers)
    assert pd.crosstab(inside, labels.loc[customers, "segment_id"]).gt(0).sum(axis=1).eq(1).all()
    write_night(cluster_settings, SECOND, FOUR * 2, seed=2)
    _on_rings(cluster_settings, SECOND, seed=2)
    for search in (False, True):
        two = recluster(cluster_settings, SECOND, _published(FIRST, one), search=search)
        after, _ = _read(cluster_settings, SECOND, two)
        assert (two.searched, two.algorithm, two.moved_share) == (search, one.algorithm, 0.0)
        assert after.parameters == before.parameters
        assert _names(after) == _names(before)
        assert after.lifecycle == []
