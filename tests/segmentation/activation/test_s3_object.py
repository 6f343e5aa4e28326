"""Objects as a real S3 server (moto's, a process's own HTTP server) has them afterwards."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer
from pyarrow.fs import FileSelector, FileSystem

from segmentation.activation.destination import Login
from segmentation.errors import DestinationRefused, DestinationUnreachable

LOGIN = Login("an-access-key", "a/secret+key")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    httpx.put(f"http://127.0.0.1:{port}/exports").raise_for_status()
    yield f"scheme=http&region=us-east-1&endpoint_override=127.0.0.1%3A{port}"
    server.stop()


def objects(address: str, folder: str) -> dict[str, bytes]:
    """Return the objects below a folder of bucket exports."""
    store, path = FileSystem.from_uri(f"s3://key:secret@exports/{folder}?{address}")
    found = store.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    return {info.path: store.open_input_stream(info.path).read() for info in found if info.is_file}


def test_a_bucket_gets_an_object_per_batch_and_a_repetition_is_the_same_object(shop: Any, address: str) -> None:
    url = f"s3://exports/crm?{address}"
    shop.export(url, rows_per_file=10, login=LOGIN)
    written = objects(address, "crm")
    rows = [row for name in written for row in csv.DictReader(written[name].decode().splitlines())]
    assert sorted(row["customer_id"] for row in rows) == shop.treated()
    assert {(row["campaign_id"], row["campaign"], row["event"]) for row in rows} == {("1", "Spring, part 1", "joined")}
    assert len(written) == -(-len(shop.treated()) // 10)
    assert all(name.startswith("exports/crm/campaign_1/2026-03-01_joined_") for name in written)
    shop.do("update ops.activation_log set sent_at = null")
    shop.export(url, login=LOGIN)
    assert objects(address, "crm") == written


def test_a_bucket_that_is_not_there_is_refused_at_once(shop: Any, address: str) -> None:
    with pytest.raises(DestinationRefused, match="refused a batch: NO_SUCH_BUCKET") as refused:
        shop.export(f"s3://nowhere/crm?{address}", login=LOGIN)
    assert LOGIN.secret not in str(refused.value)
    assert len(shop.log(where="sent_at is null")) == len(shop.treated())


def test_a_store_that_is_down_can_be_tried_again(shop: Any) -> None:
    with pytest.raises(DestinationUnreachable, match="NETWORK_CONNECTION"):
        shop.export("s3://exports/crm?scheme=http&endpoint_override=127.0.0.1%3A1&region=us-east-1", login=LOGIN)


def test_a_parameter_that_does_not_exist_is_refused_without_the_address(shop: Any) -> None:
    with pytest.raises(DestinationRefused) as refused:
        shop.export("s3://exports/crm?no_such_parameter=1", login=LOGIN)
    assert "secret" not in str(refused.value)
