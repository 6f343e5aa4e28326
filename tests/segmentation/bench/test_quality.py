"""`segmentation bench quality` and `bench stillness`: nights run again from a lake, scored on what came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine

from segmentation.bench.marks import marks, write_between_marks
from segmentation.bench.quality import (
    AVERAGE,
    CEILING,
    _undone,
    compare_families,
    score_families,
    score_stillness,
    summarise_families,
)
from segmentation.bench.quality_page import COMMAND, quality_table
from segmentation.bench.references import BASELINES
from segmentation.bench.replay import STATIC_ONLY
from segmentation.calendar import business_day_of
from segmentation.config import ClusterSettings, EncoderSettings, Settings
from segmentation.extract.extract_day import extract_day
from segmentation.validate.validate_day import validate_day


@pytest.fixture
def checked_lake(make_settings: Callable[..., Settings], small_shop, warehouse: Engine) -> tuple[Settings, object]:
    """Return a lake with the small shop's rows, checked, up to 40 days before its last day."""
    settings = make_settings(
        timezone=small_shop.timezone,
        encoder=EncoderSettings(cold_epochs=1, warm_epochs=1, minimum_customers=50),
        clusters=ClusterSettings(bootstraps=2, k_max=4),
    )
    day = business_day_of(small_shop.now, small_shop.timezone) - timedelta(days=40)
    extract_day(settings, day, small_shop.url, small_shop.now)
    validate_day(settings, day, warehouse, "bench", small_shop.now)
    return settings, day


@pytest.mark.timeout(600)
def test_families_and_nights_are_scored_on_the_future(checked_lake: tuple, small_shop) -> None:
    settings, day = checked_lake
    scored = score_families(settings, [day], [STATIC_ONLY, "cnn_rnn", "cnn"], [1], small_shop.url)
    names = [one.segmentation for one in scored]
    assert names == [STATIC_ONLY, "cnn_rnn", CEILING, "cnn", AVERAGE, *BASELINES]
    summary = summarise_families(scored).set_index("segmentation")
    assert np.isfinite(summary[["spend_r2", "log_orders_r2", "churn_auc"]].to_numpy(dtype=float)).all()
    assert (summary["churn_auc"] > 0.5).all()

    gaps = compare_families(scored, "cnn_rnn", seed=1, draws=200).set_index("segmentation")
    assert set(gaps.index) == {STATIC_ONLY, "cnn", AVERAGE, *BASELINES}
    assert (gaps["spend_low"] <= gaps["spend_high"]).all()
    real = summary.loc["cnn_rnn", "spend_r2"] - summary.loc[gaps.index, "spend_r2"]
    # sums of errors against means of ratios: the same but for the unequal halves
    np.testing.assert_allclose(gaps["spend"], real, atol=0.02)
    assert f"| cnn_rnn (default) | {summary.loc['cnn_rnn', 'k']:.0f} |" in quality_table(scored, "cnn_rnn", seed=1)

    nights, cost = score_stillness(settings, day - timedelta(days=2), day, small_shop.url)
    assert nights["day"].tolist() == [day - timedelta(days=1), day]
    assert nights["moved_share"].between(0, 0.2).all()
    assert f"after {day}, against " in cost
    # nothing of it is left in the lake, nor were its rows touched
    assert [path.name for path in settings.home.iterdir() if path.name.startswith("bench-")] == []
    assert settings.lake.days("outlook") == []


def test_the_page_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    page = tmp_path / "QUALITY.md"
    begin, end = marks(COMMAND)
    page.write_text(f"# Quality\n\n{begin}\nold\n{end}\nby hand\n")
    write_between_marks(page, COMMAND, "| new |")
    assert page.read_text() == f"# Quality\n\n{begin}\n\n| new |\n\n{end}\nby hand\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no lines"):
        write_between_marks(page, COMMAND, "| new |")


def test_moves_that_go_back_within_a_week_count_as_undone() -> None:
    customers = ["a", "b", "c"]
    nights = [pd.Series(labels, customers) for labels in ([1, 1, 1], [2, 2, 1], [1, 2, 1], [1, 2, 2])]
    undone = _undone(nights)
    assert undone[:2] == [0.5, 0.0]
    assert np.isnan(undone[2])
