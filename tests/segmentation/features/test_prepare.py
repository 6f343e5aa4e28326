"""What the preparation of features promises: finite, scaled, no leak, no twins, and the same again from JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.features.definitions import FEATURE_NAMES
from segmentation.features.prepare import FeaturePreparation


def customers(count: int = 400, seed: int = 1) -> pd.DataFrame:
    draws = np.random.default_rng(seed)
    frequency = draws.poisson(4, count).astype(float)
    return pd.DataFrame(
        {
            "recency_days": draws.exponential(20, count),
            "frequency_91d": frequency,
            "monetary_91d": draws.lognormal(3, 1, count),
            "discount_share": draws.beta(2, 5, count),
            "weekend_share": draws.uniform(0, 1, count),
        }
    )


def test_prepared_columns_are_centred_and_scaled() -> None:
    frame = customers()
    preparation = FeaturePreparation.fit(frame)
    assert preparation.names == tuple(frame.columns)
    prepared = preparation.transform(frame)
    assert prepared.dtype == np.float32
    assert prepared.shape == (400, 5)
    assert prepared.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-5)
    assert prepared.std(axis=0) == pytest.approx(np.ones(5), abs=1e-4)
    assert list(preparation.get_feature_names_out()) == list(frame.columns)


def test_an_outlier_is_cut_to_the_edge_of_the_training_customers() -> None:
    frame = customers()
    preparation = FeaturePreparation.fit(frame)
    odd = frame.head(2).copy()
    odd.loc[0, "monetary_91d"], odd.loc[1, "monetary_91d"] = 1e12, -50.0
    place = preparation.names.index("monetary_91d")
    usual = preparation.transform(frame)[:, place]
    assert preparation.transform(odd)[:, place] == pytest.approx([usual.max(), usual.min()])


def test_prepared_rows_come_back_in_the_features_units() -> None:
    frame = customers()
    preparation = FeaturePreparation.fit(frame)
    low, high = frame.quantile(0.01), frame.quantile(0.99)
    back = preparation.in_units(preparation.transform(frame))
    assert list(back.columns) == list(frame.columns)
    uncut = ((frame > low) & (frame < high)).to_numpy()
    np.testing.assert_allclose(back.to_numpy()[uncut], frame.to_numpy()[uncut], rtol=1e-4, atol=1e-4)


def test_a_missing_value_becomes_the_median_and_is_marked() -> None:
    frame = customers()
    frame.loc[:99, "discount_share"] = np.nan
    preparation = FeaturePreparation.fit(frame)
    assert "discount_share_missing" in preparation.names
    prepared = pd.DataFrame(preparation.transform(frame), columns=preparation.names)
    assert np.ptp(prepared.loc[:99, "discount_share"]) == 0
    assert (prepared.loc[:99, "discount_share_missing"] > 0).all()
    assert (prepared.loc[100:, "discount_share_missing"] < 0).all()


def test_infinite_counts_as_missing() -> None:
    frame = customers()
    preparation = FeaturePreparation.fit(frame)
    odd = pd.concat([frame.head(1)] * 3, ignore_index=True)
    odd.loc[0, "recency_days"], odd.loc[1, "recency_days"], odd.loc[2, "recency_days"] = np.inf, -np.inf, np.nan
    prepared = preparation.transform(odd)
    assert np.isfinite(prepared).all()
    assert (prepared == prepared[0]).all()


def test_columns_that_say_nothing_or_too_much_are_dropped_with_the_reason() -> None:
    frame = customers()
    frame["frequency_365d"] = frame["frequency_91d"] * 1.0
    frame["returns_share"] = 0.0
    frame["sessions_28d"] = np.nan
    frame["bought"] = 1.0
    frame["customer_id"] = "somebody"
    preparation = FeaturePreparation.fit(frame)
    assert preparation.names == tuple(customers().columns)
    assert preparation.dropped == {
        "bought": "not in the list of features",
        "customer_id": "not in the list of features",
        "frequency_365d": "near-duplicate of frequency_91d",
        "returns_share": "constant",
        "sessions_28d": "null everywhere",
    }


def test_indicators_of_the_same_gaps_are_kept_once() -> None:
    frame = customers()
    frame["gap_days_mean"] = np.random.default_rng(5).exponential(9, 400)
    frame["gap_days_longest"] = np.random.default_rng(6).exponential(30, 400)
    frame.loc[:50, ["gap_days_mean", "gap_days_longest"]] = np.nan
    preparation = FeaturePreparation.fit(frame)
    assert [name for name in preparation.names if name.endswith("_missing")] == ["gap_days_mean_missing"]


def test_the_columns_order_does_not_depend_on_the_frames() -> None:
    frame = customers()
    turned = FeaturePreparation.fit(frame[frame.columns[::-1]])
    assert turned == FeaturePreparation.fit(frame)
    np.testing.assert_array_equal(turned.transform(frame[frame.columns[::-1]]), turned.transform(frame))


@pytest.mark.parametrize("rows", [pytest.param(0, id="nobody"), pytest.param(1, id="one customer")])
def test_where_nothing_varies_there_are_no_columns(rows: int) -> None:
    frame = customers().head(rows)
    preparation = FeaturePreparation.fit(frame)
    assert preparation.names == ()
    assert preparation.transform(frame).shape == (rows, 0)


def test_nobody_to_prepare_gives_an_empty_matrix() -> None:
    frame = customers()
    assert FeaturePreparation.fit(frame).transform(frame.head(0)).shape == (0, 5)


def test_a_frame_without_a_needed_feature_is_refused() -> None:
    frame = customers()
    with pytest.raises(KeyError, match="feature recency_days is not in the frame"):
        FeaturePreparation.fit(frame).transform(frame.drop(columns="recency_days"))


_values = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True, width=32), st.just(0.0))


@given(st.lists(st.tuples(*[_values] * 4), max_size=30))
def test_whatever_comes_in_what_comes_out_is_finite_and_survives_json(rows: list[tuple[float | None, ...]]) -> None:
    names = ["recency_days", "monetary_91d", "order_value_variation", "discount_share"]
    frame = pd.DataFrame(rows, columns=names, dtype=float)
    preparation = FeaturePreparation.fit(frame)
    prepared = preparation.transform(frame)
    assert np.isfinite(prepared).all()
    again = FeaturePreparation.from_dict(json.loads(json.dumps(preparation.to_dict())))
    assert again == preparation == FeaturePreparation.fit(frame)
    np.testing.assert_array_equal(again.transform(frame), prepared)


def test_every_name_that_is_prepared_is_a_feature() -> None:
    assert set(customers().columns) <= set(FEATURE_NAMES)
