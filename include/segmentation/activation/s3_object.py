"""A bucket of S3, or of a store that speaks its protocol, that gets one CSV object per batch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from segmentation.activation.csv_file import SENT, csv_bytes, csv_path
from segmentation.activation.destination import Batch, Login
from segmentation.config import ActivationSettings
from segmentation.errors import DestinationRefused, DestinationUnreachable

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: What the AWS library calls a failure that a later attempt may not meet.
_PASSING = ("NETWORK_CONNECTION", "SLOW_DOWN", "THROTTLING", "SERVICE_UNAVAILABLE", "INTERNAL_FAILURE", "TIMEOUT")
_SENT_PARTS = 2


class S3Bucket:
    """CSV objects under ``s3://bucket/folder``.

    The URL's parameters are pyarrow's: ``region``, and ``endpoint_override`` and ``scheme`` for another store than
    Amazon's. An object appears whole or not at all, and a batch sent twice is one object.
    """

    def __init__(self, name: str, url: str, settings: ActivationSettings, login: Login) -> None:
        self.name = name
        self.most_rows = settings.rows_per_file
        self._url = url
        self._login = login

    def send(self, batch: Batch) -> None:
        """Put the batch's object, or put it again; see `Destination.send`."""
        self.replace(csv_path(batch), csv_bytes(batch))

    def files(self) -> list[str]:
        """Name the objects of all batches; see `KeepsFiles.files`."""
        from pyarrow.fs import FileSelector

        with self._named_errors():
            store, folder = self._store()
            found = store.get_file_info(FileSelector(folder, recursive=True, allow_not_found=True))
        names = (PurePosixPath(info.path).relative_to(folder) for info in found if info.is_file)
        return sorted(str(name) for name in names if name.match(SENT) and len(name.parts) == _SENT_PARTS)

    def read(self, file: str) -> bytes:
        """Return what is in an object."""
        with self._named_errors():
            store, folder = self._store()
            with store.open_input_stream(f"{folder}/{file}") as stream:
                return bytes(stream.read())

    def replace(self, file: str, content: bytes) -> None:
        """Put an object there, or another version of it."""
        with self._named_errors():
            store, folder = self._store()
            with store.open_output_stream(f"{folder}/{file}") as stream:
                stream.write(content)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            # the library's text may hold the address with its login: only its word for the failure is kept
            found = re.search(r"AWS Error (\w+)", str(error))
            reason = found[1] if found else type(error).__name__
            passing = isinstance(error, OSError) and (not found or any(part in reason for part in _PASSING))
            raise (DestinationUnreachable if passing else DestinationRefused)(self.name, reason) from None

    def _store(self) -> tuple[FileSystem, str]:
        from pyarrow.fs import FileSystem

        login = f"{quote(self._login.user, safe='')}:{quote(self._login.secret, safe='')}@" if self._login.user else ""
        store, folder = FileSystem.from_uri(self._url.replace("s3://", f"s3://{login}", 1))
        return store, folder
