"""A folder that gets one CSV file per batch; the file's name holds the key, so a batch written twice is one file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from segmentation.activation.destination import Batch
from segmentation.config import ActivationSettings
from segmentation.errors import DestinationRefused, DestinationUnreachable, LakeFull
from segmentation.lake import replacing

COLUMNS = ("customer_id", "campaign_id", "campaign", "action", "event", "number")

#: The files of batches below a folder or bucket, see `csv_path`.
SENT = "campaign_*/*.csv"


def csv_bytes(batch: Batch) -> bytes:
    """Return a batch as CSV (RFC 4180, UTF-8) with a header; columns as in `COLUMNS`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(
        (r.customer_id, batch.campaign_id, batch.campaign, r.action, batch.event, r.number) for r in batch.recipients
    )
    return text.getvalue().encode()


def csv_path(batch: Batch) -> str:
    """Return where a batch goes below a folder or bucket.

    Examples
    --------
    >>> from datetime import date
    >>> csv_path(Batch("0123456789abcdef" * 4, 7, "Spring", "joined", date(2026, 3, 1), ()))
    'campaign_7/2026-03-01_joined_0123456789abcdef.csv'
    """
    return f"campaign_{batch.campaign_id}/{batch.as_of}_{batch.event}_{batch.key[:16]}.csv"


class CsvFolder:
    """CSV files in a folder of this machine, or one that is mounted there; a reader never sees half a file."""

    def __init__(self, name: str, url: str, settings: ActivationSettings) -> None:
        self.name = name
        self.folder = Path(unquote(urlsplit(url).path))
        self.most_rows = settings.rows_per_file

    def send(self, batch: Batch) -> None:
        """Write the batch's file, or replace it by itself; see `Destination.send`."""
        with self._named_errors(csv_path(batch)):
            self._write(csv_path(batch), csv_bytes(batch))

    def files(self) -> list[str]:
        """Name the files of all batches; see `KeepsFiles.files`."""
        return sorted(str(file.relative_to(self.folder)) for file in self.folder.glob(SENT))

    def read(self, file: str) -> bytes:
        """Return what is in a file."""
        try:
            return (self.folder / file).read_bytes()
        except OSError as error:
            raise DestinationRefused(self.name, f"{file} cannot be read ({error.strerror})") from error

    def replace(self, file: str, content: bytes) -> None:
        """Put something else into a file; see `KeepsFiles.replace`."""
        with self._named_errors(file):
            self._write(file, content)

    def _write(self, file: str, content: bytes) -> None:
        with replacing(self.folder / file) as unfinished:
            unfinished.write_bytes(content)

    @contextmanager
    def _named_errors(self, file: str) -> Iterator[None]:
        folder = (self.folder / file).parent
        try:
            yield
        except LakeFull as error:
            raise DestinationUnreachable(self.name, f"the disk of {self.folder} is full") from error
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise DestinationRefused(self.name, f"{folder} cannot be written ({error.strerror})") from error
        except OSError as error:
            raise DestinationUnreachable(self.name, f"{folder}: {error.strerror or error}") from error
