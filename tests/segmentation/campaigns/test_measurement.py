"""A campaign's nightly result, worked out by hand: what counts, as known when, and when there is no verdict."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text


def spend(shop: Any, campaign: int, number: int, treated: float, control: float = 10.0) -> None:
    """Let three in four members of each group spend about so much on a day."""
    rows = []
    for customer, (arm, _) in sorted(shop.members(campaign).items()):
        at = int(customer[1:])
        if at % 4:
            rows.append((customer, round((control if arm == "control" else treated) + at % 7, 2)))
    shop.orders(number, rows)


def nights(shop: Any, *numbers: int) -> None:
    labels = {f"c{n}": 1 + (n > 1000) for n in range(1, 2001)} | {"x1": 0, "x2": 0}
    for number in numbers:
        shop.night(number, labels, labels)


def test_spend_since_the_launch_is_compared_and_the_verdict_comes_when_it_is_sure(shop: Any) -> None:
    campaign = shop.launch(segment_ids=[1, 2])
    for number in range(1, 4):
        spend(shop, campaign, number, treated=12.0)
    nights(shop, 1, 2, 3)
    members = shop.members(campaign)
    means = {}
    for arm in ("treated", "control"):
        own = [int(c[1:]) for c, (a, _) in members.items() if a == arm]
        means[arm] = sum((12 if arm == "treated" else 10) + n % 7 for n in own if n % 4) / len(own)
    days, uplift, low, high, evidence, message, final = shop.result(
        campaign, 3, "days, uplift, uplift_low, uplift_high, evidence, message, final_low"
    )
    assert days == 3
    assert float(uplift) == pytest.approx(3 * (means["treated"] - means["control"]), abs=0.006)
    assert 0 < low < uplift < high
    assert (evidence, final) == ("proven", None)
    assert message == (
        f"Proven: the treated spent {uplift} per customer in 3 days, between {low} and {high} more than those left "
        "alone."
    )
    # per segment as well, and nobody is counted twice
    parts = shop.rows(
        "select sum(treated), sum(control) from marts.campaign_results "
        f"where as_of = '{shop.day(3)}' and segment_id > 0"
    )
    assert parts == [shop.result(campaign, 3, "treated, control")]
    assert shop.result(campaign, 1, "days")[0] == 1
    # the recommendation for each segment goes by that segment's own result
    assert shop.rows(
        f"select action.segment_id from marts.segment_actions as action join marts.campaign_results as result "
        f"using (as_of, segment_id, action) where as_of = '{shop.day(3)}' and action = 'leave_alone' "
        "and segment_id > 0 and action.evidence = result.evidence and action.uplift = result.uplift order by 1"
    ) == [(1,), (2,)]


def test_without_an_effect_there_is_no_verdict_and_with_a_loss_it_is_harmful(shop: Any) -> None:
    idle, bad = shop.launch(), shop.launch(segment_ids=[2], action="replenish")
    rows = [(c, 10.0 + int(c[1:]) % 7) for c in shop.members(idle) if int(c[1:]) % 4]
    rows += [
        (c, (8.0 if arm == "treated" else 10.0) + int(c[1:]) % 7)
        for c, (arm, _) in shop.members(bad).items()
        if int(c[1:]) % 4
    ]
    for number in (1, 2, 3):
        shop.orders(number, sorted(rows))
    nights(shop, 3)
    evidence, message = shop.result(idle, 3, "evidence, message")
    assert evidence == "testing"
    assert message.startswith("No verdict yet: ")
    assert message.endswith("which does not exclude zero.")
    assert shop.result(bad, 3, "evidence")[0] == "harmful"
    # a warning, at the end of the list
    ranked = shop.rows(
        f"select action, evidence, rationale, expected_value from marts.segment_actions where segment_id = 2 "
        f"and as_of = '{shop.day(3)}' order by rank"
    )
    assert [row[:2] for row in ranked][-1] == ("replenish", "harmful")
    assert ranked[-1][2].startswith("Do not use it here.")
    assert ranked[-1][3] < 0


def test_only_what_was_known_at_the_end_of_the_day_counts(shop: Any) -> None:
    campaign = shop.launch(segment_ids=[1, 2])
    spend(shop, campaign, 1, treated=12.0)
    spend(shop, campaign, 2, treated=500.0)
    nights(shop, 1)
    before = shop.result(campaign, 1, "uplift, uplift_low, control_spend")
    # everything is sent back two days later: day 1 stays as it was known then, day 3 knows
    members = shop.members(campaign)
    rows = [(c, 12.0) for c in sorted(members) if int(c[1:]) % 4]
    shop.orders(1, rows, status="returned", updated=3)
    nights(shop, 1)
    assert shop.result(campaign, 1, "control_spend")[0] > Decimal("8")
    shop.orders(2, [])
    nights(shop, 3)
    assert shop.result(campaign, 3, "control_spend, uplift, message") == (
        Decimal("0.00"), None, "No verdict yet: nobody has spent anything since the launch."
    )  # fmt: skip
    assert before[0] < 5, "the orders of day 2 were in the lake already"


def test_spend_before_the_launch_adjusts_and_is_not_counted(shop: Any) -> None:
    campaign = shop.launch(segment_ids=[1, 2])
    members = shop.members(campaign)
    # a customer's level is the same before and after; the treated spend 1.00 more
    level = {c: float(int(c[1:]) % 50) for c in members}
    shop.orders(-1, [(c, 3 * level[c]) for c in sorted(members)])
    shop.orders(0, [(c, 2 * level[c]) for c in sorted(members)])
    shop.orders(1, [(c, level[c] + (arm == "treated") + int(c[1:]) % 3) for c, (arm, _) in sorted(members.items())])
    nights(shop, 1)
    uplift, low, high = map(float, shop.result(campaign, 1, "uplift, uplift_low, uplift_high"))
    assert uplift == pytest.approx(1.0, abs=0.1)
    # the levels' spread of 14 is gone from the interval: only the noise of 0.8 is left
    assert high - low < 1.0


def test_groups_of_the_wrong_size_get_no_verdict(shop: Any) -> None:
    campaign = shop.launch(segment_ids=[1, 2])
    for number in (1, 2, 3):
        spend(shop, campaign, number, treated=30.0)
    members = shop.members(campaign)
    # a third of the treated disappear from the shop's data
    gone = [c for c, (arm, _) in sorted(members.items()) if arm == "treated"][::3]
    labels = {f"c{n}": 1 + (n > 1000) for n in range(1, 2001)} | {"x1": 0, "x2": 0}
    shop.night(3, {c: s for c, s in labels.items() if c not in gone}, labels)
    evidence, p, message, low = shop.result(campaign, 3, "evidence, sample_ratio_p, message, uplift_low")
    assert (evidence, p < 0.001, low > 0) == ("testing", True, True)
    assert "do not fit a control share of 50.0 %" in message


def test_figures_of_few_are_hidden(shop: Any) -> None:
    campaign = shop.launch(segment_ids=[0, 1])
    spend(shop, campaign, 1, treated=12.0)
    nights(shop, 1)
    assert shop.result(campaign, 1, "uplift, control_spend", segment=0) == (None, None)
    assert "fewer than 10 customers" in shop.result(campaign, 1, "message", segment=0)[0]


def test_the_last_night_has_an_interval_for_one_look_and_then_it_is_over(shop: Any) -> None:
    campaign = shop.launch(segment_ids=[1, 2], ends=shop.day(3))
    for number in range(1, 5):
        spend(shop, campaign, number, treated=10.2)
    nights(shop, 5, 6, 7)
    assert shop.result(campaign, 5, "final_low, final_high") == (None, None)
    low, final_low, final_high, high = shop.result(campaign, 6, "uplift_low, final_low, final_high, uplift_high")
    assert low < final_low < final_high < high
    assert shop.rows(f"select count(*) from marts.campaign_results where as_of = '{shop.day(7)}'") == [(0,)]
    # what it showed still counts for the segment's actions
    assert shop.rows(
        f"select distinct evidence from marts.segment_actions where as_of = '{shop.day(7)}' and action = 'leave_alone' "
        "and segment_id = 1"
    ) != [("untested",)]


def test_nights_again_and_out_of_order_leave_the_same_rows(shop: Any) -> None:
    campaign = shop.launch(segment_ids=[1, 2])
    for number in (1, 2, 3):
        spend(shop, campaign, number, treated=12.0)
    nights(shop, 3, 1, 2)

    def everything() -> list[Any]:
        return [
            shop.rows(f"select t::text from marts.{table} as t order by 1")
            for table in ("campaign_results", "segment_actions", "campaign_allocation")
        ]

    before = everything()
    nights(shop, 2, 1, 3)
    assert everything() == before
    with shop.warehouse.begin() as connection:
        connection.execute(text("delete from marts.campaign_results"))
    nights(shop, 1, 2, 3)
    assert everything() == before


def test_actions_that_compete_get_a_proposal_which_the_next_campaign_takes(shop: Any) -> None:
    values = {"starts": shop.day(1), "ends": shop.day(3)}
    first = shop.call(
        "select marts.launch_comparison('Which', array['leave_alone', 'replenish'], array[1, 2], :starts, :ends, 0.2)",
        **values,
    )
    rows = [
        (c, {"control": 10.0, "leave_alone": 10.0, "replenish": 12.0}[arm] + int(c[1:]) % 7)
        for c, (arm, _) in sorted(shop.members(first).items())
        if int(c[1:]) % 4
    ]
    shop.orders(1, rows)
    nights(shop, 1)
    proposal = shop.rows(
        "select arm, share_now, share_next, chance_best > 0.5 from marts.campaign_allocation order by 1"
    )
    assert proposal == [("leave_alone", 0.5, 0.1, False), ("replenish", 0.5, 0.9, True)]
    assert shop.rows(
        "select arm, action from marts.campaign_results where segment_id = -1 order by 1"
    ) == [("leave_alone", "leave_alone"), ("replenish", "replenish")]  # fmt: skip
    second = shop.call(
        "select marts.launch_comparison('Again', array['replenish', 'leave_alone'], array[1, 2], :starts, :ends, 0.2, "
        "follows => :first)",
        starts=shop.day(1) + timedelta(days=1),
        ends=shop.day(9),
        first=first,
    )
    assert shop.rows(f"select arm_shares, follows from marts.campaigns where campaign_id = {second}") == [
        ([0.9, 0.1], first)
    ]
    # with nothing spent yet, the second campaign proposes what it has
    nights(shop, 2)
    assert shop.rows(
        f"select arm, share_next from marts.campaign_allocation where campaign_id = {second} order by 1"
    ) == [("leave_alone", 0.1), ("replenish", 0.9)]
