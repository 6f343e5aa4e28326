"""docs/ACTIONS.md: every SQL statement on the page runs, in order, as role marketing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import text

PAGE = Path(__file__).parents[3] / "docs" / "ACTIONS.md"
LABELS = {f"c{n}": 1 + (n > 1000) for n in range(1, 2001)} | {"x1": 0, "x2": 0}


def test_the_page_s_example_runs_from_recommendation_to_result(shop: Any) -> None:
    statements = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(statements) == 7

    def ask(part: str) -> list[Any]:
        (statement,) = [each for each in statements if part in each]
        with shop.marketing.begin() as connection:
            return list(connection.execute(text(statement)))

    assert {row.segment_id for row in ask("rank = 1")} == {0, 1, 2}
    assert ask("launch_campaign(") == [(1,)]
    members = shop.members(1)
    treated = [row[0] for row in ask("arm <> 'control'")]
    assert treated == sorted(customer for customer, (arm, _) in members.items() if arm == "treated")
    assert ask("end_campaign(")[0][0] == "Campaign 1 ends on 2026-03-15."
    assert ask("launch_comparison(") == [(2,)]
    arms = shop.members(2)
    gain = {"control": 0.0, "treated": 3.0, "leave_alone": 0.0, "replenish": 5.0}
    shop.orders(
        1,
        [
            (customer, 10.0 + int(customer[1:]) % 7 + gain[arm] + gain[arms[customer][0]])
            for customer, (arm, _) in sorted(members.items())
        ],
    )
    shop.night(1, LABELS, LABELS)
    results = {row.segment_id: row for row in ask("from marts.campaign_results")}
    assert set(results) == {-1, 1, 2}
    assert results[-1].evidence == "proven"
    assert results[-1].uplift_low < 3 < results[-1].uplift_high
    best, other = ask("from marts.campaign_allocation")
    assert (best.arm, best.share_next, other.share_next) == ("replenish", 0.9, 0.1)
