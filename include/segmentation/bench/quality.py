"""`segmentation bench quality`: how well segments foretell, family by family, and how still they keep."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from segmentation.bench.future import FIGURES, score_labels
from segmentation.bench.references import reference_labels
from segmentation.bench.replay import STATIC_ONLY, replaying, run_again, segments_of, with_encoder
from segmentation.calendar import days_between
from segmentation.catalog import NO_ORDER_SEGMENT, RFM
from segmentation.clusters import confidence, kmeans, segmentation_file
from segmentation.clusters.inputs import read_outlook, read_static, space
from segmentation.clusters.recluster import recluster
from segmentation.clusters.view import VALUE_COLUMNS
from segmentation.config import Settings
from segmentation.encoder.outlook import read_outlook_tables, write_outlook_tables
from segmentation.encoder.registry import load_encoder
from segmentation.evaluate.evaluate_day import fitted_of
from segmentation.evaluate.futures import known_future, of_customers
from segmentation.evaluate.usefulness import crossfit_errors, crossfit_linear_r2, rank_auc
from segmentation.runs import PublishedNight

log = logging.getLogger(__name__)

#: Name of the mean of the sequence encoders' outlooks, and of an outlook without segments.
AVERAGE = "average of the encoders"
CEILING = "the outlook itself, no segments"
#: Moves undone within so many days are counted.
UNDONE_DAYS = 7
#: Resamples that confidence is held against.
RESAMPLES = 100


@dataclass(frozen=True)
class Scored:
    """One segmentation of one day, or the outlook itself, held against what came.

    Attributes
    ----------
    segmentation : name of the row in the table
    day, seed : cut-off, and seed of the encoder's training
    figures : see `FIGURES`; k and smallest share are NaN for an outlook
    errors : by ``customer_id``: squared errors of the cross-fitted foretelling of log spend and log orders, and those
        of the overall mean (``…_mean``)
    """

    segmentation: str
    day: date
    seed: int
    figures: tuple[float, ...]
    errors: pd.DataFrame


def score_families(
    settings: Settings, days: Sequence[date], families: Sequence[str], seeds: Sequence[int], source_url: str | None
) -> list[Scored]:
    """Train and cluster as of each day, from nothing, and score the segments on the horizon after it.

    Parameters
    ----------
    settings : Settings
        Of a lake whose checked rows reach to the last of ``days``.
    days : sequence of date
        Cut-offs D; nothing after D is used but to score.
    families : sequence of str
        Of `EncoderSettings.family`, or `STATIC_ONLY`, which is trained once, since it draws nothing.
    seeds : sequence of int
        Seeds of the encoder's training.
    source_url : str, optional
        libpq URL of the shop, for futures that the lake does not reach.

    Returns
    -------
    list of Scored
        Per day every family with every seed; with several sequence encoders also their `AVERAGE`; the `BASELINES` with
        as many segments as are allowed; and the default family's outlook without segments, `CEILING`.

    Raises
    ------
    MissingInput
        If the future of a day is not to be had.
    """
    found: list[Scored] = []
    with replaying(settings) as apart:
        for day in days:
            truth = known_future(settings, day, source_url)
            outlooks: dict[int, list[tuple[pd.DataFrame, pd.DataFrame]]] = {}
            runs = [(family, seed) for family in families for seed in (seeds[:1] if family == STATIC_ONLY else seeds)]
            for number, (family, seed) in enumerate(runs):
                told = with_encoder(apart, family, seed)
                night = run_again(told, day, None, features=number == 0)
                found.append(_score(family, day, seed, segments_of(told, night.night), truth, settings))
                tables = read_outlook_tables(told.lake, day)
                if family != STATIC_ONLY:
                    outlooks.setdefault(seed, []).append(tables)
                if family == settings.encoder.family:
                    found.append(_score_outlook(day, seed, tables[0], truth, settings))
            for seed, tables_of in outlooks.items():
                if len(tables_of) > 1:
                    told = with_encoder(apart, settings.encoder.family, seed)
                    write_outlook_tables(told.lake, day, *(_mean(parts) for parts in zip(*tables_of, strict=True)))
                    clustered = recluster(told, day, None)
                    averaged = PublishedNight(day, "bench", "average", clustered.segmentation_version)
                    found.append(_score(AVERAGE, day, seed, segments_of(told, averaged), truth, settings))
            encoder = load_encoder(apart.models, night.night.model_version)
            static = read_static(apart.lake, day)
            labels_of = reference_labels(apart, day, static, encoder, settings.clusters.k_max)
            found += [_score(name, day, seeds[0], labels, truth, settings) for name, labels in labels_of.items()]
    return found


def _score(name: str, day: date, seed: int, labels: pd.Series, truth: pd.DataFrame, settings: Settings) -> Scored:
    halves = settings.evaluate.seed
    figures = score_labels(labels, truth, halves)
    happened = of_customers(truth, pd.Index(labels.index))
    errors = {}
    for target in ("spend", "orders"):
        values = np.log1p(happened[target].to_numpy().clip(min=0.0))
        errors[target], errors[f"{target}_mean"] = crossfit_errors(values, labels.to_numpy(), halves)
    scored = Scored(name, day, seed, figures, pd.DataFrame(errors, index=labels.index))
    log.info("%s, %s, seed %s: %s", day, name, seed, np.round(figures, 4).tolist())
    return scored


def _score_outlook(day: date, seed: int, outlook: pd.DataFrame, truth: pd.DataFrame, settings: Settings) -> Scored:
    """Score what is foreseen itself: a linear calibration of the three columns of value, cross-fitted like segments."""
    happened = of_customers(truth, pd.Index(outlook["customer_id"]))
    values = outlook[[column for column in VALUE_COLUMNS if column in outlook]].to_numpy(dtype=float)
    logs = [np.log1p(happened[name].to_numpy().clip(min=0.0)) for name in ("spend", "orders")]
    targets = (*logs, happened["orders"].to_numpy())
    r2 = [crossfit_linear_r2(target, values, settings.evaluate.seed) for target in targets]
    area = rank_auc(1.0 - happened["bought"].to_numpy(), outlook["churn_probability"].to_numpy(dtype=float))
    return Scored(CEILING, day, seed, (math.nan, math.nan, *r2, area), pd.DataFrame())


def _mean(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Average the figures of outlooks of the same customers."""
    averaged = tables[0].copy()
    for column in averaged.columns[averaged.dtypes.map(pd.api.types.is_float_dtype)]:
        averaged[column] = np.mean([table[column].to_numpy(dtype=float) for table in tables], axis=0)
    return averaged


