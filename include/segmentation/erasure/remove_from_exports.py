"""Remove customers from the CSV files that were written for a destination, where these are still in its folder."""

from __future__ import annotations

import csv
import io

from segmentation.config import Settings
from segmentation.erasure.requests import CUSTOMER_ID
from segmentation.erasure.search import export_files
from segmentation.lake import replacing


def remove_from_exports(settings: Settings, customer_ids: list[str]) -> int:
    """Rewrite every CSV file that holds one of the customers, and return how many rows went.

    Parameters
    ----------
    settings : Settings
        The destinations; folders of this machine among them are searched.
    customer_ids : list of str
        Whom to remove.
    """
    removed = 0
    for file in export_files(settings):
        with file.open(newline="", encoding="utf-8") as opened:
            header, *rows = list(csv.reader(opened)) or [[]]
        place = header.index(CUSTOMER_ID) if CUSTOMER_ID in header else None
        kept = rows if place is None else [row for row in rows if row[place] not in customer_ids]
        if len(kept) < len(rows):
            text = io.StringIO()
            csv.writer(text).writerows([header, *kept])
            with replacing(file) as unfinished:
                unfinished.write_bytes(text.getvalue().encode())
            removed += len(rows) - len(kept)
    return removed
