"""The gate that keeps what a deep network learnt by heart out of what is published."""

from __future__ import annotations

import numpy as np

from segmentation.encoder.train_encoder import earned_heads

CUSTOMERS, CUTOFFS = 80, 6
OWNERS = np.tile(np.arange(CUSTOMERS), CUTOFFS)


def test_luck_with_customers_who_keep_their_ways_earns_nothing() -> None:
    generator = np.random.default_rng(1)
    heads = 2_000
    # as good as the linear path on average, and each customer's gain is the same at every cut-off
    gains = np.tile(generator.normal(0, 0.3, (CUSTOMERS, heads)), (CUTOFFS, 1))
    linear = np.ones((len(OWNERS), heads))
    lucky = (gains.mean(axis=0) > 0.01).mean()
    assert lucky > 0.3, "many a head gains 1 % by chance"
    assert earned_heads(linear - gains, linear, OWNERS).mean() < 0.005


def test_a_gain_that_most_customers_share_is_earned_and_what_is_not_known_is_not() -> None:
    generator = np.random.default_rng(2)
    linear = np.ones((len(OWNERS), 4))
    deep = linear - generator.normal([0.3, 0.3, 0.3, 0.005], 0.3, linear.shape)
    linear[:, 1] = deep[:, 1] = np.nan
    linear[::2, 2] = deep[::2, 2] = np.nan
    assert earned_heads(deep, linear, OWNERS).tolist() == [True, False, True, False]
    runaway = np.where(np.isfinite(linear), np.inf, np.nan)
    assert not earned_heads(runaway, linear, OWNERS).any()
    assert not earned_heads(linear[:0], linear[:0], OWNERS[:0]).any()
