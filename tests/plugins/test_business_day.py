"""Every way to start a run has to name the same day: a wrong day is a night of wrong labels."""

from datetime import UTC, date, datetime

import pytest

from segmentation.errors import InvalidSetting
from segmentation_airflow.business_day import business_day

NEW_YORK = "America/New_York"
#: 4 October, 23:30 in New York; 5 October in UTC.
NIGHT = datetime(2017, 10, 5, 3, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "param", "logical_date", "expected"),
    [
        pytest.param("2017-10-01", "2017-09-01", NIGHT, date(2017, 10, 1), id="the partition key wins"),
        pytest.param(None, "2017-09-01", NIGHT, date(2017, 9, 1), id="then the form"),
        pytest.param(
            None, "", datetime(2017, 10, 2, tzinfo=UTC), date(2017, 10, 2), id="a plain logical date is that date"
        ),
        pytest.param(
            None, None, datetime(2017, 10, 2, 2, tzinfo=UTC), date(2017, 10, 1), id="an instant is a day of the shop"
        ),
        pytest.param(None, None, NIGHT, date(2017, 10, 3), id="triggered now means the day that is over"),
        pytest.param(None, None, None, date(2017, 10, 3), id="nothing means yesterday in the shop"),
    ],
)
def test_the_day_of_a_run(key: str | None, param: str | None, logical_date: datetime | None, expected: date) -> None:
    assert business_day(key, param, logical_date, NIGHT, NEW_YORK) == expected


@pytest.mark.parametrize(
    ("key", "param", "name"),
    [
        ("2017-10-01T00:00:00", None, "partition_key"),
        (None, "1 October", "business_day"),
        (None, "2017-02-30", "business_day"),
    ],
)
def test_what_is_no_date_is_refused_by_name(key: str | None, param: str | None, name: str) -> None:
    with pytest.raises(InvalidSetting, match=f"setting {name} is .*YYYY-MM-DD"):
        business_day(key, param, None, NIGHT, NEW_YORK)
