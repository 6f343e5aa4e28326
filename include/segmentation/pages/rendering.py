"""HTML from what the views read: one set of templates for the page in Airflow and for the report of a night."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from segmentation.catalog import MINIMUM_SHOWN
from segmentation.money import money
from segmentation.pages.night import is_small

STATIC = Path(__file__).parent / "static"
#: What a page may load: its own style and scripts, nothing else from anywhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
#: A report holds its scripts; it runs sandboxed, without the user's cookies, and by its own rule runs only those.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
_NOTHING = "–"


@dataclass(frozen=True)
class Viewer:
    """Who looks, from where.

    Attributes
    ----------
    root : relative path from the page to the Segments page, '.' or '..'
    customers : may look single customers up
    audiences : may download audiences
    """

    root: str = "."
    customers: bool = False
    audiences: bool = False


def render(template: str, content: dict[str, Any], viewer: Viewer, currency: str) -> str:
    """Return a page.

    Parameters
    ----------
    template : file in ``templates/``
    content : what the view read
    viewer : for the navigation and the links
    currency : sign or code beside amounts
    """
    return _environment().get_template(template).render(**content, viewer=viewer, currency=currency, report=False)


def render_report(day: date, parts: Mapping[str, Any], currency: str) -> str:
    """Return the report of a night: one file that holds its style, its scripts and its charts.

    Parameters
    ----------
    day : the night
    parts : overview, flows, map and run, each from `render_part`, and segments: (id, name, part)
    currency : sign or code beside amounts
    """
    css = (STATIC / "page.css").read_text()
    scripts = [(STATIC / name).read_text() for name in ("vega-charts.min.js", "page.js")]
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_source, scripts))}; style-src {_source(css)}; img-src data:"
    )
    template = _environment().get_template("report.html")
    return template.render(day=day, parts=parts, currency=currency, css=css, scripts=scripts, policy=policy)


def render_part(template: str, content: dict[str, Any], currency: str) -> Markup:
    """Return a piece of the report: the inside of a page, without its navigation."""
    made = _environment().get_template(template).render(**content, viewer=Viewer(), currency=currency, report=True)
    return Markup(made)  # noqa: S704 (made by an escaping template)


def count(number: int | None) -> str:
    """Say a number of customers; a small one is not told.

    Examples
    --------
    >>> count(1234), count(9), count(0), count(None)
    ('1,234', '<10', '0', '–')
    """
    if number is None:
        return _NOTHING
    return f"<{MINIMUM_SHOWN}" if is_small(number) else f"{number:,}"


def percent(share: float | None) -> str:
    """Say a share.

    Examples
    --------
    >>> percent(0.1234), percent(0.00001), percent(0.0), percent(None)
    ('12.3 %', '<0.1 %', '0.0 %', '–')
    """
    if share is None:
        return _NOTHING
    return "<0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"


def amount(value: float | Decimal | None, currency: str = "") -> str:
    """Say an amount of money.

    Examples
    --------
    >>> amount(Decimal("57478.66"), "USD"), amount(None, "USD")
    ('57,479 USD', '–')
    """
    return _NOTHING if value is None else money(value, currency)


def number(value: float | None) -> str:
    """Say a plain figure with as many digits as matter.

    Examples
    --------
    >>> number(1234.4), number(12.34), number(1.234), number(None)
    ('1,234', '12.3', '1.23', '–')
    """
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("segmentation.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "percent": percent, "money": amount, "number": number}
    return environment


def _source(text: str) -> str:
    """Return the hash by which a Content-Security-Policy knows an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
