"""How Great Expectations is run: on frames of a million rows, of which it must not do more than check them."""

from __future__ import annotations

import pandas as pd
import pytest

from segmentation.validate.suite_runs import open_context, run_suite
from segmentation.validate.suites import row_suite


def test_a_frame_is_checked_without_being_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed(*_: object, **__: object) -> None:
        pytest.fail("hashing a frame takes several times as long as checking it: see suite_runs.open_context")

    monkeypatch.setattr(pd.util, "hash_pandas_object", hashed)
    keys = pd.array([7, None, 8, 7], pd.Int64Dtype())
    run = run_suite(open_context(), row_suite("customers"), pd.DataFrame({"day_of_batch": 0, "customer_id": keys}))
    assert {kept.reason: kept.places.tolist() for kept in run.kept} == {
        "customer without key": [1],
        "same key again": [0, 3],
    }
