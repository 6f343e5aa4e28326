"""Which grouping: by what the segments foretell, how stable and how separate they are.

K-means, Gaussian mixtures, DBSCAN and HDBSCAN are all searched, each over a range of parameters. Each candidate is
fitted on tonight's outlook. Its segments are then given to the customers as they were foreseen one horizon ago,
whose future has come true since, and scored on that future (cross-fitted). The choice, in words:

1. A candidate is refused if a segment is too small, too many customers are noise, the number of segments is out of
   bounds, or the segments are not found again on resamples (bootstrap stability [1]_). A density algorithm may find
   two segments, fewer than the others are told: it would have found more, had there been more.
2. Among the allowed, all within tolerance of the most useful are near it, whichever algorithm made them.
   Last night's segments are kept if they are among these, stable on resamples or not: a new drawing moves customers.
3. Otherwise those go on than which no other near one has a better silhouette [2]_ and cuts through no more crowds, and
   of these the fewest segments win, unless more gain something. So customers without groups are cut as fine as pays,
   and groups that lie apart are not lumped because the future tells little between two of them. Among equally few,
   those go on that are about as separate (see `shape`) and about as stable as the best; of these the simplest to
   explain wins: K-means before mixtures before density.
4. Where no future has matured, or segments foretell next to nothing of it, the shape decides. K-means stands for
   itself by its silhouette. Since the silhouette is unfair to groups that are no balls, mixtures and density
   groups are compared by the path silhouette, and replace K-means if theirs is clearly better: then K-means cuts
   through crowds that the other leaves whole.
5. Segments that foretell next to nothing and are no more separate than slices of one Gaussian cloud are no
   segments: "no structure" is an answer. In a small shop a model remembers part of the future that it learnt from, so
   there new segments must foretell customers that it did not learn from, too, and by more than chance (permutation
   test [3]_).

Shapes: B customers, Q outlook columns, K segments.

References
----------
.. [1] Hennig, C. (2007). Cluster-wise assessment of cluster stability. Computational Statistics and Data
   Analysis 52. And Tibshirani, R. and Walther, G. (2005), prediction strength.
.. [2] Rousseeuw, P. J. (1987). Silhouettes. Journal of Computational and Applied Mathematics 20.
.. [3] Phipson, B. and Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in
   Genetics and Molecular Biology 9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.clusters import kmeans, mixture, shape
from segmentation.clusters.candidates import Proposal, propose, refits, resampled_rows
from segmentation.clusters.density import DBSCAN, References
from segmentation.clusters.fitted import ALGORITHMS, DENSITY, Fitted, nearest
from segmentation.clusters.kmeans import KMEANS
from segmentation.clusters.shape import Shape
from segmentation.config import ClusterSettings
from segmentation.evaluate.usefulness import crossfit_r2, score_segments

#: Usefulness under which segments foretell nothing worth a name.
MINIMUM_USEFULNESS = 0.02
#: Shuffles of the segments, and how many of these may foretell as much before it counts as chance.
_SHUFFLES, _AS_GOOD = 200, 1
#: Silhouette by which the segments must beat those of one Gaussian cloud to count as groups in themselves.
SHAPE_MARGIN = 0.05
#: Silhouette given up for fewer segments where the future does not tell.
SILHOUETTE_TOLERANCE = 0.005
#: Path silhouette by which other groups must beat K-means' to replace them for their shape alone, and that groups
#: must have to count as groups in themselves; overlapping balls reach 0.1, separate rings and filaments 0.5.
PATH_MARGIN = 0.2
#: Path silhouette given up for fewer segments and a simpler algorithm.
PATH_TOLERANCE = 0.05
#: Silhouette by which a grouping must beat an equally useful one to be better parted, and the path silhouette that
#: it may lose: one that cuts a long group in pieces has a better silhouette, but loses 0.1 and more.
PARTED_GAIN = 0.07
PARTED_LOSS = 0.02
#: Separation and stability given up for a simpler algorithm with the same number of segments.
SEPARATION_TOLERANCE = 0.02
STABILITY_TOLERANCE = 0.10
#: What is measured of every candidate.
FIGURES = (
    "usefulness",
    "spend_r2",
    "orders_r2",
    "bought_r2",
    "habits_r2",
    "stability",
    "smallest_share",
    "noise_share",
    "silhouette",
    "path_silhouette",
    "separation",
    "bic",
)
_SCORES = FIGURES[:5]
#: Agreement (adjusted Rand index) from which two density candidates are the same groups.
_SAME_GROUPS = 0.99
#: Why a candidate that keeps the other rules has no stability.
_TWIN = "the same groups as"
_SPARED = "not resampled: others are more useful, as useful with fewer segments, or clearly apart"


@dataclass(frozen=True)
class Future:
    """The newest horizon that has come true, for the same heads as tonight's outlook.

    Attributes
    ----------
    outlook : (B, Q) as foreseen at its beginning, unweighted until it is `weighted`
    spend, orders, bought : (B,) what happened
    habits : (B, A) what happened in the clickstream (log counts), or no columns for a shop without one
    apart : (B,) whether the model never learnt from the customer
    """

    outlook: NDArray[np.float64]
    spend: NDArray[np.float64]
    orders: NDArray[np.float64]
    bought: NDArray[np.float64]
    habits: NDArray[np.float64]
    apart: NDArray[np.bool_]

    def weighted(self, weights: NDArray[np.float64]) -> Future:
        """Return the future with columns that count ``weights`` (Q,); those that count nothing are left out."""
        counting = np.flatnonzero(weights)
        return replace(self, outlook=self.outlook[:, counting] * weights[counting])

    def sampled(self, most: int, seed: int) -> Future:
        """Return at most ``most`` of the customers."""
        rows = kmeans.sample_rows(len(self.outlook), most, seed)
        if len(rows) == len(self.outlook):
            return self
        return self._of(rows)

    def of_apart(self) -> Future:
        """Return the customers that the model never learnt from."""
        return self._of(np.flatnonzero(self.apart))

    def _of(self, rows: NDArray[np.int64]) -> Future:
        return Future(
            self.outlook[rows],
            self.spend[rows],
            self.orders[rows],
            self.bought[rows],
            self.habits[rows],
            self.apart[rows],
        )


@dataclass(frozen=True)
class Candidate:
    """One way to group the customers, and how it did; NaN = could not be measured, or not worth the time.

    Attributes
    ----------
    usefulness ... bic : see `FIGURES`
    labels : group of each customer judged by shape
    """

    name: str
    algorithm: str
    k: int
    fitted: Fitted | None
    refused: str
    usefulness: float = math.nan
    spend_r2: float = math.nan
    orders_r2: float = math.nan
    bought_r2: float = math.nan
    habits_r2: float = math.nan
    stability: float = math.nan
    smallest_share: float = math.nan
    noise_share: float = math.nan
    silhouette: float = math.nan
    path_silhouette: float = math.nan
    separation: float = math.nan
    bic: float = math.nan
    labels: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)

    @property
    def allowed(self) -> bool:
        """Whether it keeps the rules on size, noise and stability."""
        return not self.refused

    def row(self) -> dict[str, float | int | str | bool | None]:
        """Return the figures for the log, the JSON and `ops.metrics`; None where NaN."""
        figures = {
            name: (None if math.isnan(getattr(self, name)) else round(getattr(self, name), 4)) for name in FIGURES
        }
        return {"name": self.name, "k": self.k, **figures, "allowed": self.allowed, "refused": self.refused}


@dataclass(frozen=True)
class Choice:
    """The outcome of a search: ``chosen`` is None when there is no structure worth publishing."""

    chosen: Candidate | None
    reason: str
    candidates: tuple[Candidate, ...]

    @property
    def fitted(self) -> Fitted | None:
        """The chosen grouping."""
        return None if self.chosen is None else self.chosen.fitted


@dataclass(frozen=True)
class _Judges:
    """What every candidate is held against.

    Attributes
    ----------
    sample : (B, Q) customers searched on
    shape : of some of them
    future : the newest matured horizon, or None
    """

    sample: NDArray[np.float64]
    shape: Shape
    future: Future | None
    settings: ClusterSettings


def choose(
    values: NDArray[np.float64],
    settings: ClusterSettings,
    future: Future | None,
    present: Fitted | None = None,
    without: str = "no matured future yet",
) -> Choice:
    """Search the algorithm, its parameters and the number of segments.

    Parameters
    ----------
    values : (B, Q) tonight's weighted outlook
    settings : bounds, tolerance, seeds
    future : the newest matured horizon; None = choose by shape
    without : why there is no future to choose by, in words
    present : last night's segments in tonight's space: a candidate of their own, kept when nothing is better by
        more than the tolerance, since a new drawing moves customers

    Returns
    -------
    Choice
        Deterministic for the same inputs, with the reason in words.
    """
    with kmeans.one_thread():
        return _choose(values, settings, future, present, without)


def _choose(
    values: NDArray[np.float64],
    settings: ClusterSettings,
    future: Future | None,
    present: Fitted | None,
    without: str,
) -> Choice:
    sample = values[kmeans.sample_rows(len(values), settings.sample, settings.seed)]
    if len(np.unique(sample, axis=0)) < settings.k_min:
        return Choice(None, f"no structure: fewer than {settings.k_min} different customers", ())
    judges = _Judges(
        sample,
        shape.look(sample, settings.seed),
        None if future is None else future.sampled(settings.sample, settings.seed),
        settings,
    )
    proposals = [*propose(sample, settings)]
    keeps = present is not None and present.k >= 2
    if present is not None and keeps:
        proposals.append(Proposal(f"{present.algorithm}_kept", present.algorithm, present))
    measured: list[Candidate] = []
    for proposal in proposals:
        measured.append(_measure(proposal, judges, measured))
    candidates = _resampled(measured, judges, keeps)
    kept = candidates[-1] if keeps else None
    allowed = [candidate for candidate in candidates if candidate.allowed]
    if not allowed:
        return Choice(None, f"no structure: {_refusals(candidates)}", tuple(candidates))
    best = max((c.usefulness for c in allowed if math.isfinite(c.usefulness)), default=math.nan)
    if best >= MINIMUM_USEFULNESS:
        chosen, why = _by_usefulness(allowed, kept, settings)
    else:
        if math.isfinite(best):
            without = f"the best foretell only {best:.1%} of the matured future"
        chosen, why = _by_shape(allowed, kept, settings, without)
    verdict, structured = _structure(judges, chosen, is_kept=chosen is kept)
    if not structured:
        return Choice(None, f"no structure: {verdict}", tuple(candidates))
    reason = (
        f"{why}; stability {chosen.stability:.2f}, smallest segment {chosen.smallest_share:.1%}; {verdict}; "
        f"{_runners_up(candidates, chosen)}"
    )
    return Choice(chosen, reason, tuple(candidates))


def _by_usefulness(
    allowed: Sequence[Candidate], kept: Candidate | None, settings: ClusterSettings
) -> tuple[Candidate, str]:
    best = max(allowed, key=lambda c: (round(np.nan_to_num(c.usefulness, nan=-1.0), 6), -c.k))
    near = [candidate for candidate in allowed if candidate.usefulness >= best.usefulness - settings.tolerance]
    if kept is None or not any(candidate is kept for candidate in near):
        parted = [candidate for candidate in near if not _better_parted(near, candidate)]
        enough = max(candidate.usefulness for candidate in parted) - settings.least_gain
        fewest = min(candidate.k for candidate in parted if candidate.usefulness >= enough)
        near = [candidate for candidate in parted if candidate.k == fewest]
    chosen, why = _kept_or_fewest(near, kept)
    return chosen, (
        f"{why}: usefulness on the newest matured future {chosen.usefulness:.3f} is within {settings.tolerance:g} "
        f"of the best ({best.usefulness:.3f} by {best.name})"
    )


def _by_shape(
    allowed: Sequence[Candidate], kept: Candidate | None, settings: ClusterSettings, because: str
) -> tuple[Candidate, str]:
    """Choose where the future does not tell: K-means by its silhouette, unless it cuts through crowds."""
    balls = [candidate for candidate in allowed if candidate.algorithm == KMEANS]
    rounded = balls or list(allowed)
    best = max(rounded, key=lambda c: (round(np.nan_to_num(c.silhouette, nan=-1.0), 6), -c.k))
    within = [c for c in rounded if c is best or c.silhouette >= best.silhouette - SILHOUETTE_TOLERANCE]
    chosen, why = _kept_or_fewest(within, kept)
    said = (
        f"{why}: silhouette {chosen.silhouette:.3f} is within {SILHOUETTE_TOLERANCE:g} of the best "
        f"({best.silhouette:.3f} by {best.name}) ({because})"
    )
    others = [c for c in allowed if c.algorithm != KMEANS and math.isfinite(c.path_silhouette)]
    clearest = max(others, key=lambda c: round(c.path_silhouette, 6), default=None)
    cut = np.nan_to_num(chosen.path_silhouette) if balls else 0.0
    if clearest is None or clearest.path_silhouette < max(cut, 0.0) + PATH_MARGIN:
        return chosen, said
    within = [c for c in others if c.path_silhouette >= clearest.path_silhouette - PATH_TOLERANCE]
    chosen, why = _kept_or_fewest(within, kept)
    return chosen, (
        f"{why}: path silhouette {chosen.path_silhouette:.3f} is within {PATH_TOLERANCE:g} of the best "
        f"({clearest.path_silhouette:.3f} by {clearest.name}) and far above the {cut:.3f} of K-means, which cuts "
        f"through crowds ({because})"
    )


def _better_parted(within: Sequence[Candidate], than: Candidate) -> list[Candidate]:
    """Return those of ``within`` whose silhouette is clearly better and that cut through no more crowds."""
    return [
        candidate
        for candidate in within
        if candidate.silhouette >= than.silhouette + PARTED_GAIN
        and candidate.path_silhouette >= than.path_silhouette - PARTED_LOSS
    ]


def _kept_or_fewest(within: Sequence[Candidate], kept: Candidate | None) -> tuple[Candidate, str]:
    """Choose among equals: last night's, else the fewest segments, the separate, the stable, the simple."""
    if kept is not None and any(candidate is kept for candidate in within):
        return kept, f"the {kept.k} segments of the night before are kept ({kept.algorithm})"
    fewest = min(candidate.k for candidate in within)
    equals = [candidate for candidate in within if candidate.k == fewest]
    for figure, tolerance in (("separation", SEPARATION_TOLERANCE), ("stability", STABILITY_TOLERANCE)):
        measured = [round(getattr(candidate, figure), 6) for candidate in equals]
        least = float(np.nanmax(measured)) - tolerance if np.isfinite(measured).any() else -math.inf
        equals = [c for c, value in zip(equals, measured, strict=True) if not value < least]
    # the order of the table is the order of simplicity, also among mixtures: diagonal before full
    simplest = min(min(ALGORITHMS.index(c.algorithm), ALGORITHMS.index(DBSCAN)) for c in equals)
    simple = [c for c in equals if min(ALGORITHMS.index(c.algorithm), ALGORITHMS.index(DBSCAN)) == simplest]
    chosen = max(simple, key=lambda c: round(c.separation, 3)) if simplest == ALGORITHMS.index(DBSCAN) else simple[0]
    which = f", {chosen.name} as the simplest of {len(equals)}" if len(equals) > 1 else f", {chosen.name}"
    return chosen, f"the fewest segments ({fewest}){which}"


