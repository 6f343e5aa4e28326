"""The verdict on a night: good ones go out with their figures, worse ones are held with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, insert

from segmentation import warehouse as tables
from segmentation.clusters import segmentation_file
from segmentation.clusters.recluster import recluster
from segmentation.errors import DatabaseUnreachable, MissingInput
from segmentation.evaluate.evaluate_day import Evaluation, evaluate_day
from segmentation.runs import PublishedNight

MakeShop = Callable[..., Any]


def _metrics(warehouse: Engine) -> pd.DataFrame:
    with warehouse.connect() as connection:
        return pd.read_sql("select * from ops.metrics", connection).set_index(["metric", "scope"]).sort_index()


def _night(version: str, day: Any) -> PublishedNight:
    return PublishedNight(day, f"run {day}", "m", version)


def test_a_good_night_is_published_with_figures_beside_the_baselines(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop()
    version = recluster(shop.settings, shop.day, None).segmentation_version
    verdict = evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 1")
    assert verdict == Evaluation(True, [], verdict.metrics)
    found = _metrics(warehouse)
    for metric in ("usefulness", "spend_r2", "orders_r2", "orders_r2_raw", "churn_auc"):
        for scope in ("model", "rfm_grid", "kmeans_rfm"):
            assert found.loc[(metric, scope), "value"] == pytest.approx(verdict.metrics[f"{metric}[{scope}]"], abs=1e-6)
    assert verdict.metrics["usefulness[model]"] > verdict.metrics["usefulness[kmeans_rfm]"] > 0
    assert verdict.metrics["rule_fidelity"] > 0.85
    assert {"rule_precision", "rule_recall"} <= set(verdict.metrics)
    assert found.loc[("customers_scored", "model"), "value"] == 200
    assert "held out" in found.loc[("spend_r2", "model"), "detail"]
    # the whole table of the search
    assert found.loc[("stability", "kmeans_k=3"), "step"] == "cluster"
    assert found.loc[("gate_customers_labelled", ""), ["value", "threshold", "passed"]].tolist() == [601, 601, True]
    assert set(found["run_id"]) == {"run 1"}


def test_a_second_run_replaces_the_figures_of_the_first(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop()
    version = recluster(shop.settings, shop.day, None).segmentation_version
    verdicts = [evaluate_day(shop.settings, shop.day, version, None, warehouse, f"run {i}") for i in (1, 2)]
    assert verdicts[0] == verdicts[1]
    assert set(_metrics(warehouse)["run_id"]) == {"run 2"}


def test_a_model_that_guesses_is_held(make_shop: MakeShop, warehouse: Engine) -> None:
    # groups in the outlook, but of nothing: the search takes them, the baselines do better
    shop = make_shop(skill=0.25)
    version = recluster(shop.settings, shop.day, None).segmentation_version
    verdict = evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 1")
    assert not verdict.publish
    (reason,) = verdict.reasons
    assert "the best baseline" in reason
    assert "more than 0.05 less" in reason
    assert not _metrics(warehouse).loc[("gate_usefulness", ""), "passed"]


def _relabelled(shop: Any, version: str, share: float) -> str:
    """Write the same segmentation with another label the night before for ``share`` of the customers."""
    found, labels = segmentation_file.read(shop.settings.lake, shop.day, version)
    before = shop.day - timedelta(days=1)
    moved = labels.index < share * len(labels)
    base = segmentation_file.write(shop.settings.lake, before, replace(found, business_day=before.isoformat()), labels)
    other = labels["segment_id"] % found.k + 1
    labels["previous_segment_id"] = labels["segment_id"].where(~moved, other).astype("Int32")
    labels["moved"] = pd.Series(["behaviour" if m else "" for m in moved])
    night = replace(found, base_day=before.isoformat(), base_version=base)
    segmentation_file.write(shop.settings.lake, shop.day, night, labels)
    return base


@pytest.mark.parametrize(("share", "publish"), [(0.2, True), (0.4, False)])
def test_too_many_movers_are_held(make_shop: MakeShop, warehouse: Engine, share: float, publish: bool) -> None:
    shop = make_shop()
    first = recluster(shop.settings, shop.day, None).segmentation_version
    base = _relabelled(shop, first, share)
    folder = shop.settings.lake.path("segmentations", day=shop.day)
    (version,) = [p.name.removeprefix("version=") for p in folder.iterdir() if p.name != f"version={first}"]
    before = _night(base, shop.day - timedelta(days=1))
    verdict = evaluate_day(shop.settings, shop.day, version, before, warehouse, "run 1")
    assert verdict.publish is publish
    assert verdict.metrics["gate_moved_share"] == pytest.approx(share, abs=0.01)
    assert verdict.metrics["moved_by_behaviour"] == verdict.metrics["gate_moved_share"]
    assert verdict.metrics["ari_to_base"] < 1
    if not publish:
        assert "changed segment since 2026-05-28, limit 25.0%" in verdict.reasons[0]
        assert "SEGMENTATION_EVALUATE__MOVED_SHARE_LIMIT=0.4" in verdict.reasons[0]


def test_groups_that_are_cut_anew_are_held(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop()
    first = recluster(shop.settings, shop.day, None).segmentation_version
    base = _relabelled(shop, first, 0.24)
    folder = shop.settings.lake.path("segmentations", day=shop.day)
    (version,) = [p.name.removeprefix("version=") for p in folder.iterdir() if p.name != f"version={first}"]
    before = _night(base, shop.day - timedelta(days=1))
    asked = (shop.day, version, before, warehouse, "run 1")
    verdict = evaluate_day(shop.settings, *asked)
    assert verdict.publish
    ari = verdict.metrics["gate_ari"]
    assert 0.4 < ari < 0.9
    strict = shop.settings.evaluate.model_copy(update={"ari_limit": ari + 0.01})
    verdict = evaluate_day(shop.settings.model_copy(update={"evaluate": strict}), *asked)
    (reason,) = verdict.reasons
    assert f"adjusted Rand index {ari:.2f} to 2026-05-28 (1 = the same groups), limit {ari + 0.01:.2f}" in reason


def _trained(warehouse: Engine, run: str, day: Any, version: str, loss: float, status: str = "published") -> None:
    """Enter a night and its model."""
    at = datetime(2026, 5, 1, tzinfo=UTC)
    model = {"model_version": version, "trained_through": day, "family": "cnn", "schema_hash": "s", "metrics": {}}
    with warehouse.begin() as connection:
        connection.execute(
            insert(tables.models), model | {"held_out_loss": loss, "path": version, "run_id": run, "created_at": at}
        )
        if status:
            row = {"run_id": run, "business_day": day, "status": status, "started_at": at, "model_version": version}
            connection.execute(insert(tables.runs), row)


@pytest.mark.parametrize(("loss", "publish"), [(0.62, True), (0.63, False), (float("nan"), False)])
def test_an_encoder_that_errs_more_than_in_the_nights_before_is_held(
    make_shop: MakeShop, warehouse: Engine, loss: float, publish: bool
) -> None:
    shop = make_shop()
    version = recluster(shop.settings, shop.day, None).segmentation_version
    for back, before in ((1, 0.5), (2, 0.4), (3, 0.6)):
        _trained(warehouse, f"run {back}", shop.day - timedelta(days=back), f"m{back}", before)
    # a night that was not published says nothing about what is usual
    _trained(warehouse, "run 4", shop.day - timedelta(days=4), "m4", 99.0, "failed")
    _trained(warehouse, "run 0", shop.day, "2026-01-01-abc", loss, "")
    verdict = evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 0")
    assert verdict.publish is publish
    gate = _metrics(warehouse).loc[("gate_held_out_loss", "")]
    assert gate["threshold"] == pytest.approx(0.5 * 1.25)
    assert gate["consequence"] == "holds the publication until somebody approves or rejects it"
    assert "0.5000 in the nights before (3, median)" in gate["detail"]


def test_every_gate_says_what_it_measured_what_is_allowed_and_what_follows(
    make_shop: MakeShop, warehouse: Engine
) -> None:
    shop = make_shop()
    version = recluster(shop.settings, shop.day, None).segmentation_version
    evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 1")
    found = _metrics(warehouse)
    gates = found[found.index.get_level_values("metric").str.startswith("gate_")]
    assert set(gates.index.get_level_values("metric")) == {
        f"gate_{name}"
        for name in (
            "customers_labelled",
            "smallest_share",
            "moved_share",
            "ari",
            "usefulness",
            "held_out_loss",
            "input_nulls",
            "input_drift",
            "feature_nulls",
            "feature_drift",
        )
    }
    assert (gates["detail"] != "").all()
    assert (gates["consequence"] != "").all()
    judged = gates[gates["passed"].notna()]
    assert judged["threshold"].notna().all()
    assert judged["value"].notna().all()


def test_a_lost_customer_and_a_tiny_segment_are_held(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop()
    found, labels = segmentation_file.read(
        shop.settings.lake, shop.day, recluster(shop.settings, shop.day, None).segmentation_version
    )
    lost = segmentation_file.write(shop.settings.lake, shop.day, found, labels.iloc[1:])
    verdict = evaluate_day(shop.settings, shop.day, lost, None, warehouse, "run 1")
    assert "600 labels for 601 known customers (1 without a label, 0 unknown)" in verdict.reasons[0]
    tiny = labels.assign(segment_id=labels["segment_id"].where(labels["segment_id"] != 1, 2))
    tiny.loc[0, "segment_id"] = 1
    version = segmentation_file.write(shop.settings.lake, shop.day, found, tiny)
    verdict = evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 1")
    assert any("smallest segment 0.2% of the customers, limit 1.0%" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("cutoff", [True, False], ids=["with a matured window", "without any"])
def test_rfm_segments_are_published_and_say_so(make_shop: MakeShop, warehouse: Engine, cutoff: bool) -> None:
    shop = make_shop(model=False, cutoff=cutoff)
    version = recluster(shop.settings, shop.day, None).segmentation_version
    verdict = evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 1")
    assert verdict.publish
    assert ("spend_r2[model]" in verdict.metrics) is cutoff
    if cutoff:
        assert verdict.metrics["spend_r2[model]"] == verdict.metrics["spend_r2[rfm_grid]"]
    assert "they are the baseline" in _metrics(warehouse).loc[("gate_usefulness", ""), "detail"]


def test_the_first_model_may_move_everybody_from_rfm_segments(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop(model=False, day=make_shop().day - timedelta(days=1))
    base = _night(recluster(shop.settings, shop.day, None).segmentation_version, shop.day)
    shop = make_shop()
    version = recluster(shop.settings, shop.day, base).segmentation_version
    verdict = evaluate_day(shop.settings, shop.day, version, base, warehouse, "run 2")
    assert verdict.publish
    # all but the one who has not ordered
    assert verdict.metrics["gate_moved_share"] == pytest.approx(600 / 601, abs=1e-6)


def test_rfm_segments_after_a_model_are_published_with_the_reason(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop(day=make_shop().day - timedelta(days=1))
    base = _night(recluster(shop.settings, shop.day, None).segmentation_version, shop.day)
    shop = make_shop(model=False)
    version = recluster(shop.settings, shop.day, base).segmentation_version
    verdict = evaluate_day(shop.settings, shop.day, version, base, warehouse, "run 2")
    assert verdict.publish, verdict.reasons
    assert verdict.metrics["gate_moved_share"] > shop.settings.evaluate.moved_share_limit
    detail = _metrics(warehouse).loc[("gate_moved_share", ""), "detail"]
    assert "the shop had a model's segments before and has RFM segments now (RFM segments: too young)" in detail


def test_shape_is_measured_where_the_segments_were_made(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop()
    version = recluster(shop.settings, shop.day, None).segmentation_version
    found, labels = segmentation_file.read(shop.settings.lake, shop.day, version)
    file = shop.settings.lake.path("outlook", day=shop.day) / "outlook.parquet"
    outlook = pd.read_parquet(file, partitioning=None)
    outlook.assign(q_orders=outlook["q_orders"].sample(frac=1, random_state=1).to_numpy()).to_parquet(file)
    # the search may count some columns less than the outlook does
    lighter = replace(found, outlook_weights=[1.0, 1e-4])
    alone = replace(found, outlook_columns=found.outlook_columns[:1], outlook_weights=[1.0])
    shapes = []
    for segmentation in (found, lighter, alone):
        centroids = [
            replace(segment, centroid=segment.centroid[: len(segmentation.outlook_columns)])
            for segment in segmentation.segments
        ]
        other = segmentation_file.write(shop.settings.lake, shop.day, replace(segmentation, segments=centroids), labels)
        metrics = evaluate_day(shop.settings, shop.day, other, None, warehouse, "run 1").metrics
        shapes.append((metrics["silhouette"], metrics["davies_bouldin"]))
    assert shapes[1] == pytest.approx(shapes[2], abs=1e-3)
    assert shapes[1][0] > shapes[0][0] + 0.1


@pytest.mark.parametrize("model", [True, False], ids=["model", "rfm"])
def test_windows_that_a_later_run_removed_are_missed(make_shop: MakeShop, warehouse: Engine, model: bool) -> None:
    shop = make_shop(model=model)
    version = recluster(shop.settings, shop.day, None).segmentation_version
    shop.settings.lake.remove(shop.settings.lake.path("windows", day=shop.day))
    with pytest.raises(MissingInput, match="the training windows for business day 2026-05-29"):
        evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 1")
    if model:
        with pytest.raises(MissingInput, match="Clear the task features of this run with its downstream tasks"):
            recluster(shop.settings, shop.day, None)


def test_what_was_published_is_judged_by_what_came_true(
    make_shop: MakeShop, write_checked_orders: Callable[..., Any], warehouse: Engine
) -> None:
    old = make_shop(day=make_shop().day - timedelta(days=30))
    version = recluster(old.settings, old.day, None).segmentation_version
    write_checked_orders(old.settings.lake, old.day + timedelta(days=1), 28, old.rates, seed=5)
    at = datetime(2026, 5, 1, tzinfo=UTC)
    with warehouse.begin() as connection:
        connection.execute(
            insert(tables.runs).values(
                run_id="run 0", business_day=old.day, status="published", started_at=at, segmentation_version=version
            )
        )
    shop = make_shop()
    now = recluster(shop.settings, shop.day, None).segmentation_version
    verdict = evaluate_day(shop.settings, shop.day, now, None, warehouse, "run 1")
    assert verdict.metrics[f"orders_r2[published_{old.day}]"] > 0.3
    assert verdict.metrics[f"customers_scored[published_{old.day}]"] == 600


@pytest.mark.parametrize(
    ("algorithm", "parameters"),
    [("gmm", {"covariance": "diag"}), ("dbscan", {"min_samples": 5, "quantile": 0.9, "share": 0.02})],
)
def test_segments_of_every_algorithm_are_given_to_the_customers_of_the_cutoff(
    make_shop: MakeShop, warehouse: Engine, algorithm: str, parameters: dict[str, float | str]
) -> None:
    shop = make_shop()
    version = recluster(shop.settings, shop.day, None).segmentation_version
    by_centroids = evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 1")
    segmentation, labels = segmentation_file.read(shop.settings.lake, shop.day, version)
    assert segmentation.algorithm == "kmeans"
    other = replace(segmentation, algorithm=algorithm, parameters=parameters)
    version = segmentation_file.write(shop.settings.lake, shop.day, other, labels)
    # a night may change the algorithm and still continue the segments of the night before
    base = _night(version, shop.day)
    verdict = evaluate_day(shop.settings, shop.day, version, base, warehouse, "run 2")
    assert verdict.publish
    told = "usefulness[model]"
    assert verdict.metrics[told] == pytest.approx(by_centroids.metrics[told], abs=0.02)


def test_the_table_of_candidates_says_which_was_chosen_and_why_not_the_others(
    make_shop: MakeShop, warehouse: Engine
) -> None:
    shop = make_shop()
    result = recluster(shop.settings, shop.day, None)
    evaluate_day(shop.settings, shop.day, result.segmentation_version, None, warehouse, "run 1")
    table = _metrics(warehouse).xs("k")
    table = table[table["step"] == "cluster"]
    chosen = table[table["detail"].str.startswith("chosen: ")]
    assert chosen["value"].tolist() == [result.k]
    assert chosen["detail"].tolist() == [f"chosen: {result.reason}"]
    assert (table["detail"] != "").all()
    tried = table.index.str.split("_").str[0]
    assert set(tried) == {"kmeans", "gmm", "dbscan", "hdbscan"}


def test_missing_segmentation_and_warehouse_are_named(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop()
    with pytest.raises(MissingInput, match="segmentation 0123"):
        evaluate_day(shop.settings, shop.day, "0123", None, warehouse, "run 1")
    version = recluster(shop.settings, shop.day, None).segmentation_version
    from segmentation.connections import engine_for

    nowhere = engine_for("postgresql://u:secret@127.0.0.1:9/warehouse", connect_timeout_s=1)
    with pytest.raises(DatabaseUnreachable) as caught:
        evaluate_day(shop.settings, shop.day, version, None, nowhere, "run 1")
    assert "secret" not in str(caught.value)
