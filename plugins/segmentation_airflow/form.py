"""What may be asked for when a night is started by hand."""

from __future__ import annotations

from airflow.sdk import Param

BUSINESS_DAY = Param(
    None, type=["null", "string"], format="date", title="Business day", section="Which day",
    description="Day to run, in the shop's timezone. Empty: the partition key or logical date, else yesterday.",
)  # fmt: skip
ACCEPT_UNUSUAL_DAY = Param(
    False, type="boolean", title="Accept an unusual day", section="Exceptions",
    description="Take the day as it is although it is empty, or far smaller or larger than usual.",
)  # fmt: skip
SEARCH = Param(
    False, type="boolean", title="Search the segments anew", section="Exceptions",
    description="Look for the best number of segments tonight, although the weekly search is not due.",
)  # fmt: skip

#: The params of the nightly DAG.
FORM = {"business_day": BUSINESS_DAY, "accept_unusual_day": ACCEPT_UNUSUAL_DAY, "search": SEARCH}
