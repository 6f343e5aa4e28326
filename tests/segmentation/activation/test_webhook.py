"""Batches as a receiver gets them over HTTP, what is tried again and what is not, and what is never told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.segmentation.activation.receiver import Receiver, receiving

from segmentation.activation.destination import Login
from segmentation.catalog import PUBLISH_ROLE
from segmentation.demo.postgres import Server
from segmentation.errors import DestinationRefused, DestinationUnreachable

TOKEN = Login(secret="t0p-secret-token")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_receiver_gets_batches_each_under_its_own_key(shop: Any, receiver: Receiver) -> None:
    shop.export(receiver.url, rows_per_request=10, login=TOKEN)
    treated = shop.treated()
    assert [len(body["customers"]) for body in receiver.bodies[:-1]] == [10] * ((len(treated) - 1) // 10)
    assert receiver.bodies[0] == {
        "campaign_id": 1,
        "campaign": "Spring, part 1",
        "event": "joined",
        "as_of": "2026-03-01",
        "customers": [{"customer_id": c, "action": "leave_alone", "number": 1} for c in treated[:10]],
    }
    assert [c["customer_id"] for body in receiver.bodies for c in body["customers"]] == treated
    assert len(set(receiver.keys)) == len(receiver.keys)
    assert set(receiver.logins) == {f"Bearer {TOKEN.secret}"}


def test_only_what_changed_comes_the_next_time(shop: Any, receiver: Receiver) -> None:
    shop.export(receiver.url)
    gone = shop.treated()[3]
    shop.consent(gone, False)
    shop.export(receiver.url)
    assert len(receiver.bodies) == 2
    assert receiver.bodies[1]["event"] == "left"
    assert receiver.bodies[1]["customers"] == [{"customer_id": gone, "action": "leave_alone", "number": 2}]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([500, 503], id="server errors"),
        pytest.param([429, 409], id="too many, still at work"),
        pytest.param(["silence"], id="no answer in time"),
    ],
)
def test_a_passing_failure_is_tried_again_under_the_same_key(shop: Any, receiver: Receiver, answers: list[Any]) -> None:
    receiver.answers = list(answers)
    shop.export(receiver.url, timeout_s=0.5)
    assert len(receiver.keys) == len(answers) + 1
    assert len(set(receiver.keys)) == 1
    assert all(body == receiver.bodies[0] for body in receiver.bodies)
    assert shop.log(where="sent_at is null") == []


def test_a_receiver_that_asks_for_patience_gets_it(shop: Any, receiver: Receiver) -> None:
    receiver.answers = [(429, "1")]
    shop.export(receiver.url, longest_pause_s=5)
    first, second = receiver.times
    assert 1 <= second - first < 4


@pytest.mark.parametrize("status", [400, 401, 404, 422, 302])
def test_a_refusal_is_not_tried_again(shop: Any, receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    with pytest.raises(DestinationRefused, match=f"it answered {status}") as refused:
        shop.export(receiver.url)
    assert len(receiver.keys) == 1
    assert (refused.value.sent, refused.value.waiting) == (0, len(shop.treated()))
    assert len(shop.log(where="sent_at is null")) == len(shop.treated())
    assert "connection segmentation_destination_there" in str(refused.value)
    assert "c1 is unknown" not in str(refused.value)


def test_after_the_last_attempt_the_batch_waits_for_the_next_export(shop: Any, receiver: Receiver) -> None:
    receiver.answers = [200, 500, 500, 500]
    with pytest.raises(DestinationUnreachable, match="it answered 500") as failed:
        shop.export(receiver.url, rows_per_request=10)
    assert failed.value.sent == 10
    kept, tried = receiver.keys[0], receiver.keys[1:]
    assert len(tried) == 3
    del receiver.keys[:]
    shop.export(receiver.url, rows_per_request=10)
    assert tried[0] in receiver.keys
    assert kept not in receiver.keys


def test_who_leaves_is_told_before_who_joins(shop: Any, receiver: Receiver) -> None:
    shop.export(receiver.url)
    shop.consent(shop.treated()[0], False)
    shop.launch(name="Next", segment_ids=[2])
    # whatever happens to the new campaign
    receiver.answers = [200, 400]
    with pytest.raises(DestinationRefused):
        shop.export(receiver.url)
    assert [body["event"] for body in receiver.bodies] == ["joined", "left", "joined"]
    assert shop.log("sent_at is not null", "event = 'left'") == [(True,)]


def test_neither_token_nor_address_is_told(shop: Any, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    receiver.answers = [500, 400]
    with pytest.raises(DestinationRefused) as refused:
        shop.export(receiver.url, login=TOKEN)
    told = caplog.text + str(refused.value) + repr(refused.value) + repr(TOKEN)
    assert "attempt 2 follows" in told
    assert TOKEN.secret not in told
    assert "7f3c" not in told


def test_a_killed_export_repeats_what_had_arrived_and_no_more(
    shop: Any, receiver: Receiver, server: Server, warehouse_database: str
) -> None:
    environment = os.environ | {
        "SEGMENTATION_ACTIVATION__DESTINATIONS": json.dumps({"there": receiver.url}),
        "SEGMENTATION_ACTIVATION__ROWS_PER_REQUEST": "10",
        "AIRFLOW_CONN_SEGMENTATION_WAREHOUSE": server.url(warehouse_database, PUBLISH_ROLE),
    }
    killed: list[subprocess.Popen[bytes]] = []
    # the second request has arrived, and nobody lives to log it
    receiver.answers = [200, lambda: killed[0].kill()]
    killed.append(
        subprocess.Popen(
            [sys.executable, "-c", "from segmentation.cli import main; main()", "export", "--send"], env=environment
        )
    )
    assert killed[0].wait(60) == -signal.SIGKILL
    assert len(shop.log(where="sent_at is not null")) == 10
    before = dict(zip(receiver.keys, receiver.bodies, strict=True))
    confirmed, unknown = receiver.keys
    shop.export(receiver.url, rows_per_request=10)
    assert receiver.keys.count(confirmed) == 1
    assert receiver.keys.count(unknown) == 2
    assert all(body == before.get(key, body) for key, body in zip(receiver.keys, receiver.bodies, strict=True))
    # a receiver that knows keys acts once on each
    acted_on = dict(zip(receiver.keys, receiver.bodies, strict=True)).values()
    assert sorted(customer["customer_id"] for body in acted_on for customer in body["customers"]) == shop.treated()
    assert shop.log(where="sent_at is null") == []


def test_nobody_listening_is_told_with_the_host(shop: Any) -> None:
    with pytest.raises(DestinationUnreachable, match=r"ConnectError at 127\.0\.0\.1\. Customers confirmed before: 0"):
        shop.export("http://127.0.0.1:1/hooks/7f3c")
