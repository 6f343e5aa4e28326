"""The Data Docs of each business day: pages behind Airflow's login."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from segmentation.config import settings
from segmentation.lake import brought

if TYPE_CHECKING:
    from fastapi import FastAPI

URL_PREFIX = "/segmentation/data-docs"

# pages made from data, in the browser of a logged-in user: they may style themselves, and nothing else
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def find_page(folder: Path, day: date, path: str) -> Path | None:
    """Return the file of a page, or None if there is none inside the day's folder.

    Parameters
    ----------
    folder : Path
        Folder of all Data Docs.
    day : date
        Business day.
    path : str
        Path below the day's folder; empty or a folder means its ``index.html``.
    """
    root = (folder / day.isoformat()).resolve()
    try:
        page = (root / path).resolve()
        if page.is_dir():
            page = page / "index.html"
        return page if page.is_relative_to(root) and page.is_file() else None
    except (OSError, ValueError):  # a name too long, or no name at all
        return None


def data_docs_app() -> FastAPI:
    """Make the app that serves the pages to logged-in users only."""
    from airflow.api_fastapi.core_api.security import requires_authenticated
    from fastapi import Depends, FastAPI, HTTPException
    from fastapi.responses import FileResponse

    app = FastAPI(
        title="Data Docs",
        dependencies=[Depends(requires_authenticated())],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )

    @app.get("/{day}/{path:path}")
    def page(day: date, path: str) -> FileResponse:
        folder = settings().data_docs
        brought(folder / day.isoformat(), anew=True)
        found = find_page(folder, day, path)
        if found is None:
            missing = (
                f"The Data Docs of business day {day} have no such page."
                if find_page(folder, day, "")
                else f"There are no Data Docs of business day {day}: validate has not run, or they were removed."
            )
            raise HTTPException(404, missing)
        return FileResponse(found, headers=_HEADERS)

    return app
