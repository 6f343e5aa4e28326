"""Whom an export sends and whom it must not, what it leaves in the log, and what a repetition after a crash sends."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from segmentation.activation import csv_file
from segmentation.errors import DestinationRefused, ExportRunning, UnknownCampaign, UnknownDestination


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "exports"


def told(folder: Path) -> dict[str, list[str]]:
    """Return the customers of each event in all files, in order."""
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("*.csv")):
        for row in csv.DictReader(file.open(newline="")):
            found.setdefault(row["event"], []).append(row["customer_id"])
    return {event: sorted(customers) for event, customers in found.items()}


def test_a_dry_run_counts_and_leaves_nothing(shop: Any, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    done = shop.export(folder.as_uri(), send=False)
    (campaign,) = done.campaigns
    assert (campaign.joined, campaign.left, campaign.withheld) == (len(shop.treated()), 0, 0)
    assert (done.sent, done.as_of, done.batches) == (False, shop.day(0), 1)
    assert f"Dry run, would send to there, campaign 1 (Spring, part 1): {campaign.joined} join, 0 leave" in caplog.text
    assert not folder.exists()
    assert shop.log() == []


def test_the_treated_are_sent_once_and_logged(shop: Any, folder: Path) -> None:
    shop.export(folder.as_uri())
    assert 10 <= len(shop.treated()) < 60
    assert told(folder) == {"joined": shop.treated()}
    logged = shop.log(
        "customer_id, number, event, action, campaign_id, destination, as_of, run_id, sent_at is not null"
    )
    assert logged == [
        (customer, 1, "joined", "leave_alone", 1, "there", shop.day(0), "run", True) for customer in shop.treated()
    ]
    again = shop.export(folder.as_uri())
    assert again.batches == 0
    assert len(list(folder.rglob("*.csv"))) == 1


def test_consent_decides(shop: Any, folder: Path) -> None:
    no, yes, *unknown = shop.treated()
    shop.consent(no, False)
    shop.consent(yes, True)
    strict = shop.export(folder.as_uri(), send=False, require_consent=True)
    assert [(c.joined, c.withheld) for c in strict.campaigns] == [(1, len(unknown) + 1)]
    lax = shop.export(folder.as_uri())
    assert [(c.joined, c.withheld) for c in lax.campaigns] == [(len(unknown) + 1, 1)]
    assert told(folder) == {"joined": sorted([yes, *unknown])}


def test_who_withdraws_leaves_and_who_agrees_again_joins_again_under_another_key(shop: Any, folder: Path) -> None:
    shop.export(folder.as_uri())
    first, second, *_ = shop.treated()
    for may in (False, True, False, True):
        shop.consent(first, may)
        done = shop.export(folder.as_uri())
        assert [(c.joined, c.left) for c in done.campaigns] == [(int(may), int(not may))]
    assert shop.log("number, event", f"customer_id = '{first}'") == [
        (1, "joined"), (2, "left"), (3, "joined"), (4, "left"), (5, "joined")
    ]  # fmt: skip
    keys = shop.log("batch_key", f"customer_id = '{first}'")
    assert len(set(keys)) == 5
    assert shop.log("number", f"customer_id = '{second}'") == [(1,)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("update marts.customer_segments set holdout = true where customer_id = :id", id="held out now"),
        pytest.param("delete from marts.customer_segments where customer_id = :id", id="gone from the shop"),
    ],
)
def test_who_must_not_be_targeted_any_more_leaves(shop: Any, folder: Path, change: str) -> None:
    shop.export(folder.as_uri())
    first = shop.treated()[0]
    shop.do(change, id=first)
    shop.export(folder.as_uri())
    assert told(folder)["left"] == [first]


def test_a_campaign_is_sent_on_its_days_only_and_everybody_leaves_when_it_is_over(shop: Any, folder: Path) -> None:
    later = shop.launch(name="Later", segment_ids=[2], starts=shop.day(2), ends=shop.day(9))
    shop.export(folder.as_uri())
    assert told(folder) == {"joined": shop.treated()}
    shop.next_night(1)
    shop.export(folder.as_uri())
    assert told(folder) == {"joined": sorted(shop.treated() + shop.treated(later))}
    shop.next_night(2)
    assert shop.export(folder.as_uri()).batches == 0
    shop.next_night(3)
    done = shop.export(folder.as_uri())
    assert [(c.campaign_id, c.joined, c.left) for c in done.campaigns] == [(1, 0, len(shop.treated())), (later, 0, 0)]
    assert told(folder)["left"] == shop.treated()
    assert shop.export(folder.as_uri()).batches == 0


def test_one_campaign_can_be_asked_for(shop: Any, folder: Path) -> None:
    other = shop.launch(name="Other", segment_ids=[2])
    shop.export(folder.as_uri(), campaign=other)
    assert told(folder) == {"joined": shop.treated(other)}
    with pytest.raises(UnknownCampaign, match="there is no campaign 99"):
        shop.export(folder.as_uri(), campaign=99)


def test_each_destination_has_its_own_state(shop: Any, folder: Path, tmp_path: Path) -> None:
    shop.export(folder.as_uri())
    shop.do("update ops.activation_log set destination = 'elsewhere'")
    shop.export((tmp_path / "second").as_uri())
    assert told(tmp_path / "second") == {"joined": shop.treated()}


def refuse_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk refuse the n-th file from now on, counted from 1."""
    real: Callable[..., bytes] = csv_file.csv_bytes
    made: list[str] = []

    def limited(batch: Any) -> bytes:
        made.append(batch.key)
        if len(made) >= number:
            raise PermissionError(13, "Permission denied")
        return real(batch)

    monkeypatch.setattr(csv_file, "csv_bytes", limited)


