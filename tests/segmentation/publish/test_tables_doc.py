"""docs/TABLES.md says what the tables' comments say."""

from __future__ import annotations

from pathlib import Path

from segmentation.publish.tables_doc import tables_doc
from segmentation.warehouse import metadata, views

PAGE = Path(__file__).parents[3] / "docs" / "TABLES.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == tables_doc(), "run: segmentation docs"


def test_every_table_view_and_column_is_on_the_page() -> None:
    page = tables_doc()
    for table in (*metadata.tables.values(), *views.tables.values()):
        assert f"### {table.fullname}\n\n{table.comment}" in page
        for column in table.columns:
            assert str(column.comment).replace("|", "\\|") in page
