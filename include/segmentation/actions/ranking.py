"""Which actions suit each segment tonight, best first, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from segmentation.actions.playbook import AVERAGE_ORDER, EVERYBODY, EXPECTED_SPEND, NO_ORDER, Entry
from segmentation.actions.traits import TRAITS, Profile, said, traits_of, traits_of_shop
from segmentation.campaigns.measurement import HARMFUL, PROVEN, TESTING, UNTESTED
from segmentation.catalog import MINIMUM_SHOWN, NO_ORDER_SEGMENT
from segmentation.money import money

#: Days that an expected value is about.
VALUE_DAYS = 28


@dataclass(frozen=True)
class Measured:
    """The newest result of an action in a segment.

    Attributes
    ----------
    campaign_id, days : int
        Campaign, and days since its launch.
    evidence : str
        testing, proven or harmful.
    uplift, low, high : Decimal or None
        Shop currency per treated customer.
    """

    campaign_id: int
    days: int
    evidence: str
    uplift: Decimal | None
    low: Decimal | None
    high: Decimal | None


def newest_results(results: Iterable[Mapping[str, Any]]) -> dict[tuple[int, str], Measured]:
    """Choose the result that counts for each segment and action.

    The newest campaign with a verdict; without one, the newest campaign.

    Parameters
    ----------
    results : iterable of mapping
        Newest row of `marts.campaign_results` of each campaign, segment and arm, in any order.

    Returns
    -------
    dict of (segment, action) to Measured
    """
    chosen: dict[tuple[int, str], Measured] = {}
    for row in sorted(results, key=lambda row: (row["evidence"] != TESTING, row["campaign_id"])):
        chosen[row["segment_id"], row["action"]] = Measured(
            row["campaign_id"], row["days"], row["evidence"], row["uplift"], row["uplift_low"], row["uplift_high"]
        )
    return chosen


def rank_actions(
    day: date,
    profiles: Sequence[Profile],
    whole: Profile | None,
    playbook: Sequence[Entry],
    results: Mapping[tuple[int, str], Measured],
    currency: str = "",
) -> list[dict[str, Any]]:
    """Recommend actions to every segment with customers.

    Ranked by expected value: what was proven, else the playbook's prior less the discount. Actions proven harmful come
    last with their loss, so that nobody tries them again unawares. Equal values keep the playbook's order. A segment
    of few customers gets only what is for everybody: figures of so few are not to be read.

    Parameters
    ----------
    day : date
        Business day.
    profiles : sequence of mapping
        Rows of `marts.segment_profiles` of the day.
    whole : mapping, optional
        The shop described as a segment is; None if nobody has ordered.
    playbook : sequence of Entry
        From `load_playbook`.
    results : mapping
        From `newest_results`.
    currency : str
        Sign or code beside amounts.

    Returns
    -------
    list of dict
        Rows of `marts.segment_actions`, by segment and rank; at least one per profile.
    """
    shop = traits_of_shop(whole)
    rows: list[dict[str, Any]] = []
    for profile in sorted(profiles, key=lambda row: row["segment_id"]):
        segment = traits_of(profile)
        is_few = profile["customers"] < MINIMUM_SHOWN
        has_ordered = profile["segment_id"] != NO_ORDER_SEGMENT
        suitable = [
            entry
            for entry in playbook
            if (entry.when == EVERYBODY if is_few else entry.suits(segment, shop, has_ordered=has_ordered))
        ]
        told = [
            _recommendation(profile, entry, segment, shop, results.get((profile["segment_id"], entry.id)), currency)
            for entry in suitable
        ]
        told.sort(
            key=lambda row: (row["evidence"] == HARMFUL, row["expected_value"] is None, -(row["expected_value"] or 0))
        )
        rows.extend({"as_of": day, "rank": rank, **row} for rank, row in enumerate(told, start=1))
    return rows


def prior_uplift(entry: Entry, expected_spend: float | None, average_order: float | None) -> float | None:
    """Return what a customer is believed to spend more in 28 days, less the discount given away; None if unknown.

    Those who take the discount get it on all they spend, what they would have bought anyway included.

    Parameters
    ----------
    entry : Entry
        Of the playbook.
    expected_spend, average_order : float or None
        Of the segment (of the shop, for customers without an order), shop currency.

    Examples
    --------
    >>> from segmentation.actions.playbook import load_playbook
    >>> win_back = {entry.id: entry for entry in load_playbook()}["win_back"]
    >>> prior_uplift(win_back, 100.0, None)  # 12 - 0.15 * 0.05 * 112
    11.16
    """
    basis = {EXPECTED_SPEND: expected_spend, AVERAGE_ORDER: average_order}.get(entry.prior_uplift.of, 1.0)
    if basis is None:
        return None
    gain = entry.prior_uplift.value * basis
    return gain - entry.discount_limit * entry.take_up * ((expected_spend or 0.0) + gain)


def _recommendation(
    profile: Profile,
    entry: Entry,
    segment: Mapping[str, float | None],
    shop: Mapping[str, float | None],
    measured: Measured | None,
    currency: str,
) -> dict[str, Any]:
    spend = segment["expected_spend_28d"]
    if spend is None:
        # without a model, the next 28 days are taken to be like the last
        spend = segment["revenue_28d_per_customer"]
    prior = prior_uplift(entry, spend, segment["average_order_value"] or shop["average_order_value"])
    evidence = measured.evidence if measured else UNTESTED
    shown = measured.uplift if measured else _cents(prior)
    per_customer = prior
    if measured and measured.uplift is not None and evidence in (PROVEN, HARMFUL):
        per_customer = float(measured.uplift) * min(VALUE_DAYS / measured.days, 1.0)
    return {
        "segment_id": profile["segment_id"],
        "action": entry.id,
        "strategy": entry.strategy,
        "channel": entry.channel,
        "offer": entry.offer,
        "timing": entry.timing,
        "discount_limit": entry.discount_limit,
        "rationale": " ".join(_rationale(profile, entry, segment, shop, measured, prior, currency)),
        "evidence": evidence,
        "uplift": shown,
        "uplift_low": measured.low if measured else None,
        "uplift_high": measured.high if measured else None,
        "expected_value": None if per_customer is None else _cents(per_customer * profile["customers"]),
    }


def _rationale(
    profile: Profile,
    entry: Entry,
    segment: Mapping[str, float | None],
    shop: Mapping[str, float | None],
    measured: Measured | None,
    prior: float | None,
    currency: str,
) -> Iterable[str]:
    if measured and measured.evidence == HARMFUL:
        yield "Do not use it here."
    yield entry.why
    if profile["customers"] < MINIMUM_SHOWN:
        yield f"The segment has fewer than {MINIMUM_SHOWN} customers, too few to go by their figures."
    elif entry.when == NO_ORDER:
        yield f"Here: {profile['customers']:,} customers without an order."
    elif not isinstance(entry.when, str):
        names = list(dict.fromkeys(condition.trait for condition in entry.when))
        figures = [
            f"{TRAITS[name].words} {said(name, value, currency)}{_beside(name, shop[name], currency)}"
            for name in names
            if (value := segment[name]) is not None
        ]
        yield f"Here: {'; '.join(figures)}."
    yield _worth(entry, measured, prior, currency)


def _beside(name: str, usual: float | None, currency: str) -> str:
    return "" if usual is None or name in ("customers", "share") else f" (shop {said(name, usual, currency)})"


def _worth(entry: Entry, measured: Measured | None, prior: float | None, currency: str) -> str:
    if measured and measured.uplift is not None and measured.low is not None and measured.high is not None:
        return (
            f"Campaign {measured.campaign_id}, {measured.evidence}: {money(float(measured.uplift), currency)} "
            f"per customer in {measured.days} days (between {money(float(measured.low), currency)} and "
            f"{money(float(measured.high), currency)})."
        )
    if prior is None:
        return f"Untested; believed to bring {entry.prior_uplift}, which is not known here."
    net = " after the discount" if entry.discount_limit else ""
    belief = f"believed to bring {entry.prior_uplift}: {money(prior, currency)} per customer in {VALUE_DAYS} days{net}."
    return f"Campaign {measured.campaign_id} has no figures yet; {belief}" if measured else f"Untested; {belief}"


def _cents(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(float(value))).quantize(Decimal("0.01"))
