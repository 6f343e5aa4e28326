"""Marketing launches and ends campaigns by SQL, as role marketing: who is in, who is left alone, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError


def refusal(shop: Any, **changes: Any) -> str:
    with pytest.raises(DBAPIError) as caught:
        shop.launch(**changes)
    assert caught.value.orig is not None
    return str(caught.value.orig)


def held_out(shop: Any) -> set[str]:
    return {row[0] for row in shop.rows("select customer_id from marts.customer_segments where holdout")}


def test_a_random_split_leaves_the_holdout_out_and_is_frozen(shop: Any) -> None:
    campaign = shop.launch(segment_ids=[2, 1], control_share=0.2)
    members = shop.members(campaign)
    assert set(members) == {f"c{n}" for n in range(1, 2001)} - held_out(shop)
    assert members["c1"][1] == 1
    assert members["c2000"][1] == 2
    control = sum(arm == "control" for arm, _ in members.values())
    assert 0.17 < control / len(members) < 0.23
    assert {arm for arm, _ in members.values()} == {"control", "treated"}
    assert shop.rows(
        "select name, action, arms, segment_ids, launched_on::text, ends_on::text, control_share, split, created_by, "
        "labels_of::text from marts.campaigns"
    ) == [
        ("Spring", "leave_alone", ["treated"], [1, 2], "2026-03-02", "2026-03-08", 0.2, "random", "marketing",
         "2026-03-01")
    ]  # fmt: skip
    # c1 changes segment afterwards: the campaign keeps the one at launch
    shop.night(1, {**{f"c{n}": 1 + (n > 1000) for n in range(1, 2001)}, "x1": 0, "x2": 0, "c1": 2})
    assert shop.members(campaign) == members


def test_each_campaign_draws_anew_and_the_draw_can_be_repeated(shop: Any) -> None:
    one, two = shop.members(shop.launch()), shop.members(shop.launch())
    same = sum(one[customer] == two[customer] for customer in one)
    assert 0.4 < same / len(one) < 0.6
    again = shop.rows(
        "select customer_id, case when ('x' || left(md5('campaign 1:' || customer_id), 8))::bit(32)::bigint "
        "/ 4294967296.0 < 0.5 then 'control' else 'treated' end from marts.campaign_members where campaign_id = 1"
    )
    assert dict(again) == {customer: arm for customer, (arm, _) in one.items()}


def test_the_holdout_may_be_the_control_group(shop: Any) -> None:
    campaign = shop.launch(split="holdout", control_share=None, segment_ids=[1, 2])
    members = shop.members(campaign)
    assert {customer for customer, (arm, _) in members.items() if arm == "control"} == held_out(shop)
    assert len(members) == 2000
    ((share,),) = shop.rows("select control_share from marts.campaigns")
    assert share == pytest.approx(len(held_out(shop)) / 2002)


def test_who_refused_contact_is_left_out(shop: Any, server: Any, warehouse_database: str) -> None:
    owner = server.engine(warehouse_database)
    with owner.begin() as connection:
        connection.execute(
            text("update marts.customer_segments set may_contact = (customer_id <> 'c2') where customer_id < 'c5'")
        )
    owner.dispose()
    members = shop.members(shop.launch())
    assert "c2" not in members
    assert len(members) > 900


def test_several_actions_share_the_treated(shop: Any) -> None:
    campaign = shop.call(
        "select marts.launch_comparison('Which', array['leave_alone', 'replenish'], array[1, 2], :starts, :ends, 0.2, "
        "arm_shares => array[0.75, 0.25])",
        starts=shop.day(1),
        ends=shop.day(7),
    )
    arms = [arm for arm, _ in shop.members(campaign).values()]
    treated = len(arms) - arms.count("control")
    assert set(arms) == {"control", "leave_alone", "replenish"}
    assert 0.2 < arms.count("replenish") / treated < 0.3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"name": " "}, "name is empty", id="no name"),
        pytest.param({"action": "win_bakc"}, "action 'win_bakc' is not recommended for any segment", id="action"),
        pytest.param({"action": None}, "action is missing", id="no action"),
        pytest.param({"segment_ids": []}, "segment_ids is empty", id="no segments"),
        pytest.param({"segment_ids": [1, 77]}, "segment 77 has no customers on 2026-03-01", id="segment"),
        pytest.param({"starts": "2026-03-01"}, "Start on 2026-03-02 or later", id="in the past"),
        pytest.param({"starts": "2027-03-01"}, "365 days after the segments were made", id="far away"),
        pytest.param({"ends": "2026-03-01"}, "lies before starts", id="ends first"),
        pytest.param({"ends": "2030-03-01"}, "At most 366 days", id="long"),
        pytest.param({"control_share": 0}, "control_share is 0", id="no control"),
        pytest.param({"control_share": 2}, "control_share is 2", id="share"),
        pytest.param({"split": "half"}, "split is 'half'", id="split"),
        pytest.param({"split": "holdout"}, "leave control_share out", id="holdout with a share"),
        pytest.param({"segment_ids": [0]}, "too few customers", id="few"),
    ],
)
def test_a_slip_is_refused_in_words_and_leaves_nothing(shop: Any, changes: dict[str, Any], words: str) -> None:
    assert words in refusal(shop, **changes)
    assert shop.rows("select count(*) from marts.campaigns") == [(0,)]
    assert shop.rows("select count(*) from marts.campaign_members") == [(0,)]


def test_marketing_cannot_write_past_the_functions(shop: Any) -> None:
    campaign = shop.launch()
    for statement in (
        "update marts.campaign_members set arm = 'treated'",
        f"delete from marts.campaigns where campaign_id = {campaign}",
    ):
        with pytest.raises(DBAPIError, match="permission denied"):
            shop.call(statement)


def test_a_campaign_ends_early_or_is_removed_before_it_begins(shop: Any) -> None:
    first, second = shop.launch(), shop.launch(starts=shop.day(3))
    assert shop.call(f"select marts.end_campaign({second})") == f"Campaign {second} had not begun and was removed."
    assert shop.members(second) == {}
    assert shop.call(f"select marts.end_campaign({first}, '2026-03-05')") == f"Campaign {first} ends on 2026-03-05."
    assert shop.rows("select ends_on::text, planned_end::text from marts.campaigns") == [("2026-03-05", "2026-03-08")]
    with pytest.raises(DBAPIError, match="cannot be prolonged"):
        shop.call(f"select marts.end_campaign({first}, '2026-03-09')")
    with pytest.raises(DBAPIError, match="there is no campaign 99"):
        shop.call("select marts.end_campaign(99)")
