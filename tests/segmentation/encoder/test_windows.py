"""Windows are read in shards of bounded size; what a shop is cut into must not change what is learnt from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from segmentation.catalog import WINDOWS
from segmentation.config import EncoderSettings, Settings
from segmentation.encoder import windows
from segmentation.encoder.heads import BEHAVIOUR_HEADS, HeadScale, taste_heads
from segmentation.encoder.network import build_network
from segmentation.encoder.runtime import start_tensorflow
from segmentation.encoder.timelines import padded_lengths
from segmentation.encoder.train_encoder import predictor
from segmentation.encoder.windows import InputPreparation, TrainingWindows, choose, name_categories, read_customers
from segmentation.features.training_sample import TrainingSample

DAY = date(2026, 3, 31)
EVERYBODY = TrainingSample(held_out_share=0.2)


@pytest.fixture
def folders(tmp_path: Path, tiny: Callable[..., Settings], world: Callable[..., None]) -> list[Path]:
    """Buckets of two cut-offs of 300 customers."""
    settings = tiny(tmp_path)
    world(settings, DAY, customers=300)
    return sorted(file.parent for file in settings.lake.path(WINDOWS, day=DAY).glob("cutoff=*/bucket=*/static.parquet"))


@pytest.fixture
def fitted(folders: list[Path]) -> tuple[InputPreparation, HeadScale]:
    """Fit preparation and heads on all of them."""
    categories = name_categories(folders, 2)
    blocks = [read_customers(folder, categories, 64) for folder in folders]
    preparation = InputPreparation.fit(blocks, categories, 64)
    heads = (*BEHAVIOUR_HEADS, *taste_heads(categories))
    raw = np.concatenate([preparation.raw_targets(block, heads) for block in blocks])
    return preparation, HeadScale.fit(heads, raw)


def _passed(source: TrainingWindows, seed: int | None = None) -> list[tuple[float, ...]]:
    draws = None if seed is None else np.random.default_rng(seed)
    found: list[tuple[float, ...]] = []
    for shard in source.shards():
        for rows in shard.batches(32, draws):
            (codes, numbers, static), targets = shard.take(rows, padded_lengths(64))
            assert codes.shape == (*numbers.shape[:2], 2)
            assert static.shape == (len(rows), static.shape[1])
            assert len(targets) == len(rows) <= 32
            found += [tuple(row) for row in static.tolist()]
    return found


def test_sides_share_no_customer_and_miss_none(folders: list[Path], fitted: tuple[InputPreparation, HeadScale]) -> None:
    seen, apart = (TrainingWindows(folders, *fitted, EVERYBODY, held_out) for held_out in (False, True))
    assert len(seen) + len(apart) == 2 * 300
    assert 0.1 < len(apart) / 600 < 0.3
    assert not set(_passed(seen)) & set(_passed(apart))


def test_a_sample_is_some_of_either_side_with_their_own_windows(
    folders: list[Path], fitted: tuple[InputPreparation, HeadScale]
) -> None:
    for held_out in (False, True):
        whole = TrainingWindows(folders, *fitted, EVERYBODY, held_out)
        some, more = (TrainingWindows(folders, *fitted, TrainingSample(0.2, share), held_out) for share in (0.3, 0.6))
        assert 0.15 < len(some) / len(whole) < 0.45
        assert set(_passed(some)) < set(_passed(more)) < set(_passed(whole))
        assert len(_passed(some)) == len(some)
        # a customer is in it with every cut-off, or with none
        assert len(some) % 2 == 0


def test_shards_change_the_memory_needed_and_nothing_else(
    folders: list[Path], fitted: tuple[InputPreparation, HeadScale], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = TrainingWindows(folders, *fitted, EVERYBODY, held_out=False)
    monkeypatch.setattr(windows, "WINDOWS_A_PASS", 130)
    cut = TrainingWindows(folders, *fitted, EVERYBODY, held_out=False)
    assert len(list(cut.shards())) == len(folders)
    assert sorted(_passed(cut)) == sorted(_passed(whole)) == sorted(_passed(whole, seed=1))
    assert _passed(whole, seed=1) == _passed(whole, seed=1) != _passed(whole, seed=2)
    for source in (whole, cut):
        assert source.sizes == tuple(len(shard) for shard in source.shards())
        assert len(source.owners) == len(source)
        # everybody has a window at both cut-offs
        assert (np.bincount(source.owners) == 2).all()


def test_what_is_foreseen_does_not_depend_on_who_else_is_asked_about(
    folders: list[Path], fitted: tuple[InputPreparation, HeadScale]
) -> None:
    start_tensorflow(EncoderSettings())
    preparation, scale = fitted
    network = build_network("cnn_rnn", 16, 2, preparation.width, len(scale.heads))
    draws = np.random.default_rng(1)
    network.set_weights([draws.normal(0, 0.1, weights.shape) for weights in network.get_weights()])
    predict = predictor(network, 64)
    everybody = preparation.read(folders[0])
    expected = predict(preparation.apply(everybody, scale))
    # customers of like length at a time, so padded otherwise than among all
    for few in np.array_split(np.argsort(everybody.timelines.lengths, kind="stable"), 7):
        found = predict(preparation.apply(choose(everybody, few), scale))
        np.testing.assert_allclose(found, expected[few], atol=1e-6)


def test_categories_are_named_by_what_customers_spend_on(folders: list[Path]) -> None:
    two = name_categories(folders, 2)
    assert len(two) == 2
    assert name_categories(folders, 10)[:2] == two
    assert set(name_categories(folders, 10)) == {"books", "garden", "toys"}
    assert name_categories(folders, 0) == ()


def test_chosen_customers_keep_their_own_events(folders: list[Path]) -> None:
    everybody = read_customers(folders[0], ["books"], 64)
    rows = np.array([7, 3])
    two = choose(everybody, rows)
    assert two.customer_ids.tolist() == everybody.customer_ids[rows].tolist()
    for place, row in enumerate(rows):
        theirs = everybody.timelines.codes[everybody.timelines.starts[row] : everybody.timelines.starts[row + 1]]
        kept = two.timelines.codes[two.timelines.starts[place] : two.timelines.starts[place + 1]]
        assert kept.tolist() == theirs.tolist()


def test_preparation_survives_being_stored(folders: list[Path], fitted: tuple[InputPreparation, HeadScale]) -> None:
    preparation, scale = fitted
    again = InputPreparation.from_dict(preparation.to_dict())
    customers = preparation.read(folders[0])
    before, after = preparation.apply(customers, scale), again.apply(customers, scale)
    assert before.static.shape == (150, preparation.width)
    assert np.isfinite(before.static).all()
    np.testing.assert_array_equal(before.static, after.static)
    np.testing.assert_array_equal(before.timelines.numbers, after.timelines.numbers)


def test_files_about_other_customers_are_refused(folders: list[Path]) -> None:
    timeline = folders[0] / "timeline.parquet"
    pq.write_table(pq.read_table(timeline, partitioning=None).slice(1), timeline)
    with pytest.raises(ValueError, match=r"timeline.parquet and static.parquet beside it differ in customers"):
        read_customers(folders[0], [], 64)
