"""A bucket of S3, or of a store that speaks its protocol, that gets one CSV object per batch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from segmentation.activation.csv_file import csv_bytes, csv_path
from segmentation.activation.destination import Batch, Login
from segmentation.config import ActivationSettings
from segmentation.errors import DestinationRefused, DestinationUnreachable

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: What the AWS library calls a failure that a later attempt may not meet.
_PASSING = ("NETWORK_CONNECTION", "SLOW_DOWN", "THROTTLING", "SERVICE_UNAVAILABLE", "INTERNAL_FAILURE", "TIMEOUT")


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
        try:
            store, folder = self._store()
            with store.open_output_stream(f"{folder}/{csv_path(batch)}") as stream:
                stream.write(csv_bytes(batch))
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