def summarise_families(scored: Sequence[Scored]) -> pd.DataFrame:
    """Average over days and seeds; ``…_se`` is the standard error over seeds of the mean over days."""
    table = pd.DataFrame(
        [(one.segmentation, one.seed, *one.figures) for one in scored], columns=["segmentation", "seed", *FIGURES]
    )
    by_seed = table.groupby(["segmentation", "seed"], sort=False)[list(FIGURES)].mean()
    mean = by_seed.groupby("segmentation", sort=False).mean()
    mean["smallest_share"] = table.groupby("segmentation", sort=False)["smallest_share"].min()
    seeds = by_seed.groupby("segmentation", sort=False)["spend_r2"].count()
    spread = by_seed.groupby("segmentation", sort=False)[["spend_r2", "log_orders_r2", "churn_auc"]].std(ddof=1)
    return mean.join(spread.div(np.sqrt(seeds), axis=0).add_suffix("_se")).round(4).reset_index()


def compare_families(scored: Sequence[Scored], default: str, seed: int, draws: int = 1_000) -> pd.DataFrame:
    """Tell how much more one segmentation foretells than each other, with intervals.

    Parameters
    ----------
    scored : sequence of Scored
        From `score_families`.
    default : str
        The segmentation to compare.
    seed : int
        Seed of the bootstrap.
    draws : int
        Resamples.

    Returns
    -------
    DataFrame
        ``segmentation`` and for ``spend`` and ``orders`` the difference of R² with a 95 % interval (``…_low``,
        ``…_high``). Paired: each resample draws customers, the same ones of all segmentations and days, and a seed of
        each segmentation for each day.
    """
    judged = [one for one in scored if not one.errors.empty]
    customers = pd.Index(sorted(set().union(*(one.errors.index for one in judged))))
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(customers), np.full(len(customers), 1 / len(customers)), draws).astype(float)
    weights = np.concatenate([np.ones((1, len(customers))), drawn])
    r2: dict[tuple[str, date], list[dict[str, NDArray[np.float64]]]] = {}
    for one in judged:
        sums = weights @ one.errors.reindex(customers).fillna(0.0).to_numpy()
        of_targets = {name: 1.0 - sums[:, 2 * i] / sums[:, 2 * i + 1] for i, name in enumerate(("spend", "orders"))}
        r2.setdefault((one.segmentation, one.day), []).append(of_targets)
    names = list(dict.fromkeys(name for name, _ in r2))
    days = sorted({day for _, day in r2})

    def mean_r2(name: str, target: str) -> NDArray[np.float64]:
        of_days = []
        for day in days:
            runs = np.stack([run[target] for run in r2[name, day]])
            picked = runs[generator.integers(0, len(runs), draws + 1), np.arange(draws + 1)]
            picked[0] = runs[:, 0].mean()
            of_days.append(picked)
        return np.mean(of_days, axis=0)

    ours = {target: mean_r2(default, target) for target in ("spend", "orders")}
    rows = []
    for name in names:
        if name == default:
            continue
        row: dict[str, object] = {"segmentation": name}
        for target, mine in ours.items():
            gap = mine - mean_r2(name, target)
            low, high = np.quantile(gap[1:], [0.025, 0.975])
            row |= {target: gap[0], f"{target}_low": low, f"{target}_high": high}
        rows.append(row)
    return pd.DataFrame(rows).round(4)


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
