"""Figures leave with the noise that was promised, and no two readers together get more than the budget."""

from __future__ import annotations

import csv
import io
import math
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from opendp.accuracy import discrete_laplacian_scale_to_accuracy
from sqlalchemy import Engine
from tests.segmentation.publish.conftest import Nights
from tests.segmentation.test_cli import segmentation

from segmentation.catalog import PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.errors import InvalidSetting, NotThere, PrivacyBudgetSpent
from segmentation.privacy.noise import MISSED, add_noise
from segmentation.privacy.release_segments import Released, read_ledger, release_segments

#: Customer c<n> spent n.10 in n orders; x1 has not ordered.
LABELS = {f"c{n}": 1 if n <= 10 else 2 for n in range(1, 21)} | {"x1": 0}
REVENUE_BOUND, ORDERS_BOUND = 15, 12


@pytest.fixture
def shop(make_settings: Callable[..., Settings], warehouse: Engine) -> Nights:
    """Return a shop with a night and a budget of 1."""
    bounds = {"revenue_bound": REVENUE_BOUND, "orders_bound": ORDERS_BOUND}
    nights = Nights(make_settings(timezone="UTC", privacy={"budget": 1, **bounds}), warehouse)
    nights.night(0, LABELS)
    return nights


def release(shop: Nights, epsilon: str, budget: int | None = None, warehouse: Engine | None = None) -> Released:
    settings = shop.settings
    if budget is not None:
        settings = settings.model_copy(update={"privacy": settings.privacy.model_copy(update={"budget": budget})})
    return release_segments(settings, warehouse or shop.warehouse, shop.day(0), Decimal(epsilon), "ticket 17")


def test_with_hardly_any_noise_the_figures_are_the_clipped_sums(shop: Nights) -> None:
    rows = list(csv.DictReader(io.StringIO(release(shop, "99", budget=100).as_csv())))
    assert [row["segment"] for row in rows] == ["No order yet", "Weekly big baskets", "Rare bargain hunters"]
    # c11 has 11 orders, c12 to c20 count for 12 each; c11 to c14 spent n.10, c15 to c20 count for 15 each
    expected = {
        "customers": [1, 10, 10],
        "orders_28d": [0, sum(range(1, 11)), 11 + 9 * ORDERS_BOUND],
        "revenue_28d": [0, 56, 11.1 + 12.1 + 13.1 + 14.1 + 6 * REVENUE_BOUND],
    }
    for figure, values in expected.items():
        for row, value in zip(rows, values, strict=True):
            assert abs(float(row[figure]) - value) <= 3 * max(float(row[f"{figure}_within"]), 1), (figure, row)
    assert {row["as_of"] for row in rows} == {"2026-03-01"}
    assert float(rows[0]["revenue_28d_within"]) < 2


def test_noise_is_as_large_as_it_has_to_be_and_as_is_told(shop: Nights) -> None:
    """A hundred releases of known sums; honest noise fails once in a million."""
    epsilon = Decimal("0.3")
    bounds = {"customers": 1, "orders_28d": ORDERS_BOUND, "revenue_28d": REVENUE_BOUND * 100}
    truth = {"customers": [1, 10, 10], "orders_28d": [0, 55, 119], "revenue_28d": [0, 5600, 14040]}
    errors: dict[str, list[int]] = {figure: [] for figure in bounds}
    missed = dict.fromkeys(bounds, 0)
    for number in range(100):
        found = release(shop, str(epsilon + number * Decimal("0.000001")), budget=100)
        for figure in bounds:
            unit = 100 if figure == "revenue_28d" else 1
            for row, true in zip(found.entry.figures, truth[figure], strict=True):
                errors[figure].append(round(float(row[figure]) * unit) - true)
                missed[figure] += abs(errors[figure][-1]) > round(float(row[f"{figure}_within"]) * unit)
    for figure, bound in bounds.items():
        assert_noise_of(errors[figure], missed[figure], 3 * bound / float(epsilon))


@pytest.mark.parametrize(("bound", "epsilon"), [(1, 1.0), (1, 0.05), (10, 0.2), (50_000, 0.1)])
def test_noise_has_the_scale_that_bound_and_epsilon_ask_for(bound: int, epsilon: float) -> None:
    noised = add_noise([1000] * 20_000, bound, epsilon)
    errors = [value - 1000 for value in noised.values]
    assert noised.scale == pytest.approx(bound / epsilon)
    assert noised.scale >= bound / epsilon
    assert_noise_of(errors, sum(abs(error) > noised.within for error in errors), bound / epsilon)


def assert_noise_of(errors: list[int], missed: int, scale: float) -> None:
    """Check errors against discrete Laplace noise, by what it is five standard errors from at most."""
    a, count = math.exp(-1 / scale), len(errors)
    assert abs(fmean(errors)) < 5 * scale * math.sqrt(2 / count)
    assert fmean(map(abs, errors)) == pytest.approx(2 * a / (1 - a * a), rel=5 / math.sqrt(count))
    # the largest whole number that is told leaves out 5 % at most, and the next smaller one more
    within = discrete_laplacian_scale_to_accuracy(scale, MISSED)
    share = 2 * a ** (int(within) + 1) / (1 + a)
    assert share <= MISSED
    assert missed == pytest.approx(count * share, abs=5 * math.sqrt(count * share) + 1)


