"""A bucket that holds what all workers share, and this worker's copy of it: the one module that speaks S3.

The bucket is the truth. Whoever reads gets local files, which DuckDB, Arrow and NumPy read at their full speed: a copy
of the objects that it asks for. Whoever writes puts the object first, in one request, and the copy after it.

- An object is replaced by one PUT: a reader gets the old one or the new one, and of two writers the last one's stays.
- Each copy is noted with the ETag that it came with. A step begins with one listing of the bucket: a copy whose object
  has another ETag is fetched again, and one whose object is gone goes too. So what another worker wrote, replaced or
  erased before a step began is seen by the step.
- Of two processes of one worker, one that fetches and one that writes wait for each other.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from segmentation.errors import LakeFull, LakeRefused, LakeUnreachable

#: Folder of the lake, not in the bucket, for what a step spreads on its disk while it works.
SCRATCH = "tmp"
#: Below the copy, not in the bucket: what the copy is known by.
_NOTES, _LOCK = ".etags", ".lock"
_AT_ONCE = 16
#: What one request may list, and delete.
_MOST_LISTED = _MOST_DELETED = 1000
_CHUNK = 1 << 20
_ATTEMPTS = 3
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 10, 60
#: Tries of one request, with pauses between them.
_TRIES = 4
#: Words of S3, or of a store that speaks its protocol, for a failure that a later attempt may not meet.
_PASSING = ("SlowDown", "Throttling", "ServiceUnavailable", "InternalError", "RequestTimeout", "RequestTimeTooSkewed")
_FULL = ("XMinioStorageFull", "QuotaExceeded", "InsufficientCapacity")


@dataclass(frozen=True)
class Stored:
    """An object as a listing has it.

    Attributes
    ----------
    etag : str
        Changes whenever the content does.
    size : int
        Bytes.
    changed : datetime
        When it was put there.
    """

    etag: str
    size: int
    changed: datetime


class Bucket:
    """The objects under a URL, and the copy of them in a folder of this worker.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``. Address and login come from the variables of the AWS tools.
    copy : Path
        The folder, absolute. It may be lost at any time: then it is fetched again.
    """

    def __init__(self, url: str, copy: Path) -> None:
        parts = urlsplit(url)
        self.url, self.copy = url, copy
        self._bucket = parts.netloc
        self._prefix = f"{prefix}/" if (prefix := parts.path.strip("/")) else ""
        self._begin_process()

    def _begin_process(self) -> None:
        # a forked process gets neither the connections nor the knowledge of its parent
        self._process = os.getpid()
        self._within, self._counting = threading.RLock(), threading.Lock()
        self._store: Any = None
        self._found: dict[str, Stored] | None = None
        self._here: set[str] = set()
        self._listed: set[str] = set()
        self.requests: Counter[str] = Counter()

    def __reduce__(self) -> tuple[Any, ...]:
        return open_bucket, (self.url, self.copy)

    def holds(self, path: Path) -> bool:
        """Tell whether a path is of the copy, other than scratch."""
        inside = path.absolute()
        return inside.is_relative_to(self.copy) and not inside.is_relative_to(self.copy / "lake" / SCRATCH)

    def refresh(self, folder: Path | None = None) -> None:
        """Learn what the bucket has now, and bring what is copied up to date.

        Parameters
        ----------
        folder : Path, optional
            Only what is below it; everything by default, as at the beginning of a step.
        """
        self._mine()
        # who knows nothing yet learns it all
        name = self._name(folder) if folder is not None and self._found is not None else ""
        with self._within, self._alone():
            found = self._list(name)
            self._found = found if not name else _without(self._found or {}, name) | found
            stale = []
            for file in self._copies(name):
                if file not in found:
                    self._drop(file)
                elif self._noted(file) != found[file].etag:
                    stale.append(file)
            self._fetch(stale)
            self._here, self._listed = set(), set()

    def bring(self, path: Path) -> None:
        """Fetch a file, or all files below a folder, as far as they are not here."""
        found, name = self._known(), self._name(path)
        if any(above in self._here for above in _upwards(name)):
            return
        with self._within:
            if missing := [file for file in _below(found, name) if self._noted(file) != found[file].etag]:
                with self._alone():
                    self._fetch(missing)
            self._here.add(name)

    def bring_one_of(self, path: Path, folder: Path) -> None:
        """Fetch a file; with all others of its folder, if somebody asked what is in that: they are wanted next."""
        self.bring(folder if self._name(folder) in self._listed else path)

    def names(self, folder: Path) -> list[str]:
        """Name what lies directly in a folder, files and folders, without fetching it."""
        name = self._name(folder)
        within = f"{name}/" if name else ""
        found = _below(self._known(), name)
        self._listed.add(name)
        return sorted({file[len(within) :].partition("/")[0] for file in found} - {""})

    def has(self, file: Path) -> bool:
        """Tell whether there is such a file, without fetching it."""
        return self._name(file) in self._known()

    def measure(self, path: Path) -> tuple[int, datetime]:
        """Return the bytes of a file or folder, and when something of it was last put."""
        objects = [self._known()[file] for file in _below(self._known(), self._name(path))]
        return sum(one.size for one in objects), max((one.changed for one in objects), default=datetime.now(UTC))

    def put(self, written: Path, target: Path) -> None:
        """Put a file into the bucket under the name of ``target``, then into its place in the copy."""
        self._mine()
        name = self._name(target)
        with self._beside_others():
            with written.open("rb") as file:
                answer = self._call("put_object", target, Key=self._prefix + name, Body=file)
            put = written.stat()
            written.replace(target)
            self._note(name, answer["ETag"], put)
        if self._found is not None:
            self._found[name] = Stored(answer["ETag"], put.st_size, datetime.now(UTC))

    def remove(self, path: Path) -> None:
        """Remove a file, or all below a folder, from the bucket and from the copy; nothing there is fine."""
        self._mine()
        name = self._name(path)
        with self._beside_others():
            files = list(self._list(name))
            for start in range(0, len(files), _MOST_DELETED):
                keys = [{"Key": self._prefix + file} for file in files[start : start + _MOST_DELETED]]
                answer = self._call("delete_objects", path, Delete={"Objects": keys, "Quiet": True})
                if refused := answer.get("Errors"):
                    raise self._error(refused[0].get("Code", "Unknown"), path)
            for place in (path, self.copy / _NOTES / name):
                shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)
        if self._found is not None:
            for file in _below(self._found, name):
                self._found.pop(file, None)

    def keeps_old_versions(self) -> bool | None:
        """Tell whether what is removed or replaced stays in the bucket as an old version; None if that is not told."""
        try:
            answer = self._call("get_bucket_versioning", self.copy)
        except LakeRefused:
            return None
        return "Status" in answer

    def _known(self) -> dict[str, Stored]:
        self._mine()
        if self._found is None:
            self.refresh()
        return self._found or {}

    def _mine(self) -> None:
        if self._process != os.getpid():
            self._begin_process()

    def _name(self, path: Path) -> str:
        name = path.absolute().relative_to(self.copy).as_posix()
        return "" if name == "." else name

    def _list(self, name: str) -> dict[str, Stored]:
        found: dict[str, Stored] = {}
        more: dict[str, str] = {}
        while True:
            answer = self._call(
                "list_objects_v2", self.copy / name, Prefix=self._prefix + name, MaxKeys=_MOST_LISTED, **more
            )
            for one in answer.get("Contents", ()):
                file = one["Key"].removeprefix(self._prefix)
                # some tools put an empty object for a folder
                if file and not file.endswith("/"):
                    found[file] = Stored(one["ETag"], one["Size"], one["LastModified"])
            if not answer.get("IsTruncated"):
                # a prefix is no folder: day=1 is also the beginning of day=10
                return {file: found[file] for file in _below(found, name)}
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def _fetch(self, files: Sequence[str]) -> None:
        if len(files) == 1:
            self._fetch_one(files[0])
        elif files:
            with ThreadPoolExecutor(min(_AT_ONCE, len(files)), thread_name_prefix="fetch") as pool:
                list(pool.map(self._fetch_one, files))

    def _fetch_one(self, name: str) -> None:
        target = self.copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            answer = self._download(name, temporary)
            if answer is None:
                # removed since it was listed
                self._drop(name)
                return
            fetched = temporary.stat()
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        self._note(name, answer["ETag"], fetched)
        if self._found is not None:
            self._found[name] = Stored(answer["ETag"], answer["ContentLength"], answer["LastModified"])

    def _download(self, name: str, target: Path) -> dict[str, Any] | None:
        """Write an object into a file and return what came with it; None if there is none any more."""
        from fsspec.asyn import sync

        async def save(body: Any) -> None:
            with target.open("wb") as file:
                while block := await body.read(_CHUNK):
                    file.write(block)

        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._named_errors(target):
                    answer: dict[str, Any] = self._request("get_object", Key=self._prefix + name)
                    sync(self._store.loop, save, answer["Body"])
            except _NoSuchObject:
                return None
            except LakeUnreachable:
                # a connection that breaks in the middle of an object
                if attempt == _ATTEMPTS:
                    raise
                continue
            if target.stat().st_size == answer["ContentLength"]:
                return answer
        raise LakeUnreachable(self.url, "an object came shorter than it is")

    def _copies(self, name: str) -> Iterator[str]:
        """Name the files of the copy below a folder, or the one file; of unfinished ones and scratch none."""
        if name and (self.copy / name).is_file():
            yield name
        for folder, folders, files in os.walk(self.copy / name):
            here = Path(folder)
            if here == self.copy:
                folders[:] = [one for one in folders if one != _NOTES]
            folders[:] = [one for one in folders if self.holds(here / one)]
            for file in files:
                if not (file.startswith(".") and file.endswith(".tmp")) and file != _LOCK:
                    yield self._name(here / file)

    def _note(self, name: str, etag: str, known: os.stat_result) -> None:
        # of the file as it was moved into its place: another process may have moved its own there since
        note = self.copy / _NOTES / name
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{etag} {known.st_ino} {known.st_mtime_ns} {known.st_size}")

    def _noted(self, name: str) -> str:
        """Return the ETag of a copy, '' if there is none, or the file is not the one that was noted."""
        try:
            etag, *noted = (self.copy / _NOTES / name).read_text().split()
            known = (self.copy / name).stat()
        except (OSError, ValueError):
            return ""
        return etag if noted == [str(known.st_ino), str(known.st_mtime_ns), str(known.st_size)] else ""

    def _drop(self, name: str) -> None:
        (self.copy / name).unlink(missing_ok=True)
        (self.copy / _NOTES / name).unlink(missing_ok=True)
        if self._found is not None:
            self._found.pop(name, None)

    def _alone(self) -> Any:
        return self._locked(fcntl.LOCK_EX)

    def _beside_others(self) -> Any:
        return self._locked(fcntl.LOCK_SH)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self.copy.mkdir(parents=True, exist_ok=True)
        with (self.copy / _LOCK).open("w") as file:
            fcntl.flock(file, how)
            yield

    def _call(self, method: str, path: Path, **arguments: Any) -> dict[str, Any]:
        with self._named_errors(path):
            return self._request(method, **arguments)

    def _request(self, method: str, **arguments: Any) -> dict[str, Any]:
        store = self._connected()
        with self._counting:
            self.requests[method] += 1
        answer: dict[str, Any] = store.call_s3(method, Bucket=self._bucket, **arguments)
        return answer

    def _connected(self) -> Any:
        from s3fs import S3FileSystem

        with self._counting:
            if self._store is None:
                patience = {
                    "connect_timeout": _CONNECT_TIMEOUT_S,
                    "read_timeout": _READ_TIMEOUT_S,
                    "retries": {"mode": "standard", "max_attempts": _TRIES},
                }
                self._store = S3FileSystem(config_kwargs=patience, skip_instance_cache=True, use_listings_cache=False)
                # it would send what is left of a file; botocore, which tries again too, begins with its first byte
                self._store.retries = 1
            return self._store

    @contextmanager
    def _named_errors(self, path: Path) -> Iterator[None]:
        import aiohttp
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from botocore.exceptions import ConnectionError as NoConnection

        # their texts may hold addresses and keys: only the word for the failure is kept
        try:
            yield
        except (NoConnection, HTTPClientError, aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise LakeUnreachable(self.url, type(error).__name__) from None
        except BotoCoreError as error:
            raise self._error(type(error).__name__, path) from None
        except (ClientError, OSError) as error:
            answers = [one.response for one in _causes(error) if isinstance(one, ClientError)]
            if not answers:
                # of this worker's disk
                raise
            word = str(answers[0].get("Error", {}).get("Code", "Unknown"))
            raise (_NoSuchObject if word == "NoSuchKey" else self._error(word, path)) from None

    def _error(self, word: str, path: Path) -> Exception:
        if word in _FULL:
            return LakeFull(f"{self.url.rstrip('/')}/{self._name(path)}", 0)
        if word in _PASSING or (word.isdecimal() and word >= "500"):
            return LakeUnreachable(self.url, word)
        return LakeRefused(self.url, word, _REMEDIES.get(word, _RIGHTS))


_LOGIN = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else the AWS tools read, for every worker"
_RIGHTS = "The login needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject there"
_REMEDIES = {
    "NoSuchBucket": "Make the bucket, or correct SEGMENTATION_LAKE (and AWS_ENDPOINT_URL for another store than AWS)",
    "NoCredentialsError": _LOGIN,
    "PartialCredentialsError": _LOGIN,
    "InvalidAccessKeyId": _LOGIN,
    "SignatureDoesNotMatch": _LOGIN,
}


class _NoSuchObject(Exception):
    """An object was removed since it was listed."""


_OPEN: dict[tuple[str, Path], Bucket] = {}


def open_bucket(url: str, copy: Path) -> Bucket:
    """Return this process's one `Bucket` of a URL and a folder."""
    key = url, copy.absolute()
    return _OPEN.setdefault(key, _OPEN.get(key) or Bucket(*key))


def bucket_of(path: Path) -> Bucket | None:
    """Return the bucket that a path is a copy from; None if it is just a path."""
    return next((bucket for bucket in list(_OPEN.values()) if bucket.holds(path)), None)


def _below(files: dict[str, Stored], name: str) -> list[str]:
    """Name the files that are ``name`` or below it.

    Examples
    --------
    >>> _below(dict.fromkeys(["a/day=1/x", "a/day=10/x"]), "a/day=1")
    ['a/day=1/x']
    """
    if name in files:
        return [name]
    within = f"{name}/" if name else ""
    return [file for file in list(files) if file.startswith(within)]


def _without(files: dict[str, Stored], name: str) -> dict[str, Stored]:
    gone = set(_below(files, name))
    return {file: stored for file, stored in files.items() if file not in gone}


def _upwards(name: str) -> Iterator[str]:
    """Yield a name, the folders above it, and last the root.

    Examples
    --------
    >>> list(_upwards("a/b"))
    ['a/b', 'a', '']
    """
    while name:
        yield name
        name = name.rpartition("/")[0]
    yield ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
