"""A published night's segments as others are put into them: what the night said of its own customers holds for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from segmentation.clusters import segmentation_file
from segmentation.clusters.fitted import nearest
from segmentation.clusters.published import published_segments
from segmentation.clusters.recluster import recluster
from segmentation.config import Settings

DAY = date(2026, 5, 1)
FOUR = ["regulars", "feasters", "samplers", "gone"] * 60


@pytest.fixture
def night(cluster_settings: Settings, write_night: Callable[..., list[str]]) -> tuple[Settings, str]:
    write_night(cluster_settings, DAY, FOUR, spread=0.7)
    return cluster_settings, recluster(cluster_settings, DAY, None).segmentation_version


def test_the_nights_own_customers_get_their_segment_and_their_confidence_back(night: tuple[Settings, str]) -> None:
    settings, version = night
    segmentation, labels = segmentation_file.read_base(settings.lake, DAY, version)
    found = published_segments(settings, segmentation, labels)
    assert found is not None
    assert (nearest(found.fitted, found.there) == found.theirs).all()
    said = labels.set_index("customer_id")["confidence"]
    assert said.nunique() > 1
    np.testing.assert_allclose(found.confidence(found.there, found.theirs), said.to_numpy(), atol=1e-4)


def test_who_is_nearer_to_the_middle_of_a_segment_is_at_least_as_sure(night: tuple[Settings, str]) -> None:
    settings, version = night
    found = published_segments(settings, *segmentation_file.read_base(settings.lake, DAY, version))
    assert found is not None
    first, second = found.fitted.centroids[:2]
    way = np.stack([first + share * (second - first) for share in (0.0, 0.2, 0.4, 0.49)])
    sure = found.confidence(way, np.zeros(4, dtype=np.int64))
    assert (np.diff(sure) <= 0).all()


def test_only_the_columns_asked_for_are_read(night: tuple[Settings, str]) -> None:
    settings, version = night
    _, labels = segmentation_file.read_base(settings.lake, DAY, version, ("customer_id", "segment_id"))
    # the two that older nights lack are always there
    assert set(labels.columns) == {"customer_id", "segment_id", "taste_id", "position"}
