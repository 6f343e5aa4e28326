"""The map of customers: the picture that the night made, with the segments' names."""

from __future__ import annotations

from datetime import date
from typing import Any

from segmentation.pages import charts
from segmentation.pages.night import read_night
from segmentation.pages.reader import Warehouse


def map_view(warehouse: Warehouse, asked: date | None) -> dict[str, Any]:
    """Read what `map.html` shows; ``map`` is None for a night that made none; raises as `overview`."""
    with warehouse.reading() as reading:
        night = read_night(reading, asked)
        if night is None:
            return {"night": None, "map": None}
        found = reading.rows("read_map.sql", day=night.day)
    if not found:
        return {"night": night, "map": None}
    points = found[0]
    segments = [night.name(number) for number in points["segment_ids"]]
    counts = {name: segments.count(name) for name in night.names if name in segments}
    chart = charts.scatter(segments, points["x"], points["y"], night.names, (points["x_axis"], points["y_axis"]))
    return {"night": night, "map": points, "counts": counts, "chart": chart}
