"""Customers as the encoder reads them from the lake, bucket by bucket, and how they become its inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from segmentation.encoder.heads import Head, HeadScale, raw_targets
from segmentation.encoder.timelines import SCALED, Timelines, read_timelines
from segmentation.features.training_sample import TrainingSample, places

if TYPE_CHECKING:
    from segmentation.features.prepare import FeaturePreparation

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

#: Customers' windows that are learnt from in one pass, about: of a large shop another part in each.
WINDOWS_A_PASS = 50_000
#: Windows that are kept once read, at most, 3 kB each: the rest of a large shop stays on disk.
WINDOWS_KEPT = 2 * WINDOWS_A_PASS


def is_held_out(customer_ids: Sequence[str], share: float) -> npt.NDArray[np.bool_]:
    """Tell which customers are never trained on, in any night, by any model.

    Parameters
    ----------
    customer_ids : sequence of str
        B customers.
    share : float
        Share of all customers, 0 to 1.

    Returns
    -------
    array of bool, shape (B,)
        A hash of the id decides, so the answer stays the same whatever else changes.

    Examples
    --------
    >>> float(is_held_out([str(number) for number in range(10_000)], 0.2).mean())
    0.2057
    """
    return _are_first(places(customer_ids), share)


def is_learnt_from(
    customer_ids: Sequence[str], sample: TrainingSample, held_out: bool = False
) -> npt.NDArray[np.bool_]:
    """Tell which of B customers are of the sample, and of the side that is trained on or of the one held out."""
    found = places(customer_ids)
    side = _are_first(found, sample.held_out_share) == held_out
    return side & np.array([sample.holds(place) for place in found], dtype=bool)


def _are_first(found: Sequence[int], share: float) -> npt.NDArray[np.bool_]:
    return np.array([place < share * 2.0**64 for place in found], dtype=bool)


@dataclass(frozen=True)
class Customers:
    """N customers of one or more buckets as of one or more days, as they are in the lake.

    Attributes
    ----------
    customer_ids : array of str, shape (N,)
    static : DataFrame
        Static features in natural units, N rows.
    shares : array of float, shape (N, 2 * C)
        Share of past spend, then of past product views, in each named category.
    timelines : Timelines
    targets : DataFrame or None
        What they did after the cut-off; None where that is still to come.
    next_shares : array of float, shape (N, C)
        Share of the spend after the cut-off in each named category; NaN where there was none.
    """

    customer_ids: npt.NDArray[np.object_]
    static: pd.DataFrame
    shares: npt.NDArray[np.float64]
    timelines: Timelines
    targets: pd.DataFrame | None
    next_shares: npt.NDArray[np.float64]


def read_customers(
    folder: Path, categories: Sequence[str], sequence_length: int, chosen: Rows | None = None
) -> Customers:
    """Read one bucket of features, or of a training window.

    Parameters
    ----------
    folder : Path
        Holds ``static``, ``timeline`` and ``categories``, and for a window ``targets`` and
        ``target_categories``.
    categories : sequence of str
        The C named categories.
    sequence_length : int
        T.
    chosen : array of int, shape (N,), optional
        Rows of ``static``; everybody by default.

    Raises
    ------
    ValueError
        If the files of the folder are not about the same customers.
    """
    static = pd.read_parquet(folder / "static.parquet", partitioning=None)
    some = chosen is not None
    if chosen is not None:
        static = static.iloc[chosen].reset_index(drop=True)
    ids = static.pop("customer_id").astype(str).to_numpy(dtype=object)
    timelines = read_timelines(_read_aligned(folder / "timeline.parquet", ids, some), categories, sequence_length)
    past = _category_table(folder / "categories.parquet", ids, categories, ("spend_share", "product_view_share"))
    targets = None
    next_shares = np.full((len(ids), len(categories)), np.nan)
    if (folder / "targets.parquet").exists():
        table = _read_aligned(folder / "targets.parquet", ids, some)
        targets = table.drop_columns(["customer_id"]).to_pandas()
        next_shares = _next_shares(folder / "target_categories.parquet", ids, categories)
    return Customers(ids, static, np.concatenate(past, axis=1), timelines, targets, next_shares)


def name_categories(folders: Sequence[Path], count: int) -> tuple[str, ...]:
    """Choose the categories that get a name: those that most customers spend most of their money in.

    Parameters
    ----------
    folders : sequence of Path
        Buckets of the training windows.
    count : int
        Categories to name, at most.

    Returns
    -------
    tuple of str
        By the sum of the customers' shares of spend, largest first; views decide where nothing is spent. Empty
        for a shop without categories.
    """
    if count == 0:
        return ()
    totals: dict[str, float] = {}
    for folder in folders:
        table = pd.read_parquet(folder / "categories.parquet", partitioning=None).dropna(subset=["category"])
        shares = table[["spend_share", "product_view_share"]].astype(float).fillna(0.0)
        weight = shares["spend_share"] + 0.01 * shares["product_view_share"]
        for name, value in weight.groupby(table["category"].astype(str), sort=True).sum().items():
            totals[str(name)] = totals.get(str(name), 0.0) + float(value)
    # rounded, so that the last digit of a sum does not decide between two equals
    return tuple(sorted(totals, key=lambda name: (-round(totals[name], 6), name))[:count])


@dataclass(frozen=True)
class Inputs:
    """N customers ready for the network.

    Attributes
    ----------
    static : array of float32, shape (N, F)
    timelines : Timelines
        With scaled numbers.
    targets : array of float32, shape (N, Q)
        Training targets; NaN = undefined.
    """

    static: Floats
    timelines: Timelines
    targets: Floats

    def __len__(self) -> int:
        return len(self.static)

    def take(self, rows: Rows, lengths: Iterable[int]) -> tuple[tuple[npt.NDArray[np.int32], Floats, Floats], Floats]:
        """Return one padded batch: (codes (B, T, 2), numbers (B, T, E), static (B, F)), targets (B, Q).

        T is the first of ``lengths`` that holds the longest timeline among the rows.
        """
        longest = int(self.timelines.lengths[rows].max(initial=0))
        length = next(length for length in lengths if length >= longest)
        codes, numbers = self.timelines.padded(rows, length)
        return (codes, numbers, self.static[rows]), self.targets[rows]

    def batches(self, batch_size: int, draws: np.random.Generator | None = None) -> Iterator[Rows]:
        """Yield the rows of each batch, customers of like timeline length together.

        Parameters
        ----------
        batch_size : int
            B; only the last batch is smaller.
        draws : Generator, optional
            Shuffles the customers whose lengths have the same power of two, and the order of the batches; without
            it they come shortest first.
        """
        lengths, order = self.timelines.lengths, np.arange(len(self))
        if draws is not None:
            lengths, order = np.searchsorted(2 ** np.arange(16), lengths), draws.permutation(len(self))
        order = order[np.argsort(lengths[order], kind="stable")]
        batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        for place in range(len(batches)) if draws is None else draws.permutation(len(batches)):
            yield batches[place]


@dataclass(frozen=True)
class InputPreparation:
    """Everything fitted on training customers that turns `Customers` into `Inputs`; kept with the model.

    Attributes
    ----------
    categories : tuple of str
        The C named categories.
    sequence_length : int
        T.
    features : FeaturePreparation
        Cleaning and scaling of the static features.
    share_mean, share_sd : array of float, shape (2 * C,)
        Of the square roots of the category shares.
    number_mean, number_sd : array of float, shape (SCALED,)
        Of the numbers of an event that are not cyclic.
    """

    categories: tuple[str, ...]
    sequence_length: int
    features: FeaturePreparation
    share_mean: npt.NDArray[np.float64]
    share_sd: npt.NDArray[np.float64]
    number_mean: npt.NDArray[np.float64]
    number_sd: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, customers: Sequence[Customers], categories: Sequence[str], sequence_length: int) -> InputPreparation:
        """Measure means and spreads on training customers."""
        from segmentation.features.prepare import FeaturePreparation

        static = pd.concat([block.static for block in customers], ignore_index=True)
        shares = np.sqrt(np.concatenate([block.shares for block in customers]))
        numbers = np.concatenate([block.timelines.numbers[:, :SCALED] for block in customers]).astype(np.float64)
        share_sd = shares.std(axis=0)
        number_mean = numbers.mean(axis=0) if len(numbers) else np.zeros(SCALED)
        number_sd = numbers.std(axis=0) if len(numbers) else np.ones(SCALED)
        return cls(
            tuple(categories),
            sequence_length,
            FeaturePreparation.fit(static),
            shares.mean(axis=0),
            np.where(share_sd > 1e-6, share_sd, 1.0),
            number_mean,
            np.where(number_sd > 1e-6, number_sd, 1.0),
        )

    @property
    def width(self) -> int:
        """F: static features as the network gets them, category shares included."""
        return len(self.features.names) + len(self.share_mean)

    def read(self, folder: Path, chosen: Rows | None = None) -> Customers:
        """Read one bucket, or the chosen rows of it, with this model's vocabulary."""
        return read_customers(folder, self.categories, self.sequence_length, chosen)

    def apply(self, customers: Customers, scale: HeadScale) -> Inputs:
        """Turn customers into inputs, and their future into training targets (NaN where it is still to come)."""
        static = self.features.transform(customers.static)
        shares = (np.sqrt(customers.shares) - self.share_mean) / self.share_sd
        numbers = customers.timelines.numbers.copy()
        numbers[:, :SCALED] = (numbers[:, :SCALED] - self.number_mean) / self.number_sd
        if customers.targets is None:
            targets = np.full((len(static), len(scale.heads)), np.nan, np.float32)
        else:
            targets = scale.training_targets(self.raw_targets(customers, scale.heads))
        return Inputs(
            np.concatenate([static, shares], axis=1).astype(np.float32),
            Timelines(customers.timelines.starts, customers.timelines.codes, numbers),
            targets,
        )

    def raw_targets(self, customers: Customers, heads: Sequence[Head]) -> Floats:
        """Return what the customers of a window did, head by head, as `heads.raw_targets` does.

        Raises
        ------
        ValueError
            If the customers are of no window: their future is still to come.
        """
        if customers.targets is None:
            raise ValueError("the future of these customers is still to come")
        wanted = [self.categories.index(head.target) for head in heads if head.kind == "taste"]
        return raw_targets(heads, customers.targets, customers.next_shares[:, wanted])

    def to_dict(self) -> dict[str, Any]:
        """Return the preparation as JSON-able content."""
        return {
            "categories": list(self.categories),
            "sequence_length": self.sequence_length,
            "features": self.features.to_dict(),
            "share_mean": self.share_mean.tolist(),
            "share_sd": self.share_sd.tolist(),
            "number_mean": self.number_mean.tolist(),
            "number_sd": self.number_sd.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> InputPreparation:
        """Read what `to_dict` wrote."""
        from segmentation.features.prepare import FeaturePreparation

        return cls(
            tuple(content["categories"]),
            int(content["sequence_length"]),
            FeaturePreparation.from_dict(content["features"]),
            np.array(content["share_mean"]),
            np.array(content["share_sd"]),
            np.array(content["number_mean"]),
            np.array(content["number_sd"]),
        )


def choose(customers: Customers, rows: Rows) -> Customers:
    """Return some of the customers, in the order of ``rows``."""
    starts, lengths = customers.timelines.starts[rows], customers.timelines.lengths[rows]
    kept = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(kept[-1]) - kept[:-1].repeat(lengths) + starts.repeat(lengths)
    return Customers(
        customers.customer_ids[rows],
        customers.static.iloc[rows].reset_index(drop=True),
        customers.shares[rows],
        Timelines(kept, customers.timelines.codes[places], customers.timelines.numbers[places]),
        None if customers.targets is None else customers.targets.iloc[rows].reset_index(drop=True),
        customers.next_shares[rows],
    )


def together(parts: Sequence[Inputs]) -> Inputs:
    """Join inputs, one after the other."""
    offsets = np.cumsum([0, *(len(part.timelines.codes) for part in parts)])
    starts = [part.timelines.starts[:-1] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    return Inputs(
        np.concatenate([part.static for part in parts]),
        Timelines(
            np.concatenate([*starts, offsets[-1:]]).astype(np.int64),
            np.concatenate([part.timelines.codes for part in parts]),
            np.concatenate([part.timelines.numbers for part in parts]),
        ),
        np.concatenate([part.targets for part in parts]),
    )


def _in_equal_parts(sized: Sequence[tuple[Path, int]]) -> list[list[Path]]:
    """Cut folders into runs of about the same size: a pass over a small rest would cost much and teach little."""
    total = sum(size for _, size in sized)
    count = math.ceil(total / WINDOWS_A_PASS)
    parts: dict[int, list[Path]] = {}
    before = 0
    for folder, size in sized:
        parts.setdefault((2 * before + size) * count // (2 * total), []).append(folder)
        before += size
    return list(parts.values())


class TrainingWindows:
    """The windows of training customers or of held-out ones, in shards of bounded size.

    Parameters
    ----------
    folders : sequence of Path
        Buckets of the training windows.
    preparation : InputPreparation
    scale : HeadScale
    sample : TrainingSample
        Who is held out, and who of either side is read.
    held_out : bool
        Which of the two sides to read.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        preparation: InputPreparation,
        scale: HeadScale,
        sample: TrainingSample,
        held_out: bool,
    ) -> None:
        self._preparation, self._scale = preparation, scale
        self._sample, self._held_out = sample, held_out
        counted = [(folder, int(self._side(read_ids(folder)).sum())) for folder in folders]
        self._shards = _in_equal_parts([(folder, size) for folder, size in counted if size])
        sizes = dict(counted)
        self._sizes = [sum(sizes[folder] for folder in shard) for shard in self._shards]
        self._kept: dict[int, Inputs] = {}

    def __len__(self) -> int:
        return sum(self._sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Windows of each shard."""
        return tuple(self._sizes)

    def shards(self) -> Iterator[Inputs]:
        """Yield the windows shard by shard."""
        return map(self.shard, range(len(self._shards)))

    def shard(self, place: int) -> Inputs:
        """Return the windows of one shard; those of a shop that has few are read once and kept."""
        if place in self._kept:
            return self._kept[place]
        shard = together([self._inputs(folder) for folder in self._shards[place]])
        if len(self) <= WINDOWS_KEPT:
            self._kept[place] = shard
        return shard

    @cached_property
    def figures(self) -> list[tuple[Floats, Floats]]:
        """Static features and targets of each shard, read once and kept: a few hundred bytes a window."""
        return [(shard.static, shard.targets) for shard in self.shards()]

    @cached_property
    def owners(self) -> npt.NDArray[np.int64]:
        """Number of each window's customer, in the order in which `shards` yields them."""
        ids = [np.array([], dtype=object)]
        for folder in (one for shard in self._shards for one in shard):
            of_folder = read_ids(folder)
            ids.append(np.array(of_folder, dtype=object)[self._side(of_folder)])
        return np.unique(np.concatenate(ids), return_inverse=True)[1].astype(np.int64)

    def _inputs(self, folder: Path) -> Inputs:
        rows = np.flatnonzero(self._side(read_ids(folder)))
        return self._preparation.apply(self._preparation.read(folder, rows), self._scale)

    def _side(self, customer_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        return is_learnt_from(customer_ids, self._sample, self._held_out)


def read_ids(folder: Path) -> list[str]:
    """Read who is in a bucket, in the order of its files."""
    table = pq.read_table(folder / "static.parquet", columns=["customer_id"], partitioning=None)
    return [str(key) for key in table["customer_id"].to_pylist()]


def _read_aligned(path: Path, ids: npt.NDArray[np.object_], some: bool) -> pa.Table:
    """Read a file with one row per customer in the order of ``ids``; ``some`` = it may hold others, too."""
    table = pq.read_table(path, partitioning=None)
    if some:
        # before anything else is made of them: of a large shop few are wanted
        table = table.filter(pc.is_in(table["customer_id"].cast(pa.string()), pa.array(ids, pa.string())))
    names = table["customer_id"].cast(pa.string()).to_pandas().to_numpy(dtype=object)
    if np.array_equal(names, ids):
        return table
    places = pd.Index(names).get_indexer(ids)
    if len(names) != len(ids) or (places < 0).any():
        raise ValueError(f"{path} and static.parquet beside it differ in customers; run the features step again")
    return table.take(pa.array(places))


def _category_table(
    path: Path, ids: npt.NDArray[np.object_], categories: Sequence[str], columns: Sequence[str]
) -> list[npt.NDArray[np.float64]]:
    """Spread a long table (customer, category, values) into one (N, C) array per column; 0 where there is no row."""
    table = pd.read_parquet(path, partitioning=None)
    customer = pd.Index(ids).get_indexer(pd.Index(table["customer_id"].astype(str)))
    category = pd.Index(list(categories), dtype=object).get_indexer(pd.Index(table["category"].astype(object)))
    there = (customer >= 0) & (category >= 0)
    spread = []
    for column in columns:
        values = np.zeros((len(ids), len(categories)))
        found = table[column].astype(float).fillna(0.0).to_numpy()
        values[customer[there], category[there]] = np.clip(found[there], 0.0, None)
        spread.append(values)
    return spread


def _next_shares(path: Path, ids: npt.NDArray[np.object_], categories: Sequence[str]) -> npt.NDArray[np.float64]:
    table = pd.read_parquet(path, partitioning=None)
    spend = table["spend"].astype(float).fillna(0.0).clip(lower=0.0).to_numpy()
    customer = pd.Index(ids).get_indexer(pd.Index(table["customer_id"].astype(str)))
    total = np.bincount(customer[customer >= 0], weights=spend[customer >= 0], minlength=len(ids))
    named = _category_table(path, ids, categories, ("spend",))[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total[:, None] > 0, named / total[:, None], np.nan)
