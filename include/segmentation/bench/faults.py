"""`segmentation bench faults`: the same nights twice, once undisturbed and once with everything breaking.

Each task of a night is a process of its own, as under Airflow. A fault strikes it at a random moment; then it is
tried again, as Airflow would, and may be struck again, `IN_A_ROW` times at most. After each night the marts must be
those of the undisturbed one, and a reader who looks all the time must never see anything but last night or tonight.
"""

from __future__ import annotations

import hashlib
import logging
import random
import shutil
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from segmentation.bench.attempts import DROP, FULL, KILL, RESTART, STRUCK, TASKS, Attempt, Place, small_disk
from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE, HISTORY, MARKETING_ROLE, MARTS, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import SOURCE_DATABASE, WAREHOUSE_DATABASE, Server
from segmentation.demo.setup import set_up_server
from segmentation.demo.simulator import TIMEZONE, load_simulated
from segmentation.night import Asked, Handed
from segmentation.publish.roles import grant_warehouse_roles
from segmentation.warehouse import metadata

log = logging.getLogger(__name__)

#: Faults that may strike one task of one night: as many as Airflow tries again by itself.
IN_A_ROW = 3
_FIRST_DAY = date(2026, 2, 1)
_FIRST_NIGHT = date(2026, 6, 1)
_STRUCK_WAREHOUSE = "struck"
_PICTURE = text((Path(__file__).parent / "picture_marts.sql").read_text())
_LOOK_EVERY_S = 0.05
_DISK_MB = 768
#: Moments drawn anew for a fault that came after the task's end.
_DRAWS = 25
_STRAY_TABLES = text(
    "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
)


