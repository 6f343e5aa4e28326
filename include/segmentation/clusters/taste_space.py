"""What customers like, as a point for each: how their spend and their looks spread over categories.

Distances are taken between square roots of shares (Hellinger). On Complete Journey seven such groups tell 0.098 bits
of the category of the next spend, by plain shares 0.066, by log shares 0.069, by chi-square distance 0.078, and by the
categories that the encoder foresees 0.096, which only shops with a model have.
Shapes: B customers, C named categories; a last column holds all other categories together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.clusters.inputs import read_categories, read_future_categories
from segmentation.lake import Lake

#: Decimals kept of a coordinate, so that no label depends on a processor's last bits.
DECIMALS = 6
#: Categories kept by name, the most bought ones. On Complete Journey 12 do as well, 5 cost a tenth of the bits.
_MOST_CATEGORIES = 20
#: What a customer is drawn towards the shop's usual shares by: so much of a median customer's spend of a year.
#: From 0.05 to 0.3 make no difference on Complete Journey; a whole one costs a twentieth of the bits.
_SHRINKAGE = 0.1
#: A look is worth what the shop earns per look in its category, and at most this many times that of all categories:
#: where hardly anybody looks, the quotient is chance.
_DEAREST_LOOK = 10.0


@dataclass(frozen=True)
class Liking:
    """What B customers buy and look at.

    Attributes
    ----------
    customers : (B,) ids, sorted; only those who bought or looked at something in a category
    categories : C names, most bought first
    amounts : (B, C + 1) spend of a year and the worth of looks, shop currency
    usual : (C + 1,) the shop's shares
    with_looks : whether there are any looks
    """

    customers: NDArray[np.object_]
    categories: tuple[str, ...]
    amounts: NDArray[np.float64]
    usual: NDArray[np.float64]
    with_looks: bool

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """The space in which customers are near or far, (B, C + 1)."""
        strength = self._strength
        shares = (self.amounts + strength * self.usual) / (self.amounts.sum(axis=1, keepdims=True) + strength)
        return np.round(np.sqrt(shares), DECIMALS)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """How much each customer counts when centroids are placed, (B,): who bought more is known better."""
        return np.round(np.sqrt(self.amounts.sum(axis=1) + self._strength), DECIMALS)

    @property
    def _strength(self) -> float:
        return _SHRINKAGE * float(np.median(self.amounts.sum(axis=1))) if len(self.amounts) else 0.0


def read_liking(
    lake: Lake,
    day: date,
    static: pd.DataFrame,
    cutoff: date | None = None,
    categories: Sequence[str] | None = None,
) -> Liking:
    """Read what customers buy and look at, as of a day or of one of its cut-offs.

    Parameters
    ----------
    lake : Lake
    day : business day
    static : static features of the same day or cut-off
    cutoff : one of the day's cut-offs; None = the day itself
    categories : names to keep, in this order; None = the most bought ones

    Returns
    -------
    Liking
        Without customers and categories for a shop that has none.
    """
    table = read_categories(lake, day, cutoff)
    customers = np.sort(static["customer_id"].to_numpy(dtype=object))
    by_customer = static.set_index("customer_id")
    column, names = pd.factorize(table["category"], sort=True)
    row = pd.Index(customers).get_indexer(table["customer_id"])
    shape = (len(customers), len(names))
    spend = _spread(table["spend_share"], _figures(by_customer, "monetary_365d", customers), row, column, shape)
    looks = _spread(
        table["product_view_share"], _figures(by_customer, "product_views_91d", customers), row, column, shape
    )
    amounts = spend + looks * _worth(spend.sum(axis=0), looks.sum(axis=0))
    total = amounts.sum(axis=0)
    if categories is None:
        order = np.lexsort((np.arange(len(names)), -np.round(total, 2)))
        categories = [str(names[c]) for c in order[:_MOST_CATEGORIES] if total[c] > 0]
    place = {str(name): index for index, name in enumerate(names)}
    named = [amounts[:, place[name]] if name in place else np.zeros(len(amounts)) for name in categories]
    others = amounts[:, [index for name, index in place.items() if name not in set(categories)]].sum(axis=1)
    kept = np.stack([*named, others], axis=1)
    liked = kept.sum(axis=1) > 0
    whole = kept.sum()
    return Liking(
        customers=customers[liked],
        categories=tuple(categories),
        amounts=kept[liked],
        usual=kept.sum(axis=0) / whole if whole > 0 else np.zeros(kept.shape[1]),
        with_looks=bool(looks.any()),
    )


def read_next_spend(lake: Lake, day: date, cutoff: date, customers: NDArray[np.object_]) -> NDArray[np.float64]:
    """Read what customers spent on each category in the horizon after a cut-off.

    Parameters
    ----------
    lake : Lake
    day : business day
    cutoff : one of the day's cut-offs
    customers : (B,) ids

    Returns
    -------
    (B, N) shop currency; a column for each of the N categories that anybody bought, by name
    """
    table = read_future_categories(lake, day, cutoff)
    spent = table.pivot_table(index="customer_id", columns="category", values="spend", aggfunc="sum", sort=True)
    return spent.reindex(customers).fillna(0.0).to_numpy(dtype=float).clip(min=0.0)


def _figures(by_customer: pd.DataFrame, name: str, customers: NDArray[np.object_]) -> NDArray[np.float64]:
    if name not in by_customer:
        return np.zeros(len(customers))
    values = by_customer[name].reindex(customers).to_numpy(dtype=float, na_value=np.nan)
    return np.nan_to_num(values).clip(min=0.0)


def _spread(
    shares: pd.Series,
    of_customer: NDArray[np.float64],
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Spread each customer's figure over the categories, (B, N)."""
    found = np.zeros(shape)
    if len(row):
        found[row, column] = shares.fillna(0.0).to_numpy(dtype=float) * of_customer[row]
    return found


def _worth(spend: NDArray[np.float64], looks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a look in each category is worth, (N,), from the shop's spend and looks there."""
    if looks.sum() == 0 or spend.sum() == 0:
        return np.ones(len(looks))
    each = spend.sum() / looks.sum()
    return np.minimum(spend / np.maximum(looks, 1.0), _DEAREST_LOOK * each)
