"""What the tests with a scheduler of their own share; each module has its own ``stack``."""

from __future__ import annotations

import pytest

from segmentation.demo.stack import Api, Stack
from segmentation.demo.watch import wait_for_dag


@pytest.fixture(scope="module")
def api(stack: Stack) -> Api:
    client = Api(stack)
    wait_for_dag(client)
    return client
