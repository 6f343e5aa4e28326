"""What marketing finds in the morning: the segments, and three queries to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Engine, text

from segmentation.publish.example_query import example_queries

_SQL = Path(__file__).parent


@dataclass(frozen=True)
class SegmentSummary:
    """One segment of the newest published day.

    Attributes
    ----------
    share : float
        Customers as a share (0 to 1) of all.
    revenue_28d : Decimal
        Net revenue of the last 28 days, shop currency.
    revenue_share_28d : float or None
        That as a share (0 to 1) of the shop's; None if the shop sold nothing.
    distinctive : str
        What sets the segment apart, in short, strongest first.
    """

    segment_id: int
    name: str
    customers: int
    share: float
    revenue_28d: Decimal | None
    revenue_share_28d: float | None
    distinctive: str


@dataclass(frozen=True)
class TasteSummary:
    """One taste of the newest published day.

    Attributes
    ----------
    share : float
        Customers as a share (0 to 1) of all, those without a taste among them.
    """

    taste_id: int
    name: str
    customers: int
    share: float
    description: str


@dataclass(frozen=True)
class NightSummary:
    """The newest published day: its segments, largest revenue first, and its tastes, largest first."""

    as_of: date | None
    segments: list[SegmentSummary]
    tastes: list[TasteSummary]


#: Traits named for each segment; all of them, with figures, are in marts.segment_profiles.
_TRAITS_SHOWN = 3


#: What the demo shows first.
EXAMPLE_QUERIES = (example_queries("segment_profiles")[0], *example_queries("customer_segments")[:2])


def night_summary(engine: Engine) -> NightSummary:
    """Read the segments of the newest published day.

    Parameters
    ----------
    engine : Engine
        The warehouse; `marketing` may read all that is needed.

    Returns
    -------
    NightSummary
        `as_of` is None and there are no segments if nothing has been published; a shop without categories has
        no tastes.
    """
    with engine.connect() as connection:
        rows = connection.execute(text((_SQL / "summarise_night.sql").read_text())).mappings().all()
        liked = connection.execute(text((_SQL / "summarise_tastes.sql").read_text())).mappings().all()
    return NightSummary(
        as_of=rows[0]["as_of"] if rows else None,
        segments=[
            SegmentSummary(
                segment_id=row["segment_id"],
                name=row["name"],
                customers=row["customers"],
                share=row["share"],
                revenue_28d=row["revenue_28d"],
                revenue_share_28d=row["revenue_share_28d"],
                distinctive="; ".join(trait.partition(":")[0] for trait in row["distinctive"][:_TRAITS_SHOWN]),
            )
            for row in rows
        ],
        tastes=[TasteSummary(**row) for row in liked],
    )
