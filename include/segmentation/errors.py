"""One class per failure: what happened, what state is left, what to do.

Two bases tell the scheduler what to do: a `Retryable` error may go away by itself, a `Terminal`
one will not. The DAG layer maps `Terminal` to "fail at once". No message ever holds a customer's row;
keys (order ids, line numbers) may appear, personal data may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

LABELS_KEPT = "Marketing keeps the labels of the last published night."


class SegmentationError(Exception):
    """Base of every error that this product raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Let an error reach another process: its constructor takes facts, of which the finished text is left."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


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


class InvalidPlaybook(Terminal):
    """The playbook of actions says something that cannot be used.

    Attributes
    ----------
    path, place, problem
        The file, line and column from 1 (None if it is about the file), and what is wrong.
    """

    def __init__(self, path: object, place: tuple[int, int] | None, problem: str, remedy: str) -> None:
        self.path, self.place, self.problem = path, place, problem
        where = f", line {place[0]}, column {place[1]}" if place else ""
        super().__init__(f"playbook {path}{where}: {problem}. {remedy}")


class FutureBusinessDay(Terminal):
    """The business day asked for has not ended yet."""

    def __init__(self, day: date, newest: date) -> None:
        self.day, self.newest = day, newest
        super().__init__(
            f"business day {day} has not ended in the shop's timezone. No data was read or written. "
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


class ConnectionLost(DatabaseUnreachable):
    """A connection broke, or was cancelled by the server, in the middle of the work."""

    def __init__(self, database: str, where: str, reason: str) -> None:
        self.database, self.where = database, where
        Retryable.__init__(
            self,
            f"the connection to the {database} database at {where} was lost midway: {reason}. The open transaction "
            f"was "
            f"rolled back; files written before are whole and are not fetched again. {LABELS_KEPT} Airflow tries "
            f"again; "
            f"if it happens every night, look for a restart, a failover or a replica that cancels long queries.",
        )


class UnreadableValue(Terminal):
    """A value of the source cannot be read as the mapping says; which one is not told, for it may be personal."""

    def __init__(self, what: str, problem: str) -> None:
        self.what, self.problem = what, problem
        super().__init__(
            f"a value of {what} cannot be read as the mapping file says: {problem}. Files written before are whole. "
            f"{LABELS_KEPT} Correct the value in the shop, or the expression that computes it in the mapping file; "
            f"then clear the task."
        )


class SourceTooSlow(Retryable):
    """A query on the source took longer than it may."""

    def __init__(self, what: str, seconds: int) -> None:
        self.what, self.seconds = what, seconds
        super().__init__(
            f"the source query on {what} took longer than {seconds} s and was cancelled. Files written before are "
            f"whole "
            f"and are not fetched again. {LABELS_KEPT} Add an index on the time column of {what}, or raise "
            f"SEGMENTATION_EXTRACT__STATEMENT_TIMEOUT_S; Airflow tries again."
        )


class LoginRefused(Terminal):
    """The database answered, but refused user or password."""

    def __init__(self, database: str, user: str, where: str) -> None:
        self.database, self.user, self.where = database, user, where
        super().__init__(
            f"the {database} database at {where} refuses user {user!r}: wrong password, or the role may not "
            f"connect. Nothing was written. {LABELS_KEPT} Correct the connection (see .env.example), then clear the "
            f"task."
        )


class PermissionMissing(Terminal):
    """A role lacks a right that the step needs."""

    def __init__(self, relation: str, user: str, right: str) -> None:
        self.relation, self.user, self.right = relation, user, right
        super().__init__(
            f"role {user!r} may not {right} {relation}. Run: grant {right} on {relation} to {user}; then clear the "
            f"task."
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
    """A mapped source column does not exist (removed or renamed).

    Attributes
    ----------
    table, relation, column, found
        Contract table, the shop's table, the column looked for, and those that are there.
    renamed
        The column that it may be now: alike, and not mapped; '' = none.
    """

    def __init__(
        self, table: str, relation: str, column: str, found: Sequence[str], unmapped: Sequence[str], contract: str
    ) -> None:
        self.table, self.relation, self.column, self.found = table, relation, column, list(found)
        self.renamed = next(iter(get_close_matches(column, unmapped, n=1, cutoff=0.5)), "")
        remedy = f"If it was renamed, name the new column in the mapping file under {table}.columns"
        if self.renamed:
            remedy = (
                f"If it is {self.renamed} now, write into the mapping file {table}: {{columns: {{{contract}: "
                f"{self.renamed}}}}}, or undo it: alter table {relation} rename column {self.renamed} to {column}"
            )
        super().__init__(
            f"column {column} of source table {relation} (mapped as {table}) does not exist; the table has: "
            f"{', '.join(found)}. Nothing was written. {LABELS_KEPT} {remedy}; if it is gone and optional, set it to "
            f"null."
        )


class ChangedType(Terminal):
    """A source column has a type that cannot be read as the expected one."""

    def __init__(self, relation: str, column: str, found: str, expected: str) -> None:
        self.relation, self.column, self.found, self.expected = relation, column, found, expected
        super().__init__(
            f"column {column} of source table {relation} has type {found}, expected {expected}. Nothing was written. "
            f"{LABELS_KEPT} Change it back: alter table {relation} alter column {column} type {expected} using "
            f"{column}::{expected}; or map the column to an expression that casts it, "
            f'for example {{expression: "{column}::{expected}"}}.'
        )


class SourceBehind(Retryable):
    """The source has no rows of the day, although the day must be complete by now."""

    def __init__(self, day: date, newest: str, deadline: str, hours_past: float = float("nan")) -> None:
        self.day, self.newest, self.hours_past = day, newest, hours_past
        super().__init__(
            f"no source rows past the end of business day {day} by {deadline}; the newest order or event is of "
            f"{newest}. "
            f"{LABELS_KEPT} Is the replica behind, or the clock or timezone wrong? When the rows are there, clear "
            f"the "
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
        self,
        table: str,
        column: str | None,
        check: str,
        count: int,
        found: str,
        remedy: str,
        keys: Sequence[object] = (),
    ) -> None:
        self.table, self.column, self.check, self.count, self.keys = table, column, check, count, list(keys)[:10]
        where = f"{table}.{column}" if column else table
        examples = f" Keys, for example: {', '.join(map(str, self.keys))}." if self.keys else ""
        super().__init__(
            f"check '{check}' failed on {where}: {found} ({count} rows).{examples} The day is not used. "
            f"{LABELS_KEPT} {remedy}"
        )


class MissingRate(Terminal):
    """Orders in another currency than the reporting one have no usable rate.

    Attributes
    ----------
    reporting, missing
        The reporting currency; per currency without a rate its number of orders, the first day and the last.
    """

    def __init__(
        self, reporting: str, missing: Sequence[tuple[str, int, date, date]], usable_days: int, *, mapped: bool
    ) -> None:
        self.reporting, self.missing = reporting, list(missing)
        orders = sum(count for _, count, _, _ in missing)
        shown = [
            f"{currency} ({count} {'order' if count == 1 else 'orders'}, "
            f"{first if first == last else f'{first} to {last}'})"
            for currency, count, first, last in missing[:10]
        ]
        more = f" and {len(missing) - 10} more currencies" if len(missing) > 10 else ""
        remedy = (
            "Add the rates to the shop's table of rates, then clear the extract task of this run."
            if mapped
            else "Name the shop's table of rates under rates in the mapping file, then clear the extract task of this "
            "run; or unset SEGMENTATION_REPORTING_CURRENCY to add amounts up as they are."
        )
        super().__init__(
            f"{orders} {'order has' if orders == 1 else 'orders have'} no exchange rate to {reporting}: "
            f"{', '.join(shown)}{more}. Needed is a rate of the order's business day or of the {usable_days} days "
            f"before it. The day is not used. {LABELS_KEPT} {remedy}"
        )


class MissingInput(Terminal):
    """A step finds no input from the step before it."""

    def __init__(self, what: str, day: date, remedy: str) -> None:
        self.what, self.day = what, day
        super().__init__(f"{what} for business day {day} is not in the lake. {remedy}")


class InputReplaced(Retryable):
    """Another run is replacing a day that the step before has fetched."""

    def __init__(self, day: date) -> None:
        self.day = day
        super().__init__(
            f"the raw data of business day {day} was fetched for this night and is not in the lake now: another run is "
            f"fetching it again, or one died over it. Nothing was written. {LABELS_KEPT} Airflow tries again; if it "
            f"stays so, clear the task extract."
        )


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
            f"no space left while writing {path} ({free_bytes / 1e6:.1f} MB free). The half-written file was "
            f"removed, "
            f"earlier files are whole. {LABELS_KEPT} Free or add space under the lake, then clear the task."
        )


class LakeUnreachable(Retryable):
    """The bucket that the lake lies in does not answer, or not now."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"the lake in {url} cannot be reached: {reason}. Objects that were there before are whole. {LABELS_KEPT} "
            f"Check that the store runs and that AWS_ENDPOINT_URL, where it is set, is right; Airflow tries again."
        )


class LakeRefused(Terminal):
    """The bucket that the lake lies in is not there, or lets nobody in."""

    def __init__(self, url: str, reason: str, remedy: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"the lake in {url} (SEGMENTATION_LAKE) cannot be used: {reason}. Objects that were there before are "
            f"whole. {LABELS_KEPT} {remedy}; then clear the task."
        )


class LedgerBehind(Terminal):
    """The lake lacks what the ledger says was published (lake wiped or moved)."""

    def __init__(self, what: str, day: date) -> None:
        self.what, self.day = what, day
        super().__init__(
            f"{what} of the published business day {day} is not in the lake, so tonight's segments could not keep "
            f"their "
            f"identity. {LABELS_KEPT} Restore the lake, or run business day {day} again first: "
            f"airflow backfill create --dag-id segmentation_nightly --from-date {day} --to-date {day} "
            f"--reprocess-behavior completed"
        )


class DamagedModel(Terminal):
    """A stored model's files are not those that its version was made from."""

    def __init__(self, version: str, folder: object) -> None:
        self.version = version
        super().__init__(
            f"model {version} in {folder} is not what was stored there: its content does not match its version. It was "
            f"not used. {LABELS_KEPT} Restore the folder from a backup, or remove it: the night then starts anew."
        )


class MissingRole(Terminal):
    """A database role that rights are to be given to does not exist on the server."""

    def __init__(self, role: str) -> None:
        self.role = role
        super().__init__(
            f"role {role!r} does not exist on the warehouse's server. No right was changed. Create it as an "
            f"administrator: create role {role} login password '…'; then try again."
        )


class WarehouseNotReady(Terminal):
    """The warehouse lacks tables or columns: its migrations have not been run."""

    def __init__(self, where: str, problem: str) -> None:
        self.where, self.problem = where, problem
        super().__init__(
            f"the warehouse at {where} is not migrated: {problem}. Nothing was written. {LABELS_KEPT} Run "
            f"`segmentation setup` as the warehouse's owner, then clear the task."
        )


class WarehouseBusy(Retryable):
    """A publish waited too long for another one, or one of its statements ran out of time."""

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(
            f"publishing to the warehouse at {where} took too long: {reason}. Nothing was written. {LABELS_KEPT} "
            f"Is another run publishing, or does somebody lock a table? Airflow tries again."
        )


class WarehouseFull(Retryable):
    """The disk of the warehouse's server is full."""

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(
            f"the warehouse at {where} has no space left: {reason}. Nothing was written. {LABELS_KEPT} "
            f"Add space on the database server, then clear the task."
        )


class SparkMissing(Terminal):
    """The engine is Spark, and something that it needs is not on this machine."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        super().__init__(
            f"SEGMENTATION_ENGINE is spark, and {what}. Nothing was computed. {LABELS_KEPT} {remedy} Or set "
            f"SEGMENTATION_ENGINE=duckdb: the result is the same. Then clear the task."
        )


class SparkUnreachable(Retryable):
    """Spark's master does not answer, or gives nothing to work on."""

    def __init__(self, master: str, reason: str) -> None:
        self.master, self.reason = master, reason
        super().__init__(
            f"Spark's master {master} cannot be used: {reason}. Files of earlier steps are whole. {LABELS_KEPT} Check "
            f"that master and workers run, that SEGMENTATION_SPARK__MASTER is right, and that a worker has as many "
            f"cores free as a bucket takes threads; Airflow tries again."
        )


class SparkFailed(Retryable):
    """Work on Spark ended in an error that has no name of its own."""

    def __init__(self, step: str, reason: str) -> None:
        self.step, self.reason = step, reason
        super().__init__(
            f"the step {step} failed on Spark: {reason}. Files of earlier steps are whole. {LABELS_KEPT} Was a worker "
            f"lost, or out of memory (more SEGMENTATION_FEATURES__BUCKETS take less)? Airflow tries again; if it fails "
            f"the same way, see the traceback in the task's log, and whether SEGMENTATION_ENGINE=duckdb meets it too."
        )


class CannotBringForward(Terminal):
    """Labels cannot be brought forward within the day; the nights do without."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        super().__init__(f"no labels within the day: {problem}. Nothing was changed. {LABELS_KEPT} {remedy}")


class MissingConnection(Terminal):
    """An Airflow connection that the night needs is not defined."""

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        super().__init__(
            f"the Airflow connection {conn_id!r} is not defined. No data was read or written. {LABELS_KEPT} Set "
            f"AIRFLOW_CONN_{conn_id.upper()}=postgresql://user:password@host:5432/database in the environment of "
            f"scheduler, workers and triggerer (see .env.example), then clear the task."
        )


class OtherShopLoaded(Terminal):
    """The source database of the demo holds another shop than the one asked for."""

    def __init__(self, database: str, found: object, wanted: object) -> None:
        self.database, self.found, self.wanted = database, found, wanted
        holds = f"holds {found}" if found else "has a schema shop that no demo loader made"
        super().__init__(
            f"database {database} {holds}, not {wanted}. Nothing was changed. Load into another database, or drop "
            f"this one "
            f"first if it is not needed any more."
        )


class LoadMismatch(Terminal):
    """What was loaded into the demo's source database differs from the file it came from."""

    def __init__(self, shop: str, figure: str, in_file: object, in_database: object) -> None:
        self.shop, self.figure, self.in_file, self.in_database = shop, figure, in_file, in_database
        super().__init__(
            f"{shop}: {figure} is {in_file} in the file and {in_database} in the database. The load was rolled back. "
            f"The "
            f"package that ships the data may have changed: compare its version with requirements.txt."
        )


class CheckBroken(Terminal):
    """A check could not be evaluated, so nothing is known about the data."""

    def __init__(self, suite: str, promise: str, kind: str) -> None:
        self.suite, self.promise = suite, promise
        super().__init__(
            f"the check '{promise}' of suite '{suite}' could not be evaluated ({kind}). Nothing was written to the "
            f"checked "
            f"files. {LABELS_KEPT} This is a fault of the check, not of the data: report it with the versions of "
            f"great-expectations and pandas."
        )


class RowsLost(Terminal):
    """The checked and the quarantined rows of a night do not add up to the raw ones."""

    def __init__(self, day: date, account: str) -> None:
        self.day, self.account = day, account
        super().__init__(
            f"the rows of business day {day} do not add up: {account} The day is not used. {LABELS_KEPT} A file was "
            f"changed under the run, or this is a fault of the product: clear the extract task of this run; if it "
            f"happens again, report it with gate_rows_accounted of ops.metrics."
        )


class QueryRefused(Terminal):
    """A query for marketing's tables cannot be answered."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the query was refused: {reason}. Nothing was changed. The tables are in docs/TABLES.md.")


class PasswordsLost(Terminal):
    """The embedded server is there, but nobody knows its passwords any more."""

    def __init__(self, data_dir: object, secrets_file: object) -> None:
        self.data_dir, self.secrets_file = data_dir, secrets_file
        super().__init__(
            f"the embedded Postgres in {data_dir} cannot be used: {secrets_file}, which holds its passwords, is "
            f"gone. Nothing "
            f"was changed. Bring the file back, or remove the folder to start with an empty server."
        )


class NotThere(Terminal):
    """A page or a report was asked for something that does not exist; the text says what."""


class UnknownDestination(Terminal):
    """No destination of that name is in the settings."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, list(known)
        near = get_close_matches(name, known, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        super().__init__(
            f"there is no destination {name!r}; known: {', '.join(known) or 'none'}.{meant} Nothing was sent. Set "
            f"SEGMENTATION_ACTIVATION__DESTINATIONS, see docs/SETTINGS.md."
        )


class UnknownCampaign(Terminal):
    """No campaign has that number."""

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        super().__init__(
            f"there is no campaign {campaign_id}. Nothing was sent. See marts.campaigns for those there are."
        )


class ExportRunning(Retryable):
    """Another export to the same destination is under way."""

    def __init__(self, destination: str) -> None:
        self.destination = destination
        super().__init__(
            f"another export to destination {destination} is running. This one sent nothing. Wait until that one has "
            f"ended; Airflow tries again."
        )


def _delivered(sent: int, waiting: int) -> str:
    if not sent + waiting:
        return "Nothing is logged as sent."
    return (
        f"Customers confirmed before: {sent}, logged as sent. Not confirmed: {waiting}; in ops.activation_log they "
        f"have no sent_at and go again with the next export, in the same batches with the same keys."
    )


class DestinationUnreachable(Retryable):
    """A destination did not answer, or asked to come back later.

    Attributes
    ----------
    destination, reason
        Its name in the settings, and what happened; never an answer's text, which may hold personal data.
    sent, waiting
        Customers confirmed and not confirmed in this export.
    asked_pause_s
        Seconds that the destination asked to wait; 0 = it did not say.
    """

    asked_pause_s = 0.0

    def __init__(self, destination: str, reason: str, sent: int = 0, waiting: int = 0) -> None:
        self.destination, self.reason, self.sent, self.waiting = destination, reason, sent, waiting
        super().__init__(
            f"destination {destination} cannot be reached: {reason}. {_delivered(sent, waiting)} Check that it is up "
            f"and its URL right; Airflow tries again."
        )


class DestinationRefused(Terminal):
    """A destination answered that it does not take a batch, login or address; attributes as of the one above."""

    def __init__(self, destination: str, reason: str, sent: int = 0, waiting: int = 0) -> None:
        self.destination, self.reason, self.sent, self.waiting = destination, reason, sent, waiting
        super().__init__(
            f"destination {destination} refused a batch: {reason}. {_delivered(sent, waiting)} Correct its URL in the "
            f"settings, its login in connection segmentation_destination_{destination}, or the receiver; then clear "
            f"the task."
        )


class NothingToRelease(Terminal):
    """Rows that are to be released from quarantine are not there, or cannot be used."""

    def __init__(self, table: str, day: date, problem: str, remedy: str) -> None:
        self.table, self.day, self.problem = table, day, problem
        super().__init__(f"nothing of {table} on {day} is released: {problem}. Nothing was changed. {remedy}")


class MissingPrivacyKey(Terminal):
    """Something needs the key of pseudonyms and erasures, and it is not set."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} needs the privacy key, and SEGMENTATION_PRIVACY__KEY is not set. No data was read or written. "
            f"{LABELS_KEPT} Set it in the environment of scheduler, workers and triggerer (a new one: openssl rand "
            f"-hex 32), keep it for good, then clear the task."
        )


class OtherPrivacyKey(Terminal):
    """The privacy key is not the one that erased customers were marked with."""

    def __init__(self, requests: Sequence[int]) -> None:
        self.requests = list(requests)
        super().__init__(
            f"the privacy key is not the one that {len(self.requests)} erased customers were marked with (requests "
            f"{', '.join(map(str, self.requests[:10]))} of ops.erasure_requests): they could not be left out. No data "
            f"was read or written. {LABELS_KEPT} Set SEGMENTATION_PRIVACY__KEY to the key of then. If it is lost, "
            f"enter these customers' erasure again with the new key and delete the old requests."
        )


class NightRunning(Retryable):
    """A night is under way, and would write what an erasure removes."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"run {run_id} is or was under way during the erasure and may have written the customer again. Nothing is "
            f"certified yet; what was removed stays removed. Airflow tries again and goes over everything. If the run "
            f"is long dead, mark it failed in ops.runs."
        )


class NotErased(Retryable):
    """The search after an erasure still found the customer."""

    def __init__(self, requests: Sequence[int], places: Sequence[str]) -> None:
        self.requests, self.places = list(requests), list(places)
        super().__init__(
            f"the customers of requests {', '.join(map(str, self.requests))} are still found in "
            f"{', '.join(self.places[:10])}. No certificate was written. Clear the DAG run from its first task; if "
            f"they are found again, something else writes there."
        )


class PrivacyBudgetSpent(Terminal):
    """A release of figures would spend more epsilon than is left.

    Attributes
    ----------
    asked, spent, budget : Decimal
        Epsilon.
    """

    def __init__(self, asked: Decimal, spent: Decimal, budget: Decimal, days: int) -> None:
        self.asked, self.spent, self.budget = asked, spent, budget
        left = max(budget - spent, Decimal(0)).normalize()
        super().__init__(
            f"a release with epsilon {asked} is refused: {spent:f} of {budget:f} are spent in the last {days} days, "
            f"{left:f} is left. No figure was computed, nothing was booked. Ask for less, which means more noise, ask "
            f"again for what was released before (that is free, see `segmentation privacy ledger`), or wait; whoever "
            f"is responsible for privacy may raise SEGMENTATION_PRIVACY__BUDGET."
        )
