"""A marketer edits the playbook: what is understood, and how a slip is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentation.actions.playbook import DEFAULT_PLAYBOOK, load_playbook
from segmentation.errors import InvalidPlaybook

SMALL = """\
- id: rest
  when: everybody
  strategy: none
  channel: none
  offer: none
  timing: none
  discount_limit: none
  prior_uplift: 0 % of expected spend
  why: It costs nothing.

- id: offer
  when:
    - recency_days_median above shop by 20 %
    - discount_share below 30 %
    - campaign_order_share is known
  strategy: win-back
  channel: e-mail
  offer: a voucher
  timing: now
  discount_limit: 10 %
  take_up: 5 %
  prior_uplift: 1.50 per customer
  why: They are late.
"""


def test_the_product_s_own_playbook_is_valid_and_generic() -> None:
    entries = load_playbook()
    assert 10 <= len(entries) <= 16
    assert {"win_back", "second_purchase", "retain_vip", "replenish", "cross_sell", "cart_reminder", "welcome"} <= {
        entry.id for entry in entries
    }
    (vip,) = [entry for entry in entries if entry.id == "retain_vip"]
    assert vip.discount_limit == 0


def test_an_edited_playbook_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "playbook.yml"
    file.write_text(SMALL)
    _, offer = load_playbook(file)
    assert [str(condition) for condition in offer.when] == [
        "recency_days_median above shop by 20 %",
        "discount_share below 30 %",
        "campaign_order_share is known",
    ]
    assert (offer.discount_limit, offer.take_up, str(offer.prior_uplift)) == (0.1, 0.05, "1.50 per customer")
    segment = dict.fromkeys(["recency_days_median", "discount_share", "campaign_order_share"], 0.0)
    shop = {"recency_days_median": 10.0}
    assert not offer.suits({**segment, "recency_days_median": 12.0}, shop, has_ordered=True)
    assert offer.suits({**segment, "recency_days_median": 12.1}, shop, has_ordered=True)
    assert not offer.suits(
        {**segment, "recency_days_median": 12.1, "campaign_order_share": None}, shop, has_ordered=True
    )
    assert not offer.suits({**segment, "recency_days_median": 12.1}, shop, has_ordered=False)


@pytest.mark.parametrize(
    ("wrong", "place", "words"),
    [
        pytest.param(
            ("recency_days_median above", "recency_day_median above"),
            (13, 7),
            "There is no figure 'recency_day_median'. Did you mean 'recency_days_median'?",
            id="figure",
        ),
        pytest.param(("below 30 %", "under 30 %"), (14, 7), "when is 'discount_share under 30 %'. Write", id="side"),
        pytest.param(("when: everybody", "when: everyone"), (2, 9), "when is 'everyone'", id="everybody"),
        pytest.param(("discount_limit: 10 %", "discount_limit: 0.1"), (20, 19), "discount_limit is 0.1", id="share"),
        pytest.param(("take_up: 5 %", "takeup: 5 %"), (21, 3), "'takeup'. Did you mean 'take_up'?", id="entry"),
        pytest.param(("  timing: now\n", ""), (11, 3), "'timing' is missing", id="missing"),
        pytest.param(("id: offer", "id: rest"), (11, 7), "'rest' is there twice. The first is in line 1", id="twice"),
        pytest.param(("id: offer", "id: My offer"), (11, 7), "Use lower-case letters", id="id"),
        pytest.param(("1.50 per customer", "1.50"), (22, 17), "prior_uplift is 1.5. Write", id="prior"),
        pytest.param(("  take_up: 5 %\n", ""), (11, 3), "no take_up", id="no take-up"),
        pytest.param(("channel: e-mail", "channel: e-mail: x"), (17, 18), "no valid YAML", id="yaml"),
        pytest.param(("channel: e-mail", "channel:"), (17, 11), "channel is None. Write a text", id="empty"),
        pytest.param(("channel: e-mail", "offer: x"), (18, 3), "'offer' is there twice", id="repeated"),
        pytest.param(("when: everybody", "when: customers without an order"), None, "no action has", id="nobody"),
    ],
)
def test_a_slip_is_named_with_line_and_column(
    wrong: tuple[str, str], place: tuple[int, int] | None, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "playbook.yml"
    assert wrong[0] in SMALL
    file.write_text(SMALL.replace(*wrong, 1))
    with pytest.raises(InvalidPlaybook) as caught:
        load_playbook(file)
    assert caught.value.place == place
    assert words in str(caught.value)
    if place:
        assert f"{file}, line {place[0]}, column {place[1]}: " in str(caught.value)


def test_a_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "playbook.yml"
    for content, words in (
        ("", "it is empty"),
        ("a: b", "it is no list of actions"),
        ("- just words", "is 'just words'"),
    ):
        file.write_text(content)
        with pytest.raises(InvalidPlaybook, match="playbook ") as caught:
            load_playbook(file)
        assert words in str(caught.value) or "the action is incomplete" in str(caught.value)


def test_the_default_is_shipped_beside_the_code() -> None:
    assert DEFAULT_PLAYBOOK.name == "playbook.yml"
    assert DEFAULT_PLAYBOOK.exists()