def _measure(proposal: Proposal, judges: _Judges, before: Sequence[Candidate]) -> Candidate:
    """Measure all of one candidate but its stability; what is refused already is not scored where that takes long."""
    fitted, settings = proposal.fitted, judges.settings
    if fitted is None:
        return Candidate(proposal.name, proposal.algorithm, 0, None, proposal.refused)
    candidate = Candidate(proposal.name, proposal.algorithm, fitted.k, fitted, proposal.refused)
    candidate = replace(candidate, noise_share=fitted.noise_share if isinstance(fitted, References) else 0.0)
    if candidate.refused:
        return candidate
    judged = nearest(fitted, judges.shape.judged)
    labels = judged if candidate.algorithm in DENSITY else nearest(fitted, judges.sample)
    share = float(np.bincount(labels, minlength=fitted.k).min()) / len(labels)
    candidate = replace(
        candidate,
        smallest_share=share,
        silhouette=shape.silhouette(judges.shape, judged),
        path_silhouette=shape.path_silhouette(judges.shape, judged),
        separation=shape.separation(judges.shape, judged),
        bic=mixture.bic(judges.sample, fitted) if isinstance(fitted, mixture.Mixture) else math.nan,
        labels=judged,
    )
    if share < settings.minimum_share:
        candidate = replace(candidate, refused=f"smallest segment {share:.1%} is under {settings.minimum_share:.1%}")
    twin = next((other for other in before if _same_groups(candidate, other)), None)
    if twin is not None:
        told: dict[str, Any] = {name: getattr(twin, name) for name in _SCORES}
    elif judges.future is not None:
        told = usefulness(nearest(fitted, judges.future.outlook), judges.future, settings.seed)
    else:
        told = {}
    return replace(candidate, **told)


