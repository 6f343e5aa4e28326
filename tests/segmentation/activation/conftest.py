"""A small shop with a campaign that runs, and exports to wherever a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.segmentation.publish.conftest import Nights

from segmentation.activation.destination import Login
from segmentation.activation.export_audience import Export, export_audience
from segmentation.catalog import MARKETING_ROLE
from segmentation.config import ActivationSettings, Settings
from segmentation.demo.postgres import Server

#: Sixty in segment 1, sixty in segment 2.
LABELS = {f"c{n}": 1 + (n > 60) for n in range(1, 121)}


class Marketing(Nights):
    """Nights of a shop, campaigns that marketing launches, and exports of them."""

    marketing: Engine

    def launch(self, **changes: Any) -> int:
        """Launch a campaign in segment 1 for days 1 to 3, half left alone."""
        values = {
            "name": "Spring, part 1", "action": "leave_alone", "segment_ids": [1], "starts": self.day(1),
            "ends": self.day(3), "control_share": 0.5,
        } | changes  # fmt: skip
        named = ", ".join(f"{name} => :{name}" for name in values)
        with self.marketing.begin() as connection:
            number = connection.execute(text(f"select marts.launch_campaign({named})"), values).scalar_one()
        return int(number)

    def treated(self, campaign: int = 1) -> list[str]:
        """Return the customers that a campaign treats, in order."""
        found = self.rows(
            f"select customer_id from marts.campaign_members where campaign_id = {campaign} and arm <> 'control'"
        )
        return sorted(row[0] for row in found)

    def consent(self, customer: str, may_contact: bool | None) -> None:
        """Say what a customer allows, as a night would."""
        self.do(
            "update marts.customer_segments set may_contact = :may where customer_id = :id",
            may=may_contact,
            id=customer,
        )

    def next_night(self, number: int) -> None:
        """Let the labels be those of the end of a later day."""
        self.do("update marts.customer_segments set as_of = :day", day=self.day(number))

    def do(self, statement: str, **values: Any) -> None:
        """Run a statement as the publish role."""
        with self.warehouse.begin() as connection:
            connection.execute(text(statement), values)

    def export(
        self, url: str, *, campaign: int | None = None, send: bool = True, login: Login = Login(), **settings: Any
    ) -> Export:
        """Export to destination ``there`` at a URL."""
        patience = {"attempts": 3, "longest_pause_s": 0.01, "timeout_s": 2}
        chosen = ActivationSettings(destinations={"there": url}, **patience | settings)
        return export_audience(chosen, "there", self.warehouse, login, "run", self.now, campaign=campaign, send=send)

    def log(self, columns: str = "customer_id, event", where: str = "true") -> list[Any]:
        """Return rows of the log, in order of customer and number."""
        return self.rows(f"select {columns} from ops.activation_log where {where} order by customer_id, number")


@pytest.fixture
def shop(
    make_settings: Callable[..., Settings], warehouse: Engine, server: Server, warehouse_database: str
) -> Iterator[Marketing]:
    """Return the shop with night 0 published and campaign 1 launched."""
    shop = Marketing(make_settings(timezone="UTC", publish={"holdout_share": 0}), warehouse)
    shop.marketing = server.engine(warehouse_database, MARKETING_ROLE)
    shop.night(0, LABELS)
    shop.launch()
    yield shop
    shop.marketing.dispose()
