"""One class per failure: what happened, what state is left, what to do.

Two bases tell the scheduler what to do: a `Retryable` error may go away by itself, a `Terminal`
one will not. The DAG layer maps `Terminal` to "fail at once". No message ever holds a customer's row;
keys (order ids, line numbers) may appear, personal data may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

LABELS_KEPT = "Marketing keeps the labels of the last published night."


class SegmentationError(Exception):
    """Base of every error that this product raises on purpose."""


class Retryable(SegmentationError):
    """A later attempt can succeed without anybody changing anything."""


class Terminal(SegmentationError):
    """No retry helps: somebody has to change data, settings or code first."""


class InvalidSetting(Terminal):
    """A setting has a value that cannot work."""

    def __init__(self, name: str, value: object, remedy: str) -> None:
        self.name, self.value = name, value
        super().__init__(f"setting {name} is {value!r}: {remedy}")


class InvalidMapping(Terminal):
    """The mapping file does not describe a usable source."""

    def __init__(self, path: object, problem: str, remedy: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"mapping file {path}: {problem}. {remedy}")


class FutureBusinessDay(Terminal):
    """The business day asked for has not ended yet."""

    def __init__(self, day: date, newest: date) -> None:
        self.day, self.newest = day, newest
        super().__init__(
            f"business day {day} has not ended in the shop's timezone. Nothing was read or written. "
            f"The newest day that can run is {newest}."
        )


class DatabaseUnreachable(Retryable):
    """No connection to a database could be made."""

    def __init__(self, database: str, where: str, reason: str) -> None:
        self.database, self.where = database, where
        super().__init__(
            f"the {database} database at {where} cannot be reached: {reason}. Nothing was written. "
            f"{LABELS_KEPT} Check that the server runs and that host and port are right; Airflow tries again."
        )


class LoginRefused(Terminal):
    """The database answered, but refused user or password."""

    def __init__(self, database: str, user: str, where: str) -> None:
        self.database, self.user, self.where = database, user, where
        super().__init__(
            f"the {database} database at {where} refuses user {user!r}: wrong password, or the role may not "
            f"connect. Nothing was written. {LABELS_KEPT} Correct the connection (see .env.example), then clear the task."
        )


class PermissionMissing(Terminal):
    """A role lacks a right that the step needs."""

    def __init__(self, relation: str, user: str, right: str) -> None:
        self.relation, self.user, self.right = relation, user, right
        super().__init__(
            f"role {user!r} may not {right} {relation}. Run: grant {right} on {relation} to {user}; then clear the task."
        )


class MissingTable(Terminal):
    """A mapped source table does not exist."""

    def __init__(self, table: str, relation: str, found: Sequence[str]) -> None:
        self.table, self.relation, self.found = table, relation, list(found)
        near = f" Tables found there: {', '.join(found[:10])}." if found else ""
        super().__init__(
            f"source table {relation} (mapped as {table}) does not exist.{near} Nothing was written. {LABELS_KEPT} "
            f"Correct the mapping file, or set `{table}: null` if the shop has no such table."
        )


class MissingColumn(Terminal):
    """A mapped source column does not exist (removed or renamed)."""

    def __init__(self, table: str, relation: str, column: str, found: Sequence[str]) -> None:
        self.table, self.relation, self.column, self.found = table, relation, column, list(found)
        super().__init__(
            f"column {column} of source table {relation} (mapped as {table}) does not exist; the table has: "
            f"{', '.join(found)}. Nothing was written. {LABELS_KEPT} If it was renamed, name the new column in the "
            f"mapping file under {table}.columns; if it is gone and optional, set it to null."
        )


class ChangedType(Terminal):
    """A source column has a type that cannot be read as the expected one."""

    def __init__(self, relation: str, column: str, found: str, expected: str) -> None:
        self.relation, self.column, self.found, self.expected = relation, column, found, expected
        super().__init__(
            f"column {column} of source table {relation} has type {found}, expected {expected}. Nothing was written. "
            f"{LABELS_KEPT} Change it back, or map the column to an expression that casts it, "
            f"for example {{expression: \"{column}::{expected}\"}}."
        )


class SourceBehind(Retryable):
    """The source has no rows of the day, although the day must be complete by now."""

    def __init__(self, day: date, newest: str, deadline: str) -> None:
        self.day, self.newest = day, newest
        super().__init__(
            f"no source rows past the end of business day {day} by {deadline}; the newest order or event is of {newest}. "
            f"{LABELS_KEPT} Is the replica behind, or the clock or timezone wrong? When the rows are there, clear the "
            f"task; if the shop really had no traffic, run the day with accept_unusual_day = true."
        )


class CheckFailed(Terminal):
    """A table-level promise about a day's data is broken; the day must not be used.

    Attributes
    ----------
    table, column, count, keys
        What broke, how often, and up to ten keys of offending rows.
    """

    def __init__(
        self, table: str, column: str | None, check: str, count: int, found: str, remedy: str, keys: Sequence[object] = ()
    ) -> None:
        self.table, self.column, self.check, self.count, self.keys = table, column, check, count, list(keys)[:10]
        where = f"{table}.{column}" if column else table
        examples = f" Keys, for example: {', '.join(map(str, self.keys))}." if self.keys else ""
        super().__init__(
            f"check '{check}' failed on {where}: {found} ({count} rows).{examples} The day is not used. {LABELS_KEPT} {remedy}"
        )


class MissingInput(Terminal):
    """A step finds no input from the step before it."""

    def __init__(self, what: str, day: date, remedy: str) -> None:
        self.what, self.day = what, day
        super().__init__(f"{what} for business day {day} is not in the lake. {remedy}")


class TooLittleHistory(Terminal):
    """The shop has no order at all up to the business day."""

    def __init__(self, day: date) -> None:
        self.day = day
        super().__init__(
            f"the shop has no valid order up to business day {day}, so there is nobody to segment. {LABELS_KEPT} "
            f"Choose a later day, or look into the quarantine: every order may have been set aside."
        )


class LakeFull(Retryable):
    """The disk under the lake is full."""

    def __init__(self, path: object, free_bytes: int) -> None:
        self.path, self.free_bytes = path, free_bytes
        super().__init__(
            f"no space left while writing {path} ({free_bytes / 1e6:.1f} MB free). The half-written file was removed, "
            f"earlier files are whole. {LABELS_KEPT} Free or add space under the lake, then clear the task."
        )


class LedgerBehind(Terminal):
    """The lake lacks what the ledger says was published (lake wiped or moved)."""

    def __init__(self, what: str, day: date) -> None:
        self.what, self.day = what, day
        super().__init__(
            f"{what} of the published business day {day} is not in the lake, so tonight's segments could not keep their "
            f"identity. {LABELS_KEPT} Restore the lake, or run business day {day} again first: "
            f"airflow backfill create --dag-id segmentation_nightly --from-date {day} --to-date {day} --reprocess-behavior completed"
        )
