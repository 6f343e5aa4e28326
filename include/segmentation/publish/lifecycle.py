"""What became of the segments since the night before, in words: born, split, merged, retired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from segmentation.catalog import MINIMUM_SHOWN
from segmentation.clusters.identity import PART

#: Stands in the transitions for outside the segments: new customers come from there, others leave for it.
_OUTSIDE = -1


def describe_lifecycle(
    day: date, base_day: date | None, segmentation: Mapping[str, Any], transitions: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Say what became of the segments.

    Parameters
    ----------
    day : date
        Business day.
    base_day : date, optional
        Day whose segments went on; None on the first night.
    segmentation : mapping
        The day's ``segmentation.json``: its segments, and what happened to them as the step `cluster` found it.
    transitions : sequence of mapping
        Tonight's rows of `marts.segment_transitions`, for the shares.

    Returns
    -------
    list of dict
        Rows of `marts.segment_lifecycle`, by segment and event. Shares are of labels as published, after customers
        who did not clearly move were held still; where fewer than 10 customers went, it says "a few".
    """
    names = {segment["segment_id"]: segment["name"] for segment in segmentation["segments"]}
    ways = {(way["from_segment_id"], way["to_segment_id"]): way["customers"] for way in transitions}
    rows = []
    # a night from before changes were kept has none
    for change in segmentation.get("lifecycle", []):
        segment, event = change["segment_id"], change["kind"]
        others = sorted(change["others"]) or _partners(segment, event, ways)
        rows.append(
            {
                "as_of": day,
                "segment_id": segment,
                "event": event,
                "other_segment_ids": others,
                "detail": _said(segment, event, others, names, ways, first=base_day is None),
                "compared_to": base_day,
            }
        )
    return sorted(rows, key=lambda row: (row["segment_id"], row["event"]))


def _partners(segment: int, event: str, ways: Mapping[tuple[int, int], int]) -> list[int]:
    """Return where a good part came from or went, for a change that was not found by shared customers."""
    if event == "born":
        flows = {from_: count for (from_, to), count in ways.items() if to == segment}
    else:
        flows = {to: count for (from_, to), count in ways.items() if from_ == segment}
    least = max(PART * sum(flows.values()), MINIMUM_SHOWN)
    return sorted(other for other, count in flows.items() if count >= least and other not in (segment, _OUTSIDE))


def _said(
    segment: int,
    event: str,
    others: Sequence[int],
    names: Mapping[int, str],
    ways: Mapping[tuple[int, int], int],
    *,
    first: bool,
) -> str:
    name = names[segment]
    here = sum(count for (_, to), count in ways.items() if to == segment)
    earlier = sum(count for (from_, _), count in ways.items() if from_ == segment)

    def came(other: int) -> str:
        return _share(ways.get((other, segment), 0), here)

    def went(other: int) -> str:
        return _share(ways.get((segment, other), 0), earlier)

    if event == "born":
        size = f"{here:,} customers" if here >= MINIMUM_SHOWN else f"fewer than {MINIMUM_SHOWN} customers"
        if first:
            return f"{name} is one of the first segments, with {size}."
        origins = [f"{came(other)} were in {names[other]} before" for other in others]
        return _sentence(f"{name} is new, with {size}", origins, "of these ")
    if event == "split":
        parts = [f"{went(other)} {'stayed' if other == segment else f'became {names[other]}'}" for other in others]
        return _sentence(f"{name} split", parts, "of its customers ")
    if event == "merged":
        taken = [
            f"{_share(ways.get((other, segment), 0), sum(c for (from_, _), c in ways.items() if from_ == other))} "
            f"of the customers of {names[other]} are in it now"
            for other in others
        ]
        return _sentence(f"{name} took in {_listed([names[other] for other in others])}", taken)
    heirs = [f"{went(other)} are in {names[other]} now" for other in others]
    return _sentence(f"{name} is no more", heirs, "of its customers ")


def _share(customers: int, all_customers: int) -> str:
    return f"{100 * customers / all_customers:.0f} %" if customers >= MINIMUM_SHOWN else "a few"


def _sentence(beginning: str, facts: Sequence[str], whose: str = "") -> str:
    return f"{beginning}: {whose}{_listed(facts)}." if facts else f"{beginning}."


def _listed(parts: Sequence[str]) -> str:
    return ", ".join([*parts[:-2], " and ".join(parts[-2:])])
