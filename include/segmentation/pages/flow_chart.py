"""Who went from which segment to which, drawn as bands between two columns of bars (Sankey 1898)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SCHEMA = "https://vega.github.io/schema/vega/v6.json"
_WIDTH, _HEIGHT, _BAR, _GAP = 560.0, 460.0, 14.0, 7.0


@dataclass(frozen=True)
class Flow:
    """Customers who were in ``source`` on the first day and in ``target`` on the last one, by their names."""

    source: str
    target: str
    customers: int


def flow_chart(flows: Sequence[Flow], names: Sequence[str]) -> dict[str, Any]:
    """Lay the bands out and return the chart as Vega.

    Parameters
    ----------
    flows : those that may be shown, staying customers included
    names : all names in the order of their colours; bars stand in this order from the top
    """
    order = {name: number for number, name in enumerate(names)}
    left = _bars(flows, "source", order)
    right = _bars(flows, "target", order)
    scale = _scale(flows, max(len(left), len(right)))
    left_y, right_y = _tops(left, scale), _tops(right, scale)
    bars = [
        {"x": 0, "x2": _BAR, "y": left_y[n], "y2": left_y[n] + c * scale, "name": n, "customers": c, "side": "left"}
        for n, c in left.items()
    ] + [
        {
            "x": _WIDTH - _BAR,
            "x2": _WIDTH,
            "y": right_y[n],
            "y2": right_y[n] + c * scale,
            "name": n,
            "customers": c,
            "side": "right",
        }
        for n, c in right.items()
    ]
    bands = []
    for flow in sorted(flows, key=lambda flow: (order[flow.source], order[flow.target])):
        thick = flow.customers * scale
        y0, y1 = left_y[flow.source], right_y[flow.target]
        left_y[flow.source] += thick
        right_y[flow.target] += thick
        bands.append(
            {
                "path": _band(y0, y1, thick),
                "source": flow.source,
                "title": f"{flow.source} → {flow.target}: {flow.customers:,} customers",
                "moved": flow.source != flow.target,
            }
        )
    return {
        "$schema": _SCHEMA,
        "width": _WIDTH,
        "height": _HEIGHT,
        "padding": {"left": 250, "right": 250, "top": 5, "bottom": 5},
        "autosize": "none",
        "data": [{"name": "bands", "values": bands}, {"name": "bars", "values": bars}],
        "scales": [{"name": "colour", "type": "ordinal", "domain": list(names), "range": "category"}],
        "marks": [
            {
                "type": "path",
                "from": {"data": "bands"},
                "encode": {
                    "enter": {
                        "path": {"field": "path"},
                        "fill": {"scale": "colour", "field": "source"},
                        "tooltip": {"field": "title"},
                    },
                    "update": {"fillOpacity": [{"test": "datum.moved", "value": 0.75}, {"value": 0.22}]},
                    "hover": {"fillOpacity": {"value": 0.95}},
                },
            },
            {
                "type": "rect",
                "from": {"data": "bars"},
                "encode": {
                    "enter": {
                        **{side: {"field": side} for side in ("x", "x2", "y", "y2")},
                        "fill": {"scale": "colour", "field": "name"},
                    }
                },
            },
            {
                "type": "text",
                "style": "flow-label",
                "from": {"data": "bars"},
                "encode": {
                    "enter": {
                        "x": {"signal": "datum.side === 'left' ? -8 : width + 8"},
                        "y": {"signal": "(datum.y + datum.y2) / 2"},
                        "align": {"signal": "datum.side === 'left' ? 'right' : 'left'"},
                        "baseline": {"value": "middle"},
                        "limit": {"value": 235},
                        "text": {"signal": "datum.name + '  ' + format(datum.customers, ',')"},
                    }
                },
            },
        ],
    }


def _bars(flows: Sequence[Flow], end: str, order: dict[str, int]) -> dict[str, int]:
    """Sum the flows by one of their ends, in the order of the names."""
    totals: dict[str, int] = {}
    for flow in flows:
        name = getattr(flow, end)
        totals[name] = totals.get(name, 0) + flow.customers
    return dict(sorted(totals.items(), key=lambda item: order[item[0]]))


def _scale(flows: Sequence[Flow], bars: int) -> float:
    return (_HEIGHT - _GAP * (bars - 1)) / max(1, sum(flow.customers for flow in flows))


def _tops(bars: dict[str, int], scale: float) -> dict[str, float]:
    tops, y = {}, 0.0
    for name, customers in bars.items():
        tops[name] = y
        y += customers * scale + _GAP
    return tops


def _band(y0: float, y1: float, thick: float) -> str:
    x0, x1, middle = _BAR, _WIDTH - _BAR, _WIDTH / 2
    return (
        f"M{x0},{y0:.2f}C{middle},{y0:.2f} {middle},{y1:.2f} {x1},{y1:.2f}"
        f"L{x1},{y1 + thick:.2f}C{middle},{y1 + thick:.2f} {middle},{y0 + thick:.2f} {x0},{y0 + thick:.2f}Z"
    )
