"""The charts, as Vega-Lite: what is drawn, not how it looks (colours and fonts come from the page's style sheet)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

Spec = dict[str, Any]
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
#: Up to so many days a bar for each; more are drawn as areas.
_BARS_UP_TO = 16


def over_time(rows: Sequence[dict[str, Any]], names: Sequence[str], what: str, number: str = ",.0f") -> Spec:
    """Draw one figure of each segment over the days, stacked.

    Parameters
    ----------
    rows : of day (date), segment (name) and value; days without a value are left out
    names : all segments' names, in the order of their colours
    what : title of the axis
    number : d3 format of the values
    """
    days = {row["day"] for row in rows}
    bars = len(days) <= _BARS_UP_TO
    used = {row["segment"] for row in rows}
    values = [{"day": row["day"].isoformat(), "segment": row["segment"], "value": _plain(row["value"])} for row in rows]
    x: Spec = {"field": "day", "title": None}
    if bars:
        # the month and the day
        axis = {"labelAngle": 0, "labelOverlap": True, "labelExpr": "slice(datum.value, 5)"}
        x |= {"type": "ordinal", "axis": axis}
    else:
        x |= {"type": "temporal", "scale": {"type": "utc"}, "axis": {"tickCount": 6}}
    return _spec(
        values,
        240,
        mark={"type": "bar"} if bars else {"type": "area", "line": False, "interpolate": "step-after"},
        encoding={
            "x": x,
            "y": {"field": "value", "type": "quantitative", "title": what, "axis": {"format": "~s"}},
            "color": segment_colour(names, used),
            "order": {"field": "segment_order", "type": "quantitative"},
            "tooltip": [
                {"field": "segment", "title": "segment"},
                {"field": "day", "title": "day"},
                {"field": "value", "title": what, "format": number},
            ],
        },
        transform=[_order(names)],
    )


def bubbles(rows: Sequence[dict[str, Any]], names: Sequence[str], currency: str) -> Spec:
    """Draw segments by what is expected of a customer: the chance of staying away against the spend.

    ``rows`` are of segment, churn (0 to 1), spend (shop currency per customer) and customers.
    """
    unit = f" ({currency})" if currency else ""
    return _spec(
        [{name: _plain(value) for name, value in row.items()} for row in rows],
        280,
        mark={"type": "circle", "opacity": 0.85},
        encoding={
            "x": {
                "field": "churn",
                "type": "quantitative",
                "title": "expected share without an order in the next 28 days",
                "axis": {"format": ".0%"},
            },
            "y": {"field": "spend", "type": "quantitative", "title": f"expected spend per customer{unit}"},
            "size": {
                "field": "customers",
                "type": "quantitative",
                "scale": {"range": [60, 1400]},
                "legend": None,
            },
            "color": segment_colour(names, {row["segment"] for row in rows}),
            "tooltip": [
                {"field": "segment"},
                {"field": "customers", "format": ","},
                {"field": "spend", "title": "expected spend", "format": ",.2f"},
                {"field": "churn", "title": "expected to stay away", "format": ".1%"},
            ],
        },
    )


def versus_shop(rows: Sequence[dict[str, Any]]) -> Spec:
    """Draw how many times the shop's figure each figure of a segment is; ``rows`` of measure and ratio (> 0)."""
    return _spec(
        [dict(row) for row in rows],
        {"step": 24},
        mark={"type": "bar", "cornerRadius": 2},
        encoding={
            "y": {"field": "measure", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}},
            "x": {
                "field": "ratio",
                "type": "quantitative",
                "scale": {"type": "log", "base": 2},
                "axis": {"format": "~g", "tickCount": 7},
                "title": "times the shop's figure",
            },
            "x2": {"datum": 1},
            "color": {
                "field": "more",
                "type": "nominal",
                "scale": {"domain": ["", "more than the shop", "less than the shop"]},
                "legend": {
                    "orient": "top",
                    "title": None,
                    "values": ["more than the shop", "less than the shop"],
                },
            },
            "tooltip": [{"field": "measure"}, {"field": "ratio", "title": "times the shop's", "format": ".2f"}],
        },
        transform=[
            {"calculate": "datum.ratio >= 1 ? 'more than the shop' : 'less than the shop'", "as": "more"},
        ],
    )


