"""A held night says on its page which gate failed, what follows, and where it is approved."""

from __future__ import annotations

from sqlalchemy import text

from segmentation.pages.rendering import render_part
from segmentation.pages.runs_view import runs_view

from .conftest import LAST, Shop


def _page(shop: Shop) -> str:
    return render_part("run_content.html", runs_view(shop.pages, None), "EUR")


def test_a_held_night_shows_its_gates_and_where_to_answer(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("update ops.metrics set consequence = 'holds the publication'"))
    html = _page(shop)
    assert "30 % of customers &lt;moved&gt;" in html
    assert "30 % of customers changed segment" in html
    assert "0.25" in html
    assert "holds the publication" in html
    assert "Required actions" in html


def test_a_rejected_night_says_how_to_try_again(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("update ops.runs set message = 'Rejected by admin; …' where status = 'held'"))
    html = _page(shop)
    assert "Required actions" not in html
    assert f"business_day = {LAST.replace(day=LAST.day + 1)}" in html


def test_a_warehouse_from_before_there_were_consequences_is_shown(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("update ops.metrics set detail = 'as before'"))
    content = runs_view(shop.pages, None)
    for gate in content["gates"]:
        del gate["consequence"]
    assert "as before" in render_part("run_content.html", content, "EUR")