def test_after_a_failure_only_what_was_not_confirmed_goes_again_in_the_same_batches(
    shop: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = len(shop.treated())
    with monkeypatch.context() as limited:
        refuse_at(2, limited)
        with pytest.raises(DestinationRefused) as failed:
            shop.export(folder.as_uri(), rows_per_file=10)
    assert (failed.value.sent, failed.value.waiting) == (10, whole - 10)
    assert f"Customers confirmed before: 10, logged as sent. Not confirmed: {whole - 10}" in str(failed.value)
    keys = shop.log("customer_id, batch_key")
    assert len(keys) == whole
    assert len(shop.log(where="sent_at is not null")) == 10
    # another size of batches and another night do not change what goes again
    shop.next_night(1)
    shop.export(folder.as_uri(), rows_per_file=7)
    assert shop.log("customer_id, batch_key") == keys
    assert shop.log(where="sent_at is null") == []
    assert told(folder) == {"joined": shop.treated()}


def test_a_crash_between_sending_and_logging_repeats_the_very_same_file(shop: Any, folder: Path) -> None:
    shop.export(folder.as_uri(), rows_per_file=10)
    before = {file: file.read_bytes() for file in folder.rglob("*.csv")}
    shop.do("update ops.activation_log set sent_at = null")
    shop.export(folder.as_uri())
    assert {file: file.read_bytes() for file in folder.rglob("*.csv")} == before


def test_who_withdraws_after_an_unconfirmed_batch_leaves_and_the_others_go_without(shop: Any, folder: Path) -> None:
    shop.export(folder.as_uri())
    shop.do("update ops.activation_log set sent_at = null")
    for file in folder.rglob("*.csv"):
        file.unlink()
    first, *others = shop.treated()
    shop.consent(first, False)
    done = shop.export(folder.as_uri())
    assert [(c.joined, c.left) for c in done.campaigns] == [(len(others), 1)]
    assert told(folder) == {"joined": others, "left": [first]}
    assert shop.export(folder.as_uri()).batches == 0


def test_without_labels_nobody_is_told_anything(shop: Any, folder: Path) -> None:
    shop.export(folder.as_uri())
    shop.do("delete from marts.customer_segments")
    assert shop.export(folder.as_uri()).batches == 0


def test_two_exports_to_one_destination_do_not_meet(shop: Any, folder: Path) -> None:
    with shop.warehouse.connect() as other:
        other.execute(text("select pg_advisory_lock(hashtext('segmentation:activation:there'))"))
        with pytest.raises(ExportRunning, match="This one sent nothing"):
            shop.export(folder.as_uri())
        other.execute(text("select pg_advisory_unlock_all()"))
    assert shop.export(folder.as_uri()).batches == 1


def test_a_destination_nobody_knows_is_told_with_the_nearest(shop: Any) -> None:
    from segmentation.activation.destination import Login
    from segmentation.activation.export_audience import export_audience
    from segmentation.config import ActivationSettings

    chosen = ActivationSettings(destinations={"crm": "https://crm.example.com/hook"})
    with pytest.raises(UnknownDestination, match=r"known: crm\. Did you mean crm\?"):
        export_audience(chosen, "cmr", shop.warehouse, Login(), "run", shop.now)