def shares(rows: Sequence[dict[str, Any]], what: str) -> Spec:
    """Draw shares as bars, with a mark where the shop's share is; ``rows`` of name, share and shop_share (0 to 1)."""
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}}
    tooltip = [
        {"field": "name"},
        {"field": "share", "title": "in the segment", "format": ".1%"},
        {"field": "shop_share", "title": "in the shop", "format": ".1%"},
    ]
    x = {"type": "quantitative", "title": what, "axis": {"format": ".0%"}}
    return _spec(
        [dict(row) for row in rows],
        {"step": 24},
        layer=[
            {
                "mark": {"type": "bar", "cornerRadius": 2},
                "encoding": {"y": y, "x": {"field": "share", **x}, "tooltip": tooltip},
            },
            {
                "mark": {"type": "tick", "thickness": 3, "size": 20, "style": "shop"},
                "encoding": {"y": y, "x": {"field": "shop_share", **x}, "tooltip": tooltip},
            },
        ],
    )


def lines(rows: Sequence[dict[str, Any]], what: str, number: str = ",.0f") -> Spec:
    """Draw one figure of one segment over the days; ``rows`` of day (date) and value."""
    return _spec(
        [{"day": row["day"].isoformat(), "value": _plain(row["value"])} for row in rows],
        160,
        mark={"type": "line", "point": True},
        encoding={
            "x": {
                "field": "day",
                "type": "temporal",
                "title": None,
                "scale": {"type": "utc"},
                "axis": {"tickCount": 4},
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": what,
                "axis": {"format": "~s", "tickCount": 4},
                "scale": {"zero": False},
            },
            "tooltip": [
                {"field": "day", "type": "nominal"},
                {"field": "value", "title": what, "format": number},
            ],
        },
    )


def scatter(
    segments: Sequence[str], x: Sequence[float], y: Sequence[float], names: Sequence[str], axes: tuple[str, str]
) -> Spec:
    """Draw customers as points; of each only the segment is told."""
    values = [{"s": s, "x": a, "y": b} for s, a, b in zip(segments, x, y, strict=True)]
    quiet = {"labels": False, "ticks": False, "grid": False, "domain": True, "titleLimit": 600}
    return _spec(
        values,
        520,
        mark={"type": "circle", "size": 22, "opacity": 0.6},
        encoding={
            "x": {
                "field": "x",
                "type": "quantitative",
                "title": f"{axes[0]} →",
                "axis": quiet,
                "scale": {"zero": False},
            },
            "y": {
                "field": "y",
                "type": "quantitative",
                "title": f"{axes[1]} →",
                "axis": quiet,
                "scale": {"zero": False},
            },
            "color": segment_colour(names, set(segments)) | {"field": "s"},
            "tooltip": [{"field": "s", "title": "segment"}],
        },
    )


def segment_colour(names: Sequence[str], used: set[str]) -> Spec:
    """Return the colour channel: a segment has the same colour in every chart, and the legend names the used ones."""
    return {
        "field": "segment",
        "type": "nominal",
        "scale": {"domain": list(names)},
        "legend": {
            "title": None,
            "values": [name for name in names if name in used],
            "symbolType": "circle",
            "symbolOpacity": 1,
        },
    }


def _order(names: Sequence[str]) -> Spec:
    return {
        "lookup": "segment",
        "from": {
            "data": {"values": [{"segment": name, "segment_order": n} for n, name in enumerate(names)]},
            "key": "segment",
            "fields": ["segment_order"],
        },
    }


def _spec(values: list[dict[str, Any]], height: int | Spec, **parts: Any) -> Spec:
    return {
        "$schema": _SCHEMA,
        "width": "container",
        "height": height,
        "data": {"values": values},
        "autosize": {"type": "fit-x", "contains": "padding"},
        **parts,
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON has: money as a number."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value
