"""The heads' scales: an outlook must mean the same on every night of a model's life."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from segmentation.encoder.heads import BEHAVIOUR_HEADS, LOSS_WEIGHTS, Head, HeadScale, raw_targets, taste_heads

BOUGHT, SPEND = BEHAVIOUR_HEADS[0], BEHAVIOUR_HEADS[1]


@pytest.fixture
def targets() -> pd.DataFrame:
    """Of 200 customers every other one bought, for 1 to 100; one got back more than was paid."""
    bought = np.arange(200) % 2
    spend = np.where(bought, np.arange(200) / 2 + 0.5, 0.0)
    spend[0] = -5.0
    return pd.DataFrame({"bought": bought, "spend": spend})


def test_what_happened_becomes_log_amounts_and_shares(targets: pd.DataFrame) -> None:
    taste = taste_heads(["toys"])
    raw = raw_targets([BOUGHT, SPEND, *taste], targets, np.full((200, 1), 0.25))
    assert raw.shape == (200, 3)
    assert raw[:2].tolist() == [[0.0, 0.0, 0.25], [1.0, pytest.approx(np.log1p(1.0)), 0.25]]


def test_training_targets_and_outlook_are_in_standard_deviations(targets: pd.DataFrame) -> None:
    raw = raw_targets([BOUGHT, SPEND], targets, np.zeros((200, 0)))
    scale = HeadScale.fit([BOUGHT, SPEND], raw)
    scaled = scale.training_targets(raw)
    assert sorted(set(scaled[:, 0])) == [0.0, 1.0]
    assert scaled[:, 1].mean() == pytest.approx(0, abs=1e-5)
    assert scaled[:, 1].std() == pytest.approx(1, abs=1e-5)
    # log-odds of zero is a chance of one half, the mean here
    assert scale.outlook(np.array([[0.0, 1.5]], np.float32))[0].tolist() == pytest.approx([0.0, 1.5], abs=1e-5)
    certain = scale.outlook(np.array([[50.0, 0.0]], np.float32))[0, 0]
    assert certain == pytest.approx((1 - 0.5) / 0.5, abs=1e-4)
    assert HeadScale.from_dict(scale.to_dict()).mean.tolist() == scale.mean.tolist()


def test_heads_of_which_nothing_is_known_or_nothing_varies_are_dropped(targets: pd.DataFrame) -> None:
    unknown, same = (Head(name, name, "plain", "habit", "", "") for name in ("unknown", "same"))
    frame = targets.assign(unknown=np.nan, same=0.5)
    raw = raw_targets([BOUGHT, unknown, same], frame, np.zeros((200, 0)))
    assert [head.name for head in HeadScale.fit([BOUGHT, unknown, same], raw).heads] == ["bought"]


def test_every_head_has_words_and_a_place_in_the_loss() -> None:
    heads = (*BEHAVIOUR_HEADS, *taste_heads(["a", "b"]))
    scale = HeadScale(heads, np.zeros(len(heads), np.float32), np.ones(len(heads), np.float32))
    assert scale.loss_weights().sum() == pytest.approx(1)
    assert len({head.column for head in heads}) == len(heads)
    for head in heads:
        assert head.group in LOSS_WEIGHTS
        assert head.high
        assert head.low
        assert head.high != head.low
