"""`segmentation bench quality`: how well segments foretell, family by family, and how still they keep."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from segmentation.bench.future import FIGURES, score_labels
from segmentation.bench.replay import replaying, run_again, segments_of
from segmentation.calendar import days_between
from segmentation.catalog import NO_ORDER_SEGMENT, RFM
from segmentation.clusters import confidence, kmeans, segmentation_file
from segmentation.clusters.inputs import read_outlook, read_static, space
from segmentation.config import Settings
from segmentation.evaluate.baselines import baseline_labels
from segmentation.evaluate.evaluate_day import fitted_of
from segmentation.evaluate.futures import known_future

log = logging.getLogger(__name__)

#: Name of the variant without a sequence encoder: the closed-form linear path on the static features.
STATIC_ONLY = "static features only"
#: Moves undone within so many days are counted.
UNDONE_DAYS = 7
#: Resamples that confidence is held against.
RESAMPLES = 20


def score_families(
    settings: Settings, days: Sequence[date], families: Sequence[str], seeds: Sequence[int], source_url: str | None
) -> pd.DataFrame:
    """Train and cluster as of each day, from nothing, and score the segments on the horizon after it.

    Parameters
    ----------
    settings : Settings
        Of a lake whose checked rows reach to the last of ``days``.
    days : sequence of date
        Cut-offs D; nothing after D is used but to score.
    families : sequence of str
        Of `EncoderSettings.family`, or `STATIC_ONLY`.
    seeds : sequence of int
        Seeds of the encoder's training.
    source_url : str, optional
        libpq URL of the shop, for futures that the lake does not reach.

    Returns
    -------
    DataFrame
        ``segmentation``, ``day``, ``seed`` and figures as `segmentation bench future` gives them, one row per
        segmentation, day and seed; the baselines have as many segments as the first family's first model.

    Raises
    ------
    MissingInput
        If the future of a day is not to be had.
    """
    rows: list[tuple[object, ...]] = []
    with replaying(settings) as apart:
        for day in days:
            truth = known_future(settings, day, source_url)
            baselines: dict[str, pd.Series] = {}
            for number, (family, seed) in enumerate((f, s) for f in families for s in seeds):
                told = _with_encoder(apart, family, seed)
                night = run_again(told, day, None, features=number == 0)
                found = segments_of(told, night.night)
                rows.append((family, day, seed, *score_labels(found, truth, settings.evaluate.seed)))
                log.info("%s, %s, seed %s: %s", day, family, seed, rows[-1][3:])
                if not baselines:
                    static = read_static(apart.lake, day)
                    baselines = baseline_labels(static, night.clustered.k, settings.evaluate.seed)
            for name, labels in baselines.items():
                rows.append((name, day, seeds[0], *score_labels(labels, truth, settings.evaluate.seed)))
    return pd.DataFrame(rows, columns=["segmentation", "day", "seed", *FIGURES])


def summarise_families(scores: pd.DataFrame) -> pd.DataFrame:
    """Average over days and seeds; ``…_se`` is the standard error over seeds of the mean over days."""
    by_seed = scores.groupby(["segmentation", "seed"], sort=False)[list(FIGURES)].mean()
    mean = by_seed.groupby("segmentation", sort=False).mean()
    seeds = by_seed.groupby("segmentation", sort=False)["spend_r2"].count()
    spread = by_seed.groupby("segmentation", sort=False)[["spend_r2", "log_orders_r2", "churn_auc"]].std(ddof=1)
    return mean.join(spread.div(np.sqrt(seeds), axis=0).add_suffix("_se")).round(4).reset_index()


def score_stillness(settings: Settings, first: date, last: date, source_url: str | None) -> tuple[pd.DataFrame, str]:
    """Run consecutive nights, each fine-tuned from the one before, and count who moves.

    Parameters
    ----------
    settings : Settings
        Of a lake whose checked rows reach to ``last``.
    first, last : date
        Business days, both included; the first is a cold start.
    source_url : str, optional
        As for `score_families`.

    Returns
    -------
    DataFrame
        A row per night after the first: adjusted Rand index to the night before, share of customers who moved,
        share of its moves that were undone within `UNDONE_DAYS` (NaN without moves), ids born and retired.
    str
        What stillness costs: R² of the last night's segments beside as many K-means segments drawn afresh.
    """
    rows: list[tuple[object, ...]] = []
    labels: list[pd.Series] = []
    base = None
    with replaying(settings) as apart:
        for day in days_between(first, last):
            night = run_again(apart, day, base)
            base = night.night
            labels.append(segments_of(apart, base))
            if len(labels) > 1:
                both = pd.concat([labels[-2], labels[-1]], axis=1, join="inner").to_numpy()
                moved = float((both[:, 0] != both[:, 1]).mean())
                index = adjusted_rand_score(both[:, 0], both[:, 1])
                found = night.clustered
                rows.append((day, found.k, found.searched, index, moved, found.born, found.retired))
                log.info("%s: adjusted Rand index %.3f, %.1f %% moved", day, index, 100 * moved)
        truth = known_future(settings, last, source_url)
        kept = score_labels(labels[-1], truth, settings.evaluate.seed)
        outlook = read_outlook(apart.lake, last, read_static(apart.lake, last))
        against = "there is no model to draw segments afresh from"
        if outlook.columns:
            values = outlook.space(outlook.table)
            codes = kmeans.nearest(values, kmeans.fit(values, int(kept[0]), settings.clusters.seed))
            fresh = score_labels(
                pd.Series(codes, index=outlook.table["customer_id"].to_numpy()), truth, settings.evaluate.seed
            )
            against = f"against {fresh[2]:.3f} and {fresh[3]:.3f} drawn afresh"
    columns = ["day", "k", "searched", "adjusted_rand_index", "moved_share", "born", "retired"]
    nights = pd.DataFrame(rows, columns=columns)
    nights.insert(5, "undone_share", _undone(labels))
    cost = f"spend R² {kept[2]:.3f} and log orders R² {kept[3]:.3f} on the horizon after {last}, {against}"
    return nights.round(4), cost


def score_confidence(settings: Settings, day: date) -> pd.DataFrame:
    """Hold the confidence of one night, run again from nothing, against resamples that it was not made from.

    Parameters
    ----------
    settings : Settings
        Of a lake whose checked rows reach to ``day``.
    day : date
        Business day.

    Returns
    -------
    DataFrame
        ``from``, ``to``, ``customers``, ``confidence`` (mean of what was said), ``same_segment`` (share of `RESAMPLES`
        in which these customers got the same segment); no rows for RFM segments, which are a rule.
    """
    with replaying(settings) as apart:
        night = run_again(apart, day, None).night
        segmentation, labels = segmentation_file.read(apart.lake, day, night.segmentation_version)
        outlook = read_outlook(apart.lake, day, read_static(apart.lake, day))
        rows: list[tuple[float, float, int, float, float]] = []
        if segmentation.algorithm != RFM:
            placed = labels[labels["segment_id"] != NO_ORDER_SEGMENT].set_index("customer_id")
            placed = placed.loc[outlook.table["customer_id"]]
            chosen = pd.Index([segment.segment_id for segment in segmentation.active]).get_indexer(
                pd.Index(placed["segment_id"])
            )
            values = space(outlook.table, segmentation.outlook_columns, np.array(segmentation.outlook_weights))
            fitted = fitted_of(apart, segmentation, labels, outlook)
            seed = apart.clusters.seed + RESAMPLES
            judged, agree = confidence.agreement(values, fitted, chosen.astype(np.int64), RESAMPLES, seed)
            said = placed["confidence"].to_numpy(dtype=float)[judged]
            rows = confidence.reliability(said, agree, np.array([0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0]))
    return pd.DataFrame(rows, columns=["from", "to", "customers", "confidence", "same_segment"]).round(3)


def _with_encoder(settings: Settings, family: str, seed: int) -> Settings:
    chosen = {"cold_epochs": 0} if family == STATIC_ONLY else {"family": family}
    return settings.model_copy(update={"encoder": settings.encoder.model_copy(update={**chosen, "seed": seed})})


def _undone(labels: Sequence[pd.Series]) -> list[float]:
    """Return, for each night after the first, the share of its moves that went back within `UNDONE_DAYS`."""
    table = pd.concat(labels, axis=1, join="inner").to_numpy()
    shares = []
    for night in range(1, table.shape[1]):
        moved = np.flatnonzero(table[:, night] != table[:, night - 1])
        later = table[moved, night + 1 : night + 1 + UNDONE_DAYS]
        back = (later == table[moved, night - 1][:, None]).any(axis=1)
        shares.append(float(back.mean()) if len(moved) and later.shape[1] else float("nan"))
    return shares


def default_days(last: date) -> list[date]:
    """Return the last days of the three newest months up to ``last``.

    Examples
    --------
    >>> [day.isoformat() for day in default_days(date(2017, 10, 31))]
    ['2017-08-31', '2017-09-30', '2017-10-31']
    """
    ends = [day for offset in range(93) if ((day := last - timedelta(days=offset)) + timedelta(days=1)).day == 1]
    return sorted(ends[:3])
