"""Tastes: a second label beside the segments, by what customers buy and look at, with an identity of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from segmentation import catalog
from segmentation.clusters import segmentation_file
from segmentation.clusters.recluster import ReclusterResult, recluster
from segmentation.clusters.segmentation_file import Segmentation
from segmentation.clusters.taste import group_by_taste, tastes_at_cutoff
from segmentation.config import ClusterSettings, Settings
from segmentation.runs import PublishedNight

FIRST = date(2026, 5, 1)
SECOND = FIRST + timedelta(days=1)
KINDS = ["regulars", "feasters", "samplers", "gone"] * 60
#: Shares of spend by category of each liking; everybody buys bread.
LIKINGS = {
    "tea": {"TEA": 0.6, "BREAD": 0.3, "WINE": 0.1},
    "wine": {"WINE": 0.6, "BREAD": 0.3, "CHEESE": 0.1},
    "cheese": {"CHEESE": 0.6, "BREAD": 0.3, "TEA": 0.1},
}
# not in step with the kinds: what customers like says nothing about what they are worth
THREE = ["tea", "wine", "cheese"] * 80

WriteNight = Callable[..., list[str]]
WriteLikings = Callable[..., None]


@pytest.fixture
def write_likings() -> WriteLikings:
    """Return a function that writes what customers bought until a night, until its cut-off and thereafter."""

    def write(
        settings: Settings, day: date, likings: list[str], seed: int = 1, *, cutoff: bool = True, looks: bool = False
    ) -> None:
        lake, generator = settings.lake, np.random.default_rng(seed)
        features = lake.path(catalog.FEATURES, day=day)
        customers = [f"c{number:05d}" for number in range(len(likings))]
        before = day - timedelta(days=28)
        lake.write_json({"cutoffs": [before.isoformat()] if cutoff else []}, features / "features.json")
        for bucket in (0, 1):
            mine = [(c, liking) for c, liking in zip(customers, likings, strict=True) if int(c[1:]) % 2 == bucket]
            rows = [
                (c, name, share * generator.uniform(0.8, 1.2))
                for c, liking in mine
                for name, share in LIKINGS.get(liking, {}).items()
            ]
            table = pd.DataFrame(rows, columns=["customer_id", "category", "spend_share"])
            table["product_view_share"] = table["spend_share"] if looks else 0.0
            part = pa.Table.from_pandas(table, preserve_index=False)
            lake.write_table(part, features / f"bucket={bucket:02d}" / "categories.parquet")
            if cutoff:
                window = lake.path(catalog.WINDOWS, day=day, cutoff=before) / f"bucket={bucket:02d}"
                lake.write_table(part, window / "categories.parquet")
                static = pd.DataFrame({"customer_id": [c for c, _ in mine], "monetary_365d": 100.0})
                lake.write_table(pa.Table.from_pandas(static, preserve_index=False), window / "static.parquet")
                bought = table.assign(spend=30 * table["spend_share"])[["customer_id", "category", "spend"]]
                lake.write_table(
                    pa.Table.from_pandas(bought, preserve_index=False), window / "target_categories.parquet"
                )

    return write


@pytest.fixture
def shop(cluster_settings: Settings, write_night: WriteNight, write_likings: WriteLikings) -> Callable[..., list[str]]:
    """Return a function that writes a night of customers of four kinds and three likings."""

    def write(day: date, likings: list[str], seed: int = 1, *, settings: Settings = cluster_settings, **options: bool):
        customers = write_night(settings, day, (KINDS * 2)[: len(likings)], seed=seed, no_order=("x1",), model=False)
        write_likings(settings, day, likings, seed, **options)
        return customers

    return write


def _published(day: date, result: ReclusterResult) -> PublishedNight:
    return PublishedNight(day, f"run {day}", "rfm", result.segmentation_version)


def _read(settings: Settings, day: date, result: ReclusterResult) -> tuple[Segmentation, pd.Series]:
    found, labels = segmentation_file.read(settings.lake, day, result.segmentation_version)
    return found, labels.set_index("customer_id")["taste_id"]


def _names(segmentation: Segmentation) -> dict[int, str]:
    return {taste.segment_id: taste.name for taste in segmentation.active_tastes}


def test_first_night_finds_the_three_likings_whatever_the_segments(
    cluster_settings: Settings, shop: Callable[..., list[str]]
) -> None:
    customers = shop(FIRST, THREE)
    result = recluster(cluster_settings, FIRST, None)
    found, tastes = _read(cluster_settings, FIRST, result)
    assert result.tastes == 3
    assert pd.crosstab(pd.Series(THREE, customers), tastes[customers]).gt(0).sum(axis=1).eq(1).all()
    assert set(_names(found).values()) == {"Mostly tea", "Mostly wine", "Mostly cheese"}
    assert found.next_taste_id == 4
    assert found.taste_searched_on == FIRST.isoformat()
    assert "bits of the category of the spend after 2026-04-03" in result.taste_reason
    # the numbers are their own: a taste 1 and a segment 1 have nothing to do with each other
    assert {segment.segment_id for segment in found.active} & set(_names(found)) != set()
    assert pd.isna(tastes["x1"])
    assert any("much tea" in trait for taste in found.active_tastes for trait in taste.distinctive)
    assert {change["kind"] for change in found.taste_lifecycle} == {"born"}


def test_the_next_night_keeps_ids_names_and_customers_and_moves_who_changed(
    cluster_settings: Settings, shop: Callable[..., list[str]]
) -> None:
    shop(FIRST, THREE)
    one = recluster(cluster_settings, FIRST, None)
    before, held = _read(cluster_settings, FIRST, one)
    changed = ["wine" if liking == "tea" and number < 30 else liking for number, liking in enumerate(THREE)]
    customers = shop(SECOND, changed, seed=2)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one))
    after, tastes = _read(cluster_settings, SECOND, two)
    assert _names(after) == _names(before)
    assert after.taste_lifecycle == []
    assert "refitted from 2026-05-01; the last search was on 2026-05-01" in two.taste_reason
    moved = [c for c, old, new in zip(customers, THREE, changed, strict=True) if old != new]
    assert [c for c in customers if tastes[c] != held[c]] == moved
    assert set(tastes[moved]) == {held[customers[THREE.index("wine")]]}


def test_a_taste_that_ends_keeps_its_number_and_name_for_ever(
    cluster_settings: Settings, shop: Callable[..., list[str]]
) -> None:
    settings = cluster_settings.model_copy(
        update={"clusters": cluster_settings.clusters.model_copy(update={"k_min": 2})}
    )
    uneven = ["tea", "wine", "wine", "cheese"] * 60
    shop(FIRST, uneven)
    one = recluster(settings, FIRST, None)
    shop(SECOND, ["wine" if liking == "tea" else liking for liking in uneven], seed=2)
    two = recluster(settings, SECOND, _published(FIRST, one), search=True)
    after, _ = _read(settings, SECOND, two)
    (ended,) = [taste for taste in after.tastes if taste.status == "retired"]
    assert (ended.name, ended.retired_on, two.tastes) == ("Mostly tea", SECOND.isoformat(), 2)
    third = SECOND + timedelta(days=1)
    shop(third, uneven, seed=3)
    three = recluster(settings, third, _published(SECOND, two), search=True)
    again, _ = _read(settings, third, three)
    assert 4 in _names(again)
    assert again.next_taste_id == 5
    assert ended.segment_id not in _names(again)
    assert len({taste.name for taste in again.tastes}) == len(again.tastes) == 4


def test_search_is_due_after_a_week_and_keeps_what_is_good(
    cluster_settings: Settings, shop: Callable[..., list[str]]
) -> None:
    shop(FIRST, THREE)
    one = recluster(cluster_settings, FIRST, None)
    for days, due in ((6, False), (7, True)):
        day = FIRST + timedelta(days=days)
        shop(day, THREE, seed=days)
        result = recluster(cluster_settings, day, _published(FIRST, one))
        found, _ = _read(cluster_settings, day, result)
        assert (found.taste_searched_on == day.isoformat()) is due
        assert bool(found.taste_candidates) is due
        assert sorted(_names(found)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("liking", "said"),
    [("nothing", "the shop has no product categories"), ("bread", "everything bought is in one category (BREAD)")],
)
def test_a_shop_without_categories_has_no_taste_and_says_so(
    cluster_settings: Settings,
    shop: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    liking: str,
    said: str,
) -> None:
    monkeypatch.setitem(LIKINGS, "bread", {"BREAD": 1.0})
    shop(FIRST, [liking] * 240)
    with caplog.at_level("INFO"):
        result = recluster(cluster_settings, FIRST, None)
    found, tastes = _read(cluster_settings, FIRST, result)
    assert tastes.isna().all()
    assert (found.tastes, found.next_taste_id, result.tastes) == ([], 1, 0)
    assert found.taste_reason == result.taste_reason == f"no tastes: {said}"
    assert said in caplog.text


def test_categories_that_disappear_end_the_tastes(cluster_settings: Settings, shop: Callable[..., list[str]]) -> None:
    shop(FIRST, THREE)
    one = recluster(cluster_settings, FIRST, None)
    shop(SECOND, ["nothing"] * 240)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one))
    found, tastes = _read(cluster_settings, SECOND, two)
    assert tastes.isna().all()
    assert {(taste.status, taste.retired_on) for taste in found.tastes} == {("retired", SECOND.isoformat())}
    assert [change["kind"] for change in found.taste_lifecycle] == ["retired"] * 3
    assert found.next_taste_id == 4


def test_without_a_matured_future_there_are_none_yet(
    cluster_settings: Settings, shop: Callable[..., list[str]]
) -> None:
    shop(FIRST, THREE, cutoff=False)
    result = recluster(cluster_settings, FIRST, None)
    assert result.taste_reason == "no tastes: no horizon has matured yet to judge them by"


def test_tastes_that_tell_nothing_are_not_published(cluster_settings: Settings, shop: Callable[..., list[str]]) -> None:
    shop(FIRST, THREE)
    window = cluster_settings.lake.path(catalog.WINDOWS, day=FIRST, cutoff=FIRST - timedelta(days=28))
    for file in window.glob("bucket=*/target_categories.parquet"):
        alike = pd.read_parquet(file, partitioning=None).assign(category="BREAD")
        alike.to_parquet(file)
    result = recluster(cluster_settings, FIRST, None)
    assert result.tastes == 0
    assert "they would tell only 0.000 bits" in result.taste_reason
    # what a search has decided holds until the next one is due
    shop(SECOND, THREE, seed=2)
    again = recluster(cluster_settings, SECOND, _published(FIRST, result))
    assert again.taste_reason == result.taste_reason


def test_whoever_bought_nothing_in_a_category_has_no_taste_until_they_do(
    cluster_settings: Settings, shop: Callable[..., list[str]]
) -> None:
    likings = ["nothing", *THREE[1:]]
    customers = shop(FIRST, likings)
    one = recluster(cluster_settings, FIRST, None)
    _, tastes = _read(cluster_settings, FIRST, one)
    assert tastes[customers].isna().sum() == 1
    shop(SECOND, THREE, seed=2)
    _, tastes = _read(cluster_settings, SECOND, recluster(cluster_settings, SECOND, _published(FIRST, one)))
    assert tastes[customers[0]] == tastes[customers[3]]


def test_looks_count_where_there_is_no_spend(cluster_settings: Settings, shop: Callable[..., list[str]]) -> None:
    customers = shop(FIRST, THREE, looks=True)
    for file in cluster_settings.lake.path(catalog.FEATURES, day=FIRST).glob("bucket=*/static.parquet"):
        static = pd.read_parquet(file, partitioning=None).assign(product_views_91d=5.0)
        # the first three have only looked
        static.loc[static["customer_id"].isin(customers[:3]), "monetary_365d"] = 0.0
        static.to_parquet(file)
    found, tastes = _read(cluster_settings, FIRST, recluster(cluster_settings, FIRST, None))
    assert tastes[customers[:3]].tolist() == tastes[customers[3:6]].tolist()
    assert "of spend and looks" in found.active_tastes[0].distinctive[0]


def test_a_night_from_before_there_were_tastes_is_a_base(
    cluster_settings: Settings, shop: Callable[..., list[str]]
) -> None:
    shop(FIRST, THREE)
    one = recluster(cluster_settings, FIRST, None)
    folder = segmentation_file.version_folder(cluster_settings.lake, FIRST, one.segmentation_version)
    content = json.loads((folder / "segmentation.json").read_text())
    old = {key: value for key, value in content.items() if "taste" not in key}
    (folder / "segmentation.json").write_text(json.dumps(old))
    labels = pd.read_parquet(folder / "labels.parquet", partitioning=None).drop(columns="taste_id")
    labels.to_parquet(folder / "labels.parquet")
    shop(SECOND, THREE, seed=2)
    two = recluster(cluster_settings, SECOND, _published(FIRST, one))
    found, _ = _read(cluster_settings, SECOND, two)
    assert sorted(_names(found)) == [1, 2, 3]
    assert "searched (there were no tastes before)" in two.taste_reason


def test_the_same_inputs_give_the_same_bytes_and_tastes_are_part_of_the_version(
    make_settings: Callable[..., Settings],
    cluster_settings: Settings,
    shop: Callable[..., list[str]],
    tmp_path: Path,
) -> None:
    elsewhere = make_settings(
        timezone="UTC", home=tmp_path / "elsewhere", clusters=ClusterSettings(bootstraps=2, k_max=7)
    )
    files, results = [], []
    for settings in (cluster_settings, elsewhere):
        shop(FIRST, THREE, settings=settings)
        base = _published(FIRST, recluster(settings, FIRST, None))
        shop(SECOND, THREE, seed=2, settings=settings)
        results.append(recluster(settings, SECOND, base, search=True))
        folder = segmentation_file.version_folder(settings.lake, SECOND, results[-1].segmentation_version)
        files.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert files[0] == files[1]
    lake, version = cluster_settings.lake, results[0].segmentation_version
    found, labels = segmentation_file.read(lake, SECOND, version)
    assert segmentation_file.write(lake, SECOND, found, labels) == version
    assert segmentation_file.write(lake, SECOND, found, labels.assign(taste_id=1)) != version
    assert segmentation_file.write(lake, SECOND, replace(found, taste_reason="other"), labels) != version


def test_tastes_at_a_cutoff_follow_tonights_centroids(
    cluster_settings: Settings, shop: Callable[..., list[str]]
) -> None:
    shop(FIRST, THREE)
    found, tastes = _read(cluster_settings, FIRST, recluster(cluster_settings, FIRST, None))
    then = tastes_at_cutoff(cluster_settings, FIRST, found, FIRST - timedelta(days=28))
    assert (then == tastes[then.index].astype(int)).all()


def test_hardly_any_customers_have_no_tastes(
    cluster_settings: Settings, write_night: WriteNight, write_likings: WriteLikings
) -> None:
    write_night(cluster_settings, FIRST, KINDS[:30], model=False)
    write_likings(cluster_settings, FIRST, THREE[:30])
    static = pd.DataFrame({"customer_id": [f"c{n:05d}" for n in range(30)], "monetary_365d": 10.0})
    found = group_by_taste(cluster_settings, FIRST, static, None, pd.Series(dtype="Int32"))
    assert found.reason == "no tastes: 30 customers who bought in a category are too few (at least 60)"
    assert (found.tastes, found.ids.empty) == ([], True)
