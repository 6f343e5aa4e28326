"""What each campaign has brought up to the end of a business day: per segment at launch, and in all."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import Connection, select

from segmentation.calendar import day_interval, days_between
from segmentation.campaigns.uplift import Moments, Uplift, estimate_uplift, sample_ratio_p
from segmentation.catalog import CHECKED, MINIMUM_SHOWN, ORDERS
from segmentation.config import CampaignSettings, Settings
from segmentation.evaluate.futures import sum_orders_query
from segmentation.money import money
from segmentation.rates.conversion import checked_rates, open_conversion
from segmentation.warehouse import campaigns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CONTROL = "control"
TREATED = "treated"
#: Stands for all segments of a campaign.
ALL_SEGMENTS = -1

UNTESTED, TESTING, PROVEN, HARMFUL = "untested", "testing", "proven", "harmful"

_SUM_MEMBERS = Path(__file__).with_name("sum_members.sql")
_COPY_MEMBERS = (
    "copy (select customer_id, arm, segment_id from marts.campaign_members where campaign_id = {:d} "
    "order by customer_id) to stdout (format csv)"
)
_NO_ORDERS = (
    "select null::varchar as order_id, null::varchar as customer_id, null::timestamptz as ordered_at, "
    "null::varchar as status, null::varchar as currency, null::double as total_amount, "
    "null::timestamptz as updated_at where false"
)


@dataclass(frozen=True)
class MeasuredCampaign:
    """A campaign as of a day.

    Attributes
    ----------
    campaign : mapping
        Row of `marts.campaigns`.
    day : date
        Business day up to whose end spend counts.
    groups : mapping of (segment, arm) to Moments
        Members who are still in the shop's data; segment `ALL_SEGMENTS` = all.
    """

    campaign: Mapping[str, Any]
    day: date
    groups: Mapping[tuple[int, str], Moments]

    @property
    def arms(self) -> list[str]:
        """Arms that are compared with the control."""
        return list(self.campaign["arms"])

    @property
    def days(self) -> int:
        """Days since the launch, the first included."""
        return (self.day - self.campaign["launched_on"]).days + 1


def measure_campaigns(
    connection: Connection, duck: DuckDBPyConnection, settings: Settings, day: date
) -> list[MeasuredCampaign]:
    """Sum what the members of running and lately ended campaigns spent, as known at the end of a day.

    Parameters
    ----------
    connection : Connection
        The warehouse, as `segmentation_publish`.
    duck : DuckDBPyConnection
        With the view ``labels`` of the day, from `publish.profiles.night_files`.
    settings : Settings
        All settings; checked orders are read from the lake.
    day : date
        Business day; campaigns launched later and orders placed later do not exist.

    Returns
    -------
    list of MeasuredCampaign
        By campaign.
    """
    last_end = day - timedelta(days=settings.campaigns.days_after)
    open_ones = (
        select(campaigns)
        .where(campaigns.c.launched_on <= day, campaigns.c.ends_on >= last_end)
        .order_by(campaigns.c.campaign_id)
    )
    found = [dict(row) for row in connection.execute(open_ones).mappings()]
    return [_measure(connection, duck, settings, day, campaign) for campaign in found]


def _measure(
    connection: Connection, duck: DuckDBPyConnection, settings: Settings, day: date, campaign: Mapping[str, Any]
) -> MeasuredCampaign:
    launch = campaign["launched_on"]
    before = launch - timedelta(days=settings.campaigns.covariate_days)
    duck.from_arrow(_members(connection, campaign["campaign_id"])).create_view("campaign_members", replace=True)
    files = [
        str(file)
        for each in days_between(before, day)
        if (file := settings.lake.rows_file(CHECKED, ORDERS, each)).exists()
    ]
    orders = duck.read_parquet(files, hive_partitioning=False) if files else duck.sql(_NO_ORDERS)
    orders.create_view("horizon_orders", replace=True)
    # instants are compared with instants: the machine's own timezone must not matter
    duck.execute("set timezone = 'UTC'")
    open_conversion(duck, settings, checked_rates(settings, day), orders, day_interval(day, settings.timezone).end)
    # the covariate as it was known at the launch: a return after it may be the campaign's doing
    for name, first, last in (("spend_after", launch, day), ("spend_before", before, launch - timedelta(days=1))):
        query, values = sum_orders_query(settings, first, last)
        duck.execute(f"create or replace temporary table {name} as {query}", values)
    rows = duck.execute(_SUM_MEMBERS.read_text()).fetchall()
    groups = {(segment, arm): Moments.of_cents(*map(int, sums)) for segment, arm, *sums in rows}
    return MeasuredCampaign(campaign, day, groups)


def _members(connection: Connection, campaign_id: int) -> pa.Table:
    from pyarrow import csv

    buffer = io.BytesIO()
    cursor = connection.connection.cursor()
    cursor.copy_expert(_COPY_MEMBERS.format(campaign_id), buffer)
    cursor.close()
    schema = {"customer_id": pa.string(), "arm": pa.string(), "segment_id": pa.int32()}
    if not buffer.tell():
        return pa.schema(schema.items()).empty_table()
    buffer.seek(0)
    return csv.read_csv(
        buffer,
        csv.ReadOptions(column_names=list(schema)),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(column_types=schema, strings_can_be_null=False),
    )


def result_rows(measured: MeasuredCampaign, settings: CampaignSettings, currency: str = "") -> list[dict[str, Any]]:
    """Judge a campaign as of a day.

    Parameters
    ----------
    measured : MeasuredCampaign
        From `measure_campaigns`.
    settings : CampaignSettings
        Level of the intervals, limits.
    currency : str
        Sign or code beside amounts in the message.

    Returns
    -------
    list of dict
        Rows of `marts.campaign_results`, by segment and arm.
    """
    segments = sorted({segment for segment, _ in measured.groups})
    return [
        _result(measured, segment, arm, settings, currency) for segment in segments for arm in sorted(measured.arms)
    ]


def _result(
    measured: MeasuredCampaign, segment: int, arm: str, settings: CampaignSettings, currency: str
) -> dict[str, Any]:
    campaign = measured.campaign
    treated, control = measured.groups.get((segment, arm)), measured.groups.get((segment, CONTROL))
    sizes = [group.customers if group else 0 for group in (treated, control)]
    ratio = _ratio_p(measured, segment)
    estimate = None
    if treated and control and min(sizes) >= MINIMUM_SHOWN:
        estimate = estimate_uplift(treated, control)
    planned = (campaign["planned_end"] - campaign["launched_on"]).days + 1 + settings.days_after
    low, high = estimate.always_valid_interval(settings.level, measured.days / planned) if estimate else (None, None)
    # an early end may have been chosen for what was seen, so that one look is none
    is_final = measured.days == planned and campaign["ends_on"] == campaign["planned_end"]
    final = estimate.interval(settings.level) if estimate and is_final else (None, None)
    is_last = measured.day == campaign["ends_on"] + timedelta(days=settings.days_after)
    reason = _no_verdict(measured, ratio, sizes, estimate, settings)
    evidence = TESTING
    if not reason and low is not None and high is not None:
        evidence = PROVEN if low > 0 else HARMFUL if high < 0 else TESTING
    return {
        "as_of": measured.day,
        "campaign_id": campaign["campaign_id"],
        "segment_id": segment,
        "arm": arm,
        "action": action_of(campaign, arm),
        "days": measured.days,
        "treated": sizes[0],
        "control": sizes[1],
        "sample_ratio_p": ratio,
        "control_spend": _cents(control.outcome) if control and sizes[1] >= MINIMUM_SHOWN else None,
        "uplift": _cents(estimate.value) if estimate else None,
        "uplift_low": _cents(low),
        "uplift_high": _cents(high),
        "final_low": _cents(final[0]),
        "final_high": _cents(final[1]),
        "evidence": evidence,
        "message": reason or _in_words(estimate, low, high, evidence, measured.days, currency, is_last=is_last),
    }


def action_of(campaign: Mapping[str, Any], arm: str) -> str:
    """Return the playbook's id of what an arm gets.

    Examples
    --------
    >>> action_of({"action": "win_back"}, "treated"), action_of({"action": "win_back + wake_up"}, "wake_up")
    ('win_back', 'wake_up')
    """
    return str(campaign["action"]) if arm == TREATED else arm


def _ratio_p(measured: MeasuredCampaign, segment: int) -> float:
    held = measured.groups.get((segment, CONTROL))
    treated = sum(group.customers for (of, arm), group in measured.groups.items() if of == segment and arm != CONTROL)
    return sample_ratio_p(treated, held.customers if held else 0, measured.campaign["control_share"])


def _no_verdict(
    measured: MeasuredCampaign,
    ratio: float,
    sizes: Sequence[int],
    estimate: Uplift | None,
    settings: CampaignSettings,
) -> str:
    """Say why there can be no verdict; '' if there can."""
    whole = _ratio_p(measured, ALL_SEGMENTS)
    if min(ratio, whole) < settings.sample_ratio_limit:
        return (
            f"No verdict: the groups' sizes do not fit a control share of "
            f"{100 * measured.campaign['control_share']:.1f} % (chance {min(ratio, whole):.1g}), so they may "
            f"differ in more than the campaign. Look for customers who were added, removed or treated by another rule."
        )
    if min(sizes) < MINIMUM_SHOWN:
        return f"No verdict: a group has fewer than {MINIMUM_SHOWN} customers, and figures of so few are not shown."
    if estimate is None:
        return "No verdict yet: nobody has spent anything since the launch."
    if min(sizes) < settings.minimum_group:
        fewest = settings.minimum_group
        return f"No verdict: a group has fewer than {fewest} customers, and spend is too uneven for so few."
    return ""


def _in_words(
    estimate: Uplift | None,
    low: float | None,
    high: float | None,
    evidence: str,
    days: int,
    currency: str,
    *,
    is_last: bool,
) -> str:
    if estimate is None or low is None or high is None:
        return ""
    span = (
        f"{money(estimate.value, currency)} per customer in {days} days, between {money(low, currency)} and "
        f"{money(high, currency)}"
    )
    if evidence == PROVEN:
        return f"Proven: the treated spent {span} more than those left alone."
    if evidence == HARMFUL:
        return f"Harmful: the treated spent less than those left alone: {span}."
    outcome = "Measured to the end without a verdict" if is_last else "No verdict yet"
    return f"{outcome}: {span}, which does not exclude zero."


def _cents(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(float(value))).quantize(Decimal("0.01"))