def _resampled(measured: Sequence[Candidate], judges: _Judges, keeps: bool) -> list[Candidate]:
    """Add the stability of those that may be chosen, and refuse the unstable.

    Resampling a mixture or a density grouping takes longer than all else, so it is done only where the choice
    hangs on it: the most useful one, which sets the mark, those within tolerance of it that have the fewest
    segments, and those that are better parted than fewer. K-means is always resampled.

    Parameters
    ----------
    measured : candidates without stability
    judges : what they are held against
    keeps : whether the last one is last night's grouping, which is always resampled and never refused for it
    """
    found = [_with_stability(c, judges) if c.algorithm == KMEANS else c for c in measured]
    if keeps:
        # drawn afresh it may well come out otherwise, but it is not drawn afresh: that is why it is kept
        last = _with_stability(measured[-1], judges)
        found[-1] = replace(last, refused=measured[-1].refused)
    while True:
        i = _next_in_question(found, judges.settings)
        if i is None:
            break
        twin = next((c for c in found if c.allowed and _is_resampled(c) and _same_groups(found[i], c)), None)
        if twin is None:
            found[i] = _with_stability(found[i], judges)
        else:
            found[i] = replace(found[i], stability=twin.stability, refused=f"{_TWIN} {twin.name}")
    return [replace(c, refused=_SPARED) if c.allowed and not _is_resampled(c) else c for c in found]


