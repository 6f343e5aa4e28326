"""A demo shop's whole history as a lake of checked rows, for benchmarks that run nights again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from segmentation.catalog import EXTRACT_ROLE, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import SOURCE_DATABASE, WAREHOUSE_DATABASE, temporary_server
from segmentation.demo.setup import set_up_server
from segmentation.demo.shops import SHOPS, load_shop
from segmentation.extract.extract_day import extract_day
from segmentation.validate.validate_day import validate_day


@contextmanager
def checked_shop(settings: Settings, name: str, last: date) -> Iterator[Settings]:
    """Load a demo shop into an embedded Postgres of its own, and extract and check all its days.

    Parameters
    ----------
    settings : Settings
        All but home, timezone and mapping are used.
    name : str
        A key of `SHOPS`.
    last : date
        Last day to extract.

    Yields
    ------
    Settings
        Of a temporary home whose lake reaches to ``last``; it is removed afterwards.
    """
    shop, now = SHOPS[name], datetime.now(UTC)
    with TemporaryDirectory(prefix="segmentation-bench-") as folder:
        extract = settings.extract.model_copy(update={"mapping": shop.mapping})
        told = settings.apart(Path(folder) / "home", timezone=shop.timezone, extract=extract)
        with temporary_server(Path(folder)) as (server, _):
            set_up_server(server)
            load_shop(name, server)
            extract_day(told, last, server.url(SOURCE_DATABASE, EXTRACT_ROLE), now)
            warehouse = server.engine(WAREHOUSE_DATABASE, PUBLISH_ROLE)
            validate_day(told, last, warehouse, "bench", now, accept_unusual_day=True)
            warehouse.dispose()
        yield told