@dataclass
class Reader:
    """Marketing, looking at the marts every 50 ms.

    Attributes
    ----------
    allowed : what may be seen: last night and tonight
    looks, wrong, unanswered : how often it looked, saw something else, or got no answer (the server was down)
    """

    engine: Engine
    allowed: set[tuple[int, str]] = field(default_factory=set)
    looks: int = 0
    wrong: int = 0
    unanswered: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Look until `end`."""
        while not self._ended.wait(_LOOK_EVERY_S):
            try:
                seen = picture(self.engine)
            except DBAPIError:
                self.unanswered += 1
                continue
            self.looks += 1
            self.wrong += seen not in self.allowed

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()


@dataclass(frozen=True)
class Faults:
    """What the faulty nights came to.

    Attributes
    ----------
    struck : DataFrame
        One row per fault: night, task, fault, after_s, end (missed: over before the blow), error,
        message, is_named, is_retryable.
    nights : DataFrame
        One row per night: whether the marts were those of the undisturbed night, tables that differ, temporary
        files that were there at the end of the night, of the night before too, and tables nobody defined.
    files : list of str
        Files that only one of both homes has at the end.
    looks, wrong, unanswered : int
        What the reader saw, see `Reader`.
    """

    struck: pd.DataFrame
    nights: pd.DataFrame
    files: list[str]
    looks: int
    wrong: int
    unanswered: int

    @property
    def held(self) -> bool:
        """Whether every promise held."""
        nights = self.nights
        clean = not any(map(bool, [*nights["differ"], *nights["left_since_last_night"], *nights["stray_tables"]]))
        failed = self.struck[self.struck["end"] == "failed"] if len(self.struck) else self.struck
        return clean and not self.wrong and bool(len(failed) == 0 or failed["is_retryable"].all())


def run_faults(
    folder: Path, data_dir: Path, server: Server, counts: dict[str, int], customers: int, seed: int
) -> Faults:
    """Run the nights of a small simulated shop undisturbed, then again with faults.

    Parameters
    ----------
    folder : Path
        An empty folder for both homes.
    data_dir, server
        A running embedded server of its own: it is going to be restarted.
    counts : dict of str to int
        Fault -> how many.
    customers : int
        Customers of the shop.
    seed : int
        Seed of what strikes where and when.

    Returns
    -------
    Faults
    """
    draw = random.Random(seed)  # noqa: S311 - moments, not secrets
    dealt = deal(counts, draw)
    days = [_FIRST_NIGHT + timedelta(days=n) for n in range(len(dealt) + 2)]
    set_up_server(server)
    load_simulated(server, customers=customers, first_day=_FIRST_DAY, last_day=days[-1], timezone=TIMEZONE)
    calm, struck = folder / "calm" / "home", folder / "disk" / "home"
    with ExitStack() as stack:
        struck.parent.mkdir(parents=True)
        if counts.get(FULL):
            stack.enter_context(small_disk(struck.parent, _DISK_MB))
        undisturbed = _place(server, data_dir, WAREHOUSE_DATABASE, calm, folder)
        pictures, contents, usual = [], [], []
        for n, day in enumerate(days):
            usual.append(_calm_night(undisturbed, _asked(server, calm, day, days[-1])))
            log.info("%s undisturbed, seconds: %s", day, {task: round(s, 2) for task, s in usual[-1].items()})
            pictures.append(picture(undisturbed.admin))
            contents.append(contents_of(undisturbed.admin))
            if n == 0:
                shutil.copytree(calm, struck)
                undisturbed.admin.dispose()
                server.create_database(_STRUCK_WAREHOUSE, template=WAREHOUSE_DATABASE)
                grant_warehouse_roles(server.engine(_STRUCK_WAREHOUSE))
        place = _place(server, data_dir, _STRUCK_WAREHOUSE, struck, folder)
        reader = Reader(server.engine(_STRUCK_WAREHOUSE, MARKETING_ROLE), {pictures[0]})
        looking = threading.Thread(target=reader.look, daemon=True)
        looking.start()
        blows: list[dict[str, object]] = []
        nights: list[dict[str, object]] = []
        tables = _tables(place.admin)
        before: set[Path] = set()
        for n, day in enumerate(days[1:], start=1):
            reader.allowed = {pictures[n - 1], pictures[n]}
            # the last night is undisturbed: what is left after it is left for good
            tonight = dealt[n - 1] if n <= len(dealt) else {}
            blows += _struck_night(place, _asked(server, struck, day, days[-1]), tonight, usual[n], draw)
            left = temporary_files(struck)
            found = contents_of(place.admin)
            nights.append(
                {
                    "night": day,
                    "differ": [name for name in contents[n] if contents[n][name] != found[name]],
                    "left": len(left),
                    "left_since_last_night": sorted(str(path) for path in left & before),
                    "stray_tables": sorted(_tables(place.admin) - tables),
                }
            )
            before = left
            log.info("night %d of %d: %s", n, len(days) - 1, nights[-1])
        reader.end()
        looking.join()
        files = sorted(_files(struck) ^ _files(calm))
    return Faults(pd.DataFrame(blows), pd.DataFrame(nights), files, reader.looks, reader.wrong, reader.unanswered)


def deal(counts: dict[str, int], draw: random.Random) -> list[dict[str, list[str]]]:
    """Deal faults over tasks, evenly, and over nights, at most `IN_A_ROW` a task.

    Examples
    --------
    >>> nights = deal({KILL: 16, RESTART: 1}, random.Random(1))
    >>> len(nights), sum(len(faults) for faults in nights[0].values())
    (1, 17)
    """
    of_task: dict[str, list[str]] = {task: [] for task in TASKS}
    for kind, count in counts.items():
        tasks = list(STRUCK[kind])
        draw.shuffle(tasks)
        for n in range(count):
            of_task[tasks[n % len(tasks)]].append(kind)
    for faults in of_task.values():
        draw.shuffle(faults)
    longest = max(len(faults) for faults in of_task.values())
    return [
        {task: faults[start : start + IN_A_ROW] for task, faults in of_task.items()}
        for start in range(0, longest, IN_A_ROW)
    ]


def describe(faults: Faults) -> str:
    """Return the outcome as Markdown: a table of the faults, then what became of the nights."""
    nights = faults.nights
    same = sum(not differ for differ in nights["differ"])
    stuck = sum(map(len, nights["left_since_last_night"]))
    return "\n".join(
        [
            summarise(faults).to_markdown(index=False),
            "",
            f"{len(faults.struck)} faults in {len(nights)} nights. Nights whose marts are those of the undisturbed "
            f"one: {same} of {len(nights)}.",
            f"Temporary files at the end of a night: {nights['left'].max()} at most; still there after the next "
            f"night: {stuck}. Tables that nobody defined: {sum(map(len, nights['stray_tables']))}.",
            f"Files that only one of both homes has at the end: {', '.join(faults.files) or 'none'}.",
            f"A reader looked {faults.looks:,} times, every {1000 * _LOOK_EVERY_S:.0f} ms: saw something that was "
            f"neither last night nor tonight {faults.wrong} times, got no answer {faults.unanswered} times (server "
            "down).",
        ]
    )


def summarise(faults: Faults) -> pd.DataFrame:
    """Count what the faults did, a row per fault and task."""
    rows = []
    for (kind, task), group in faults.struck.groupby(["fault", "task"], sort=False):
        ends = Counter(group["end"])
        named = group[(group["end"] == "failed") & group["is_named"] & group["is_retryable"]]
        rows.append(
            {
                "fault": kind,
                "task": task,
                "times": len(group),
                "died": ends["killed"],
                "failed, named and retried": len(named),
                "failed otherwise": ends["failed"] - len(named),
                "went on": ends["done"],
                "missed": ends["missed"],
                "errors": ", ".join(f"{name} {count}" for name, count in Counter(group["error"]).items() if name),
            }
        )
    order = {kind: n for n, kind in enumerate((KILL, DROP, FULL, RESTART))}
    table = pd.DataFrame(rows)
    return table.sort_values(
        ["fault", "task"], key=lambda c: c.map(order if c.name == "fault" else TASKS.index), ignore_index=True
    )


def picture(warehouse: Engine) -> tuple[int, str]:
    """Return the number of current labels and a hash of what marketing sees, at one instant."""
    with warehouse.connect() as connection:
        row = connection.execute(_PICTURE).one()
    return row.customers, row.picture


def contents_of(warehouse: Engine) -> dict[str, str]:
    """Return a hash over all rows of each mart; run ids are those of the nights, so they count."""
    found = {}
    with warehouse.connect() as connection:
        for table in metadata.sorted_tables:
            if table.schema == MARTS:
                rows = connection.execute(select(table).order_by(*table.primary_key.columns))
                found[table.name] = hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()
    return found


def temporary_files(home: Path) -> set[Path]:
    """Return what killed writers left under ``home``: files and folders with ``.tmp`` in their name, or in ``tmp``."""
    scratch = home / "lake" / "tmp"
    inside = set(scratch.iterdir()) if scratch.exists() else set()
    return inside | {path for path in home.rglob("*") if ".tmp" in path.name or ".new" in path.name}


def _calm_night(place: Place, asked: Asked) -> dict[str, float]:
    """Run a night undisturbed and return the seconds of each task."""
    handed, seconds = Handed(), {}
    for task in TASKS:
        tried = place.attempt(task, asked, handed)
        if tried.handed is None:
            raise RuntimeError(f"{task} of {asked.day} fails undisturbed: {tried.error}: {tried.message}")
        if task == "publish" and not handed.publish:
            raise RuntimeError(f"the gates hold {asked.day}: {handed.reasons}")
        handed, seconds[task] = tried.handed, tried.seconds
    return seconds


def _struck_night(
    place: Place, asked: Asked, faults: dict[str, list[str]], usual: dict[str, float], draw: random.Random
) -> list[dict[str, object]]:
    """Run a night, each task struck by its faults before it is let through."""
    handed, blows = Handed(), []
    for task in TASKS:
        for kind in faults.get(task, []):
            after_s, tried = _strike(place, asked, handed, task, kind, usual[task], draw)
            log.info("%s %s: %s after %.2f s: %s %s", asked.day, task, kind, after_s, tried.end, tried.error)
            blows.append(
                {
                    "night": asked.day, "task": task, "fault": kind, "after_s": after_s,
                    "end": tried.end if tried.felt else "missed",
                    "error": tried.error, "message": tried.message, "is_named": tried.is_named,
                    "is_retryable": tried.is_retryable,
                }
            )  # fmt: skip
        tried = place.attempt(task, asked, handed)
        if tried.handed is None:
            raise RuntimeError(f"{task} of {asked.day} fails after the fault is over: {tried.error}: {tried.message}")
        handed = tried.handed
    return blows


def _strike(
    place: Place, asked: Asked, handed: Handed, task: str, kind: str, usual_s: float, draw: random.Random
) -> tuple[float, Attempt]:
    """Strike a task at a random moment of its usual time; a blow that comes too late is tried anew, earlier."""
    for n in range(_DRAWS):
        within = 1.0 if kind == FULL else usual_s
        after_s = draw.uniform(0, within * 0.85**n)
        tried = place.strike(kind, after_s, task, asked, handed)
        if tried.felt:
            break
    return after_s, tried


def _place(server: Server, data_dir: Path, database: str, home: Path, folder: Path) -> Place:
    return Place(data_dir, home, server.engine(database), server.url(database, PUBLISH_ROLE), folder / "attempts.log")


def _asked(server: Server, home: Path, day: date, last: date) -> Asked:
    settings = Settings(
        home=home,
        timezone=TIMEZONE,
        # small enough for a night in seconds; every part of it is there
        extract={"late_days": 7},
        features={"buckets": 2, "sequence_length": 16, "training_cutoffs": 2, "threads": 1},
        encoder={"width": 8, "categories": 4, "cold_epochs": 1, "minimum_customers": 100, "threads": 1},
        clusters={"k_max": 4, "bootstraps": 2, "minimum_stability": 0.0},
        evaluate={"moved_share_limit": 1.0, "usefulness_margin": 1.0},
    )
    # the whole shop is simulated beforehand, and none of its rows may lie in the future
    now = day_interval(last, TIMEZONE).end + timedelta(hours=4)
    return Asked(settings, day, server.url(SOURCE_DATABASE, EXTRACT_ROLE), f"night__{day}", now)


def _tables(warehouse: Engine) -> set[str]:
    with warehouse.connect() as connection:
        return set(connection.scalars(_STRAY_TABLES))


def _files(home: Path) -> set[str]:
    # the versions of the spread history have names of their own, and killed ones stay for a day
    history = home / "lake" / HISTORY
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_relative_to(history)}