def _next_in_question(found: Sequence[Candidate], settings: ClusterSettings) -> int | None:
    """Return the number of the candidate whose stability the choice hangs on next; None if it hangs on no more."""
    open_ones = [i for i, candidate in enumerate(found) if candidate.allowed]
    useful = [i for i in open_ones if found[i].usefulness >= MINIMUM_USEFULNESS]
    if not useful:
        shaped = [i for i in open_ones if found[i].path_silhouette >= PATH_MARGIN and not _is_resampled(found[i])]
        return min(shaped, default=None)
    top = max(useful, key=lambda i: (round(found[i].usefulness, 6), _is_resampled(found[i]), -i))
    if not _is_resampled(found[top]):
        return top
    within = [i for i in useful if found[i].usefulness >= found[top].usefulness - settings.tolerance]
    near = [found[i] for i in within]
    parted = [i for i in within if not _better_parted(near, found[i])]
    most = max(parted, key=lambda i: (round(found[i].usefulness, 6), _is_resampled(found[i]), -i))
    if not _is_resampled(found[most]):
        return most
    enough = found[most].usefulness - settings.least_gain
    fewest = min(found[i].k for i in parted if found[i].usefulness >= enough)
    open_ones = [i for i in parted if found[i].k == fewest]
    for i in within:
        better = _better_parted(near, found[i])
        # fewer segments are passed over for the sake of a better parted grouping: is one of these stable?
        if better and found[i].k < fewest and not any(map(_is_resampled, better)):
            open_ones.append(next(j for j in within if found[j] is better[0]))
    return next((i for i in open_ones if not _is_resampled(found[i])), None)


