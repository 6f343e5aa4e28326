"""The report of a night: the pages' content of one day in a single HTML file that can be kept or sent."""

from __future__ import annotations

import logging
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Engine

from segmentation.config import Settings
from segmentation.errors import NotThere
from segmentation.lake import replacing
from segmentation.pages.flows_view import flows_view
from segmentation.pages.map_view import map_view
from segmentation.pages.overview import overview
from segmentation.pages.reader import Warehouse
from segmentation.pages.rendering import render_part, render_report
from segmentation.pages.runs_view import runs_view
from segmentation.pages.segment_view import describe_segment
from segmentation.publish.publish_night import PublishResult, publish_night
from segmentation.runs import PublishedNight

logger = logging.getLogger(__name__)


def night_report(warehouse: Warehouse, day: date, currency: str) -> str:
    """Return the report of a published day as HTML, self-contained.

    Raises
    ------
    NotThere
        If the day is not published.
    SegmentationError
        If the warehouse cannot be read.
    """
    content = overview(warehouse, day, currency)
    if content["night"] is None:
        raise NotThere("No night has been published yet.")
    with warehouse.reading() as reading:
        described = [
            describe_segment(reading, content["night"], profile["segment_id"], currency) for profile in content["cards"]
        ]
    parts = {
        "overview": render_part("overview_content.html", content, currency),
        "flows": render_part("flows_content.html", flows_view(warehouse, None, day), currency),
        "map": render_part("map_content.html", map_view(warehouse, day), currency),
        "run": render_part("run_content.html", runs_view(warehouse, day), currency),
        "segments": [
            (
                part["segment"]["segment_id"],
                part["segment"]["name"],
                render_part("segment_content.html", {"night": content["night"], **part}, currency),
            )
            for part in described
        ],
    }
    return render_report(day, parts, currency)


def report_file(settings: Settings, day: date) -> Path:
    """Return where the report of a day lies."""
    return settings.reports / f"{day.isoformat()}.html"


def write_report(settings: Settings, day: date, warehouse: Warehouse, target: Path) -> None:
    """Replace a file by the report of a published day; raises as `night_report`, and `LakeFull`."""
    html = night_report(warehouse, day, settings.currency)
    with replacing(target) as temporary:
        temporary.write_text(html)


def keep_report(settings: Settings, day: date, engine: Engine) -> None:
    """Write the report of the night that was just published; the labels stand, whatever happens to it."""
    try:
        write_report(settings, day, Warehouse(engine, engine), report_file(settings, day))
    except Exception:
        logger.exception(
            "The labels of %s are published, but its report could not be written. "
            "Make it by hand: segmentation report --day %s",
            day,
            day,
        )


def publish_with_report(
    settings: Settings,
    day: date,
    segmentation_version: str,
    base: PublishedNight | None,
    warehouse: Engine,
    run_id: str,
    now: datetime,
    note: str = "",
) -> PublishResult:
    """Publish a night as `publish_night` does, with its arguments, result and errors; then write its report."""
    published = publish_night(settings, day, segmentation_version, base, warehouse, run_id, now, note)
    keep_report(settings, day, warehouse)
    return published
