"""Customers' timelines as numbers: read from parquet without padding, padded batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.catalog import EVENT_TYPES

#: Event types by code; code 0 is padding, so a type's code is its place here plus one.
EVENT_VOCABULARY = ("order", *EVENT_TYPES)
#: The E numbers of an event. Those up to `SCALED` are centred and scaled, the cyclic ones are not.
NUMBERS = (
    "log_amount",
    "discount_share",
    "log_hours_since_previous",
    "log_days_before",
    "weekday_sin",
    "weekday_cos",
    "hour_sin",
    "hour_cos",
)
SCALED = 4
#: Codes of a category: padding, none (null), any that has no name in the vocabulary; then the named ones.
NO_CATEGORY, OTHER_CATEGORY, FIRST_CATEGORY = 1, 2, 3
#: Padded lengths are multiples of this, so that the strided convolution sees the newest event in phase.
STRIDE = 4
SHORTEST = 16


@dataclass(frozen=True)
class Timelines:
    """Timelines of N customers, one after the other, newest event last.

    Attributes
    ----------
    starts : array of int64, shape (N + 1,)
        Where each customer's events begin; the last entry is the number of events.
    codes : array of int16, shape (events, 2)
        Event type and category, 0 = padding.
    numbers : array of float32, shape (events, E)
        See `NUMBERS`.
    """

    starts: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int16]
    numbers: npt.NDArray[np.float32]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Events per customer, shape (N,)."""
        return np.diff(self.starts)

    def padded(self, rows: npt.NDArray[np.int64], length: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Return the last ``length`` events of some customers, padded in front.

        Parameters
        ----------
        rows : array of int, shape (B,)
            Which customers.
        length : int
            T of this batch.

        Returns
        -------
        codes : array of int32, shape (B, T, 2)
            0 where there is no event: that is the mask.
        numbers : array of float32, shape (B, T, E)
            0 where there is no event.
        """
        ends = self.starts[rows + 1]
        places = ends[:, None] - np.arange(length, 0, -1)[None, :]
        there = places >= self.starts[rows][:, None]
        places = np.where(there, places, 0)
        if len(self.codes) == 0:
            return np.zeros((len(rows), length, 2), np.int32), np.zeros((len(rows), length, len(NUMBERS)), np.float32)
        codes = np.where(there[:, :, None], self.codes[places], 0).astype(np.int32)
        numbers = np.where(there[:, :, None], self.numbers[places], 0).astype(np.float32)
        return codes, numbers


def read_timelines(table: pa.Table, categories: Sequence[str], sequence_length: int) -> Timelines:
    """Turn the rows of a ``timeline.parquet`` into codes and numbers.

    Parameters
    ----------
    table : pyarrow.Table
        List columns, one entry per event, newest last; N rows.
    categories : sequence of str
        Categories that have a name in the vocabulary, in order.
    sequence_length : int
        T: of longer lists, the newest T entries are used.

    Returns
    -------
    Timelines
        An unknown event type gets no code of its own and is left out; a null category is "none"; a null
        number is 0.
    """
    table = table.combine_chunks()
    kinds = table["event_type"].combine_chunks()
    # flatten() skips what lies outside the slice and null lists, so the offsets are made from the lengths
    lengths = pc.fill_null(pc.list_value_length(kinds), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    event = pc.fill_null(pc.index_in(kinds.flatten(), pa.array(EVENT_VOCABULARY, pa.string())), -1)
    names = table["category"].combine_chunks().flatten().cast(pa.string())
    known = pc.fill_null(pc.index_in(names, pa.array(list(categories), pa.string())), OTHER_CATEGORY - FIRST_CATEGORY)
    codes = np.empty((len(event), 2), np.int16)
    codes[:, 0] = event.to_numpy(zero_copy_only=False) + 1
    codes[:, 1] = known.to_numpy(zero_copy_only=False) + FIRST_CATEGORY
    codes[names.is_null().to_numpy(zero_copy_only=False), 1] = NO_CATEGORY

    def column(name: str) -> npt.NDArray[Any]:
        values = pc.fill_null(table[name].combine_chunks().flatten(), 0)
        return np.nan_to_num(values.to_numpy(zero_copy_only=False), nan=0.0, posinf=0.0, neginf=0.0)

    numbers = np.empty((len(event), len(NUMBERS)), np.float32)
    for place, name in enumerate(("log_amount", "discount_share", "log_hours_since_previous")):
        numbers[:, place] = column(name)
    numbers[:, 3] = np.log1p(np.maximum(column("days_before").astype(np.float64), 0))
    for place, (name, period) in ((4, ("day_of_week", 7)), (6, ("hour", 24))):
        angles = 2 * np.pi * np.arange(period) / period
        numbers[:, place : place + 2] = np.stack([np.sin(angles), np.cos(angles)], axis=1)[column(name)]

    keep = (codes[:, 0] > 0) & (starts[1:].repeat(lengths) - np.arange(len(codes)) <= sequence_length)
    if keep.all():
        return Timelines(starts, codes, numbers)
    owner = np.arange(len(lengths)).repeat(lengths)[keep]
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(lengths)))]).astype(np.int64)
    return Timelines(starts, codes[keep], numbers[keep])


def readable_lengths(sequence_length: int) -> range:
    """Return all lengths that the network can read: to foresee, sequences are padded to the next of them.

    Examples
    --------
    >>> list(readable_lengths(18))
    [4, 8, 12, 16, 20]
    """
    return range(STRIDE, sequence_length + STRIDE, STRIDE)


def padded_lengths(sequence_length: int) -> tuple[int, ...]:
    """Return the lengths to which sequences are padded in training, shortest first.

    Examples
    --------
    >>> padded_lengths(128)
    (16, 32, 64, 128)
    >>> padded_lengths(50)
    (16, 32, 52)
    """
    longest = -(-sequence_length // STRIDE) * STRIDE
    lengths = []
    length = SHORTEST
    while length < longest:
        lengths.append(length)
        length *= 2
    return (*lengths, longest)
