"""The classic grid works for any shop, down to one customer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from segmentation.clusters.rfm import MEANINGS, log_rfm, rfm_segments


def _shop(recency: object, frequency: object, money: object) -> pd.DataFrame:
    return pd.DataFrame({"recency_days": recency, "frequency_365d": frequency, "monetary_365d": money}, dtype=float)


def test_best_and_worst_customers_get_the_names_that_marketers_expect() -> None:
    rank = np.arange(100)
    named = rfm_segments(_shop(100 - rank, 1 + rank, 10 * rank))
    assert named[-1] == "Champions"
    assert named[0] == "Hibernating"
    # once the best, but not for long
    lost = _shop([*(100 - rank), 500], [*(1 + rank), 500], [*(10 * rank), 9e4])
    assert rfm_segments(lost)[-1] == "Cannot lose them"


def test_every_name_is_explained() -> None:
    generator = np.random.default_rng(1)
    named = rfm_segments(_shop(*generator.uniform(0, 100, (3, 2_000))))
    assert set(named) == set(MEANINGS)


def test_equal_customers_get_equal_names() -> None:
    assert set(rfm_segments(_shop([5] * 7, [1] * 7, [9] * 7))) == {"Need attention"}
    # most have ordered once: nobody among them is told apart by the order of rows
    shop = _shop([10] * 50, [1] * 40 + [9] * 10, [5] * 40 + [80] * 10)
    assert len(set(rfm_segments(shop)[:40])) == 1


def test_one_customer_and_unknown_figures() -> None:
    assert rfm_segments(_shop([3], [1], [10])).tolist() == ["Need attention"]
    assert len(rfm_segments(_shop([np.nan, 3], [np.nan, 2], [np.nan, 4]))) == 2


def test_log_rfm_of_equal_customers_is_zero_not_nan() -> None:
    np.testing.assert_allclose(log_rfm(_shop([5] * 3, [1] * 3, [9] * 3)), 0.0, atol=1e-12)