def test_the_same_request_gets_the_same_figures_and_spends_once(shop: Nights) -> None:
    first, again = release(shop, "0.4"), release(shop, "0.40")
    assert (first.is_new, again.is_new) == (True, False)
    assert again.as_csv() == first.as_csv()
    assert again.spent == Decimal("0.4")
    # other labels are other people: what was said of the day before does not answer for them
    shop.night(0, {**LABELS, "c1": 2})
    assert release(shop, "0.4").is_new
    entries, spent = read_ledger(shop.settings, shop.warehouse)
    assert [(one.release_id, one.released_by) for one in entries] == [(1, "ticket 17"), (2, "ticket 17")]
    assert spent == Decimal("0.8")


def test_a_spent_budget_refuses_what_is_new_and_still_answers_what_is_known(shop: Nights) -> None:
    known = [release(shop, step) for step in ("0.1", "0.2", "0.7")]
    with pytest.raises(PrivacyBudgetSpent, match=r"1 of 1 are spent in the last 365 days, 0 is left\. No figure"):
        release(shop, "0.000001")
    assert release(shop, "0.1").as_csv() == known[0].as_csv()
    assert len(read_ledger(shop.settings, shop.warehouse)[0]) == 3


def test_what_was_spent_long_ago_may_be_spent_again(shop: Nights) -> None:
    release(shop, "0.9")
    with shop.warehouse.begin() as connection:
        connection.exec_driver_sql("update ops.privacy_ledger set released_at = now() - interval '366 days'")
    assert release(shop, "0.8").spent == Decimal("0.8")


@pytest.mark.parametrize("asked", [["0.4"] * 6, [f"0.4{n}" for n in range(6)]], ids=["the same", "each its own"])
def test_who_asks_at_once_cannot_overspend(shop: Nights, server: Server, warehouse_database: str, asked: Any) -> None:
    gate = threading.Barrier(len(asked))
    answers: list[Released | PrivacyBudgetSpent] = []

    def ask(epsilon: str) -> None:
        own = server.engine(warehouse_database, PUBLISH_ROLE)
        gate.wait()
        try:
            answers.append(release(shop, epsilon, warehouse=own))
        except PrivacyBudgetSpent as refused:
            answers.append(refused)
        finally:
            own.dispose()

    asking = [threading.Thread(target=ask, args=(epsilon,)) for epsilon in asked]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    released = [one for one in answers if isinstance(one, Released)]
    entries, spent = read_ledger(shop.settings, shop.warehouse)
    assert len(answers) == len(asked)
    assert spent <= 1
    if len(set(asked)) == 1:
        assert len(released) == len(asked)
        assert len({one.as_csv() for one in released}) == len(entries) == 1
    else:
        assert len(released) == len(entries) == 2


def test_nothing_is_released_of_a_day_that_is_not_published_nor_without_a_budget(shop: Nights) -> None:
    with pytest.raises(NotThere, match="2026-03-02 is not published"):
        release_segments(shop.settings, shop.warehouse, shop.day(1), Decimal("0.1"), "")
    with pytest.raises(PrivacyBudgetSpent, match="SEGMENTATION_PRIVACY__BUDGET"):
        release(shop, "0.1", budget=0)
    assert read_ledger(shop.settings, shop.warehouse) == ([], 0)


def test_on_the_command_line(shop: Nights, server: Server, warehouse_database: str, tmp_path: Path) -> None:
    environment = {
        "SEGMENTATION_HOME": str(shop.settings.home),
        "SEGMENTATION_PRIVACY__BUDGET": "0.5",
        "AIRFLOW_CONN_SEGMENTATION_WAREHOUSE": server.url(warehouse_database, PUBLISH_ROLE),
    }
    asked = ("privacy", "release", "--day", "2026-03-01", "--by", "ticket 18", "--epsilon")
    done = segmentation(tmp_path, *asked, "0.5", "--to", "outside.csv", **environment)
    assert done.returncode == 0, done.stderr
    assert "Booked as release 1: 0.5 of 0.5 are spent in the last 365 days." in done.stderr
    again = segmentation(tmp_path, *asked, "0.5", **environment)
    assert again.stdout == (tmp_path / "outside.csv").read_text()
    assert "The same as release 1, nothing more is spent" in again.stderr
    refused = segmentation(tmp_path, *asked, "0.1", "--to", "more.csv", **environment)
    assert refused.returncode == 1
    assert "PrivacyBudgetSpent: a release with epsilon 0.1 is refused" in refused.stderr
    assert not (tmp_path / "more.csv").exists()
    assert segmentation(tmp_path, *asked, "-1", **environment).returncode == 2
    ledger = segmentation(tmp_path, "privacy", "ledger", **environment).stdout.splitlines()
    assert ledger[1].split()[:3] == ["1", "2026-03-01", "0.500000"]
    assert ledger[1].endswith("ticket 18")
    assert ledger[-1] == "0.5 of 0.5 are spent in the last 365 days."


def test_a_budget_that_cannot_be_counted_is_refused_at_the_start(make_settings: Callable[..., Settings]) -> None:
    for wrong in (-1, 0.12345678):
        with pytest.raises((InvalidSetting, ValueError), match="budget"):
            make_settings(privacy={"budget": wrong})
