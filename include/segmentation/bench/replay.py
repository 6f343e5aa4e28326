"""Nights run again from a lake's checked rows, in a home of their own, without source, Airflow or warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from segmentation.catalog import CHECKED, NO_ORDER_SEGMENT, SNAPSHOT_TABLES
from segmentation.clusters import segmentation_file
from segmentation.clusters.recluster import ReclusterResult, recluster
from segmentation.config import Settings
from segmentation.encoder.encode_day import EncodeResult, encode_day
from segmentation.features.build_features import build_features
from segmentation.runs import PublishedNight

#: Name of the variant without a sequence encoder: the closed-form linear path on the static features.
STATIC_ONLY = "static features only"


@dataclass(frozen=True)
class ReplayedNight:
    """One night's outcome.

    Attributes
    ----------
    night : what the next night builds on
    encoded, clustered : what the steps say of themselves
    """

    night: PublishedNight
    encoded: EncodeResult
    clustered: ReclusterResult


@contextmanager
def replaying(settings: Settings) -> Iterator[Settings]:
    """Yield settings with a temporary home that shares the checked rows; all else is made anew and removed."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=settings.home, prefix="bench-") as folder:
        apart = settings.apart(Path(folder))
        checked = settings.lake.path(CHECKED)
        for whole in checked.iterdir():
            if whole.name not in SNAPSHOT_TABLES:
                link(apart.lake.root / CHECKED / whole.name, whole)
        for table in SNAPSHOT_TABLES:
            for day in settings.lake.days(CHECKED, table):
                link(apart.lake.path(CHECKED, table, day=day), settings.lake.path(CHECKED, table, day=day))
        yield apart


def run_again(settings: Settings, day: date, base: PublishedNight | None, *, features: bool = True) -> ReplayedNight:
    """Run features (unless they are there), encode and cluster of one day as the nightly run does.

    Parameters
    ----------
    settings : Settings
        From `replaying`.
    day : date
        Business day.
    base : PublishedNight or None
        `ReplayedNight.night` of the night before.
    features : bool
        False: the features of the day were made before.
    """
    if features:
        borrow_snapshots(settings, day)
        build_features(settings, day, warm=base is not None)
    encoded = encode_day(settings, day, base, None, "bench")
    clustered = recluster(settings, day, base)
    night = PublishedNight(day, "bench", encoded.model_version, clustered.segmentation_version)
    return ReplayedNight(night, encoded, clustered)


def borrow_snapshots(settings: Settings, day: date) -> None:
    """Stand in for customers and products of a day that was never run: as they were on the nearest one that was."""
    for table in SNAPSHOT_TABLES:
        kept = settings.lake.days(CHECKED, table)
        if kept and day not in kept:
            nearest = min(kept, key=lambda other: abs(other - day))
            link(settings.lake.path(CHECKED, table, day=day), settings.lake.path(CHECKED, table, day=nearest).resolve())


def link(path: Path, target: Path) -> None:
    """Let a lake see another one's folder, as its own ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target.resolve(), target_is_directory=True)


def segments_of(settings: Settings, night: PublishedNight) -> pd.Series:
    """Return the segment id of each customer with an order, by ``customer_id``."""
    _, labels = segmentation_file.read(settings.lake, night.business_day, night.segmentation_version)
    return labels[labels["segment_id"] != NO_ORDER_SEGMENT].set_index("customer_id")["segment_id"].astype(int)


def with_encoder(settings: Settings, family: str, seed: int) -> Settings:
    """Return settings with another encoder: a family of `EncoderSettings.family`, or `STATIC_ONLY`, and a seed."""
    chosen = {"cold_epochs": 0} if family == STATIC_ONLY else {"family": family}
    return settings.model_copy(update={"encoder": settings.encoder.model_copy(update={**chosen, "seed": seed})})