def _is_resampled(candidate: Candidate) -> bool:
    return math.isfinite(candidate.stability)


def _with_stability(candidate: Candidate, judges: _Judges) -> Candidate:
    if candidate.fitted is None:
        return candidate
    candidate = replace(candidate, stability=_stability(judges.sample, candidate.fitted, judges.settings))
    least = judges.settings.minimum_stability
    if candidate.allowed and candidate.stability < least:
        return replace(candidate, refused=f"stability {candidate.stability:.2f} is under {least:.2f}")
    return candidate


def _same_groups(candidate: Candidate, other: Candidate) -> bool:
    """Tell whether two density candidates found the same groups by different parameters."""
    from sklearn.metrics import adjusted_rand_score

    if candidate is other or candidate.labels is None or other.labels is None or candidate.k != other.k:
        return False
    if candidate.algorithm not in DENSITY or other.algorithm not in DENSITY:
        return False
    return bool(adjusted_rand_score(candidate.labels, other.labels) >= _SAME_GROUPS)


def usefulness(labels: NDArray[np.int64], future: Future, seed: int) -> dict[str, float]:
    """Return what segments ``labels`` (B,) foretell of a future: the first five of `FIGURES`."""
    found = score_segments(labels, future.spend, future.orders, future.bought, seed)
    habits = [crossfit_r2(column, labels, seed) for column in future.habits.T]
    habits_r2 = float(np.nanmean(habits)) if np.isfinite(habits).any() else float("nan")
    # a shop with a clickstream is segmented by what is done there as well, as a fourth question of equal weight
    parts = [part for part in (found.spend_r2, found.orders_r2, found.bought_r2, habits_r2) if math.isfinite(part)]
    return {
        "usefulness": float(np.mean(parts)) if parts else float("nan"),
        "spend_r2": found.spend_r2,
        "orders_r2": found.orders_r2,
        "bought_r2": found.bought_r2,
        "habits_r2": habits_r2,
    }


