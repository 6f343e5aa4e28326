"""What the source says about a day and what its rows say must agree to the letter, or every night fetches it."""

from __future__ import annotations

from segmentation.calendar import days_between
from segmentation.config import ExtractSettings, Settings
from segmentation.extract.extract_day import extract_day
from segmentation.extract.fingerprints import fingerprint_of, source_fingerprints
from segmentation.extract.inspect_source import inspect_source
from segmentation.extract.mapping import load_mapping
from segmentation.extract.source import open_source

from .conftest import FIRST_DAY, LAST_DAY, TIMEZONE, Shop, read


def test_source_and_files_agree_on_every_day(shop: Shop, settings: Settings) -> None:
    shop.execute("alter table shop.orders alter column total_amount type double precision")
    shop.execute(
        "alter table shop.orders alter column total_amount drop not null, alter column updated_at drop not null"
    )
    shop.execute(
        "update shop.orders set total_amount = case order_id when 11 then 'NaN' when 21 then 'infinity' "
        "when 22 then '-infinity' when 31 then 0.1 + 0.2 when 32 then 1e15 when 41 then -0.001 when 42 then 1e308 end"
    )
    shop.execute(
        "update shop.orders set updated_at = case order_id when 61 then timestamptz 'infinity' end where order_id > 50"
    )
    shop.execute("update shop.events set loaded_at = '-infinity' where event_id = 11")
    shop.execute("delete from shop.events where event_id > 60")
    extract_day(settings, LAST_DAY, shop.url, shop.now)

    with open_source(ExtractSettings(), shop.url) as source:
        layout = inspect_source(source, load_mapping(), TIMEZONE)
        told = source_fingerprints(source, layout, FIRST_DAY, LAST_DAY, TIMEZONE)

    tables = ("orders", "order_items", "events")
    for day in days_between(FIRST_DAY, LAST_DAY):
        assert told[day] == fingerprint_of({table: read(settings, table, day) for table in tables})
    assert told[LAST_DAY]["events"] == {"rows": 0, "changed_us": None}
    assert told[LAST_DAY]["orders"] == {"rows": 2, "changed_us": None, "cents": "none"}
