"""Expected amounts must add up: a marketer sums them to a budget."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.encoder.expectation import Expectation


@pytest.fixture
def spenders() -> tuple[np.ndarray, np.ndarray]:
    """2,000 customers whose log spend is foreseen up to noise of one standard deviation."""
    draws = np.random.default_rng(4)
    foreseen = draws.uniform(1, 5, 2000)
    return foreseen, np.expm1(foreseen + draws.normal(size=2000))


def test_the_sum_is_right_where_the_exponential_is_far_too_low(spenders: tuple[np.ndarray, np.ndarray]) -> None:
    foreseen, spent = spenders
    assert np.expm1(foreseen).sum() < 0.75 * spent.sum()
    assert Expectation.fit(foreseen, spent).amounts(foreseen).sum() == pytest.approx(spent.sum(), rel=0.05)


def test_it_is_right_too_where_nothing_can_be_foreseen(spenders: tuple[np.ndarray, np.ndarray]) -> None:
    _, spent = spenders
    noise = np.random.default_rng(5).uniform(1, 1.1, 2000)
    assert Expectation.fit(noise, spent).amounts(noise).sum() == pytest.approx(spent.sum(), rel=0.05)


def test_a_higher_prediction_never_means_a_lower_amount(spenders: tuple[np.ndarray, np.ndarray]) -> None:
    amounts = Expectation.fit(*spenders).amounts(np.linspace(-2, 9, 200))
    assert (np.diff(amounts) >= 0).all()
    assert np.isfinite(amounts).all()


def test_it_survives_being_stored(spenders: tuple[np.ndarray, np.ndarray]) -> None:
    fitted = Expectation.fit(*spenders)
    again = Expectation.from_dict(fitted.to_dict())
    assert again.amounts(spenders[0]).tolist() == fitted.amounts(spenders[0]).tolist()