def _stability(sample: NDArray[np.float64], fitted: Fitted, settings: ClusterSettings) -> float:
    """Mean adjusted Rand index between the grouping and those found on resamples; 0 where nothing was found."""
    from sklearn.metrics import adjusted_rand_score

    judged = sample[resampled_rows(fitted, len(sample), settings.seed)]
    labels = nearest(fitted, judged)
    agreement = [
        0.0 if again is None else adjusted_rand_score(labels, nearest(again, judged))
        for again in refits(fitted, judged, settings.bootstraps, settings.seed)
    ]
    return float(np.mean(agreement))


def _structure(judges: _Judges, chosen: Candidate, *, is_kept: bool) -> tuple[str, bool]:
    """Ask whether the segments are more than slices of one cloud that foretell nothing.

    One of three is enough: they foretell the future, by more than chance unless they were there before;
    they are more separate than segments of a single Gaussian cloud with the same mean and covariance; or there are
    thin places between them whatever their shape.
    """
    foretold = (
        f"{chosen.usefulness:.1%} of the differences between customers" if math.isfinite(chosen.usefulness) else ""
    )
    doubt = ""
    if chosen.usefulness >= MINIMUM_USEFULNESS:
        doubt = "" if is_kept else _doubt(judges, chosen)
        if not doubt:
            return f"they foretell {foretold}", True
    sample, seed = judges.sample, judges.settings.seed
    cloud = np.random.default_rng(seed).multivariate_normal(
        sample.mean(axis=0), np.atleast_2d(np.cov(sample, rowvar=False)), size=len(judges.shape.judged), method="eigh"
    )
    sliced = kmeans.nearest(cloud, kmeans.fit(cloud, chosen.k, seed, starts=2))
    of_cloud = kmeans.silhouette(cloud, sliced, len(cloud), seed)
    told = f"silhouette {chosen.silhouette:.2f} against {of_cloud:.2f} of one cloud without groups"
    if chosen.silhouette >= of_cloud + SHAPE_MARGIN:
        return f"they are separate groups ({told})", True
    if chosen.path_silhouette >= PATH_MARGIN:
        return f"they are separate groups (path silhouette {chosen.path_silhouette:.2f}: thin places between)", True
    only = f"the segments foretell only {foretold}, and " if foretold else ""
    return f"{doubt or only}{told} shows no groups", False


def _doubt(judges: _Judges, chosen: Candidate) -> str:
    """Say why what segments foretell may be chance, or memory of what the model learnt from; empty if it is neither."""
    future = judges.future
    if chosen.fitted is None or future is None or future.apart.all():
        # judged by customers that the model did not learn from already, and by many
        return ""
    apart = future.of_apart()
    seed = judges.settings.seed
    labels = nearest(chosen.fitted, apart.outlook)
    found = usefulness(labels, apart, seed)["usefulness"]
    as_good = 0
    if found >= MINIMUM_USEFULNESS:
        generator = np.random.default_rng(seed)
        for _ in range(_SHUFFLES):
            as_good += usefulness(generator.permutation(labels), apart, seed)["usefulness"] >= found
            if as_good > _AS_GOOD:
                break
        else:
            return ""
    return (
        f"the segments foretell {chosen.usefulness:.1%} of the differences between customers, but {found:.1%}, no more "
        f"than chance would, of those between the {len(labels)} that the model did not learn from, and "
    )


def _runners_up(candidates: Sequence[Candidate], chosen: Candidate) -> str:
    """Say how far each other algorithm came."""
    figure = "usefulness" if chosen.usefulness >= MINIMUM_USEFULNESS else "path_silhouette"
    said = []
    for algorithm in ALGORITHMS:
        mine = [
            c for c in candidates if c.algorithm == algorithm and (c.allowed or c.refused.startswith((_SPARED, _TWIN)))
        ]
        best = max(mine, key=lambda c: round(np.nan_to_num(getattr(c, figure), nan=-1.0), 6), default=None)
        if algorithm != chosen.algorithm:
            said.append(f"{algorithm} {getattr(best, figure):.3f} ({best.name})" if best else f"{algorithm} none")
    return f"{figure.replace('_', ' ')} of the others at best: {', '.join(said)}"


def _refusals(candidates: Sequence[Candidate]) -> str:
    told = pd.Series([f"{candidate.name}: {candidate.refused}" for candidate in candidates])
    return f"no grouping is allowed ({'; '.join(told.drop_duplicates())})"
