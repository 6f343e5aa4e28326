"""Which customers of a large shop are learnt from: told by a hash of the id, so it is the same ones every night."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

#: Places that a hash can have.
_PLACES = 2**64


def places(customer_ids: Iterable[str]) -> list[int]:
    """Return each customer's place among all hashes, 0 to 2**64 - 1."""
    hashes = (hashlib.md5(key.encode(), usedforsecurity=False).digest() for key in customer_ids)
    return [int.from_bytes(digest[:8], "big") for digest in hashes]


@dataclass(frozen=True)
class TrainingSample:
    """Who is learnt from, or judged by, in training.

    Attributes
    ----------
    held_out_share : float
        Share of all customers that are held out; they have the first places.
    share : float
        Share of either side that is in the sample; 1 = everybody.
    """

    held_out_share: float
    share: float = 1.0

    def holds(self, place: int) -> bool:
        """Tell whether the customer at a place is in the sample."""
        if self.share >= 1.0:
            return True
        first, second, third = self.bounds
        return place < first or second <= place < third

    @cached_property
    def bounds(self) -> tuple[int, int, int]:
        """Ends of the held-out sample, of the held-out side and of the training sample; of a sample, not of everybody.

        Examples
        --------
        >>> [bound / 2**64 for bound in TrainingSample(0.5, 0.5).bounds]
        [0.25, 0.5, 0.75]
        """
        held_out = self.held_out_share
        ends = (held_out * self.share, held_out, held_out + (1 - held_out) * self.share)
        first, second, third = (math.ceil(end * _PLACES) for end in ends)
        return first, second, third

    @property
    def hex_bounds(self) -> dict[str, str]:
        """The bounds as SQL compares them with the first half of md5's hexadecimal digits.

        Examples
        --------
        >>> TrainingSample(0.5, 0.5).hex_bounds
        {'first': '4000000000000000', 'second': '8000000000000000', 'third': 'c000000000000000'}
        """
        return {name: f"{bound:016x}" for name, bound in zip(("first", "second", "third"), self.bounds, strict=True)}
