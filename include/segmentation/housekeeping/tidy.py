"""Carry out a plan of removal, or only tell it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, delete, update

from segmentation.config import Settings
from segmentation.housekeeping.plan_removal import plan_removal
from segmentation.lake import remove, remove_left_behind
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import downloads, models

logger = logging.getLogger(__name__)

_SHOWN = 200


@dataclass(frozen=True)
class Tidied:
    """What went, or would go.

    Attributes
    ----------
    dry_run : bool
        True: nothing was removed.
    counted_from : str or None
        Newest published day, which the policy is counted from.
    removed : dict of str to int
        Kind -> files or folders.
    megabytes : float
        Space that they took.
    """

    dry_run: bool
    counted_from: str | None
    removed: dict[str, int]
    megabytes: float


def tidy(
    settings: Settings, warehouse: Engine, now: datetime, *, dry_run: bool = True, logs: list[Path] | None = None
) -> Tidied:
    """Remove what the policy has outlived and no backfill within it needs; a dry run logs what that would be.

    Parameters
    ----------
    settings : Settings
        The policy and the folders.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    now : datetime
        The present instant, timezone-aware.
    dry_run : bool
        Only tell.
    logs : list of Path, optional
        Folders of log files.

    Returns
    -------
    Tidied
    """
    plan = plan_removal(settings, warehouse, now, logs)
    for one in plan.removals[:_SHOWN]:
        logger.info(
            "%s %s (%.1f MB): %s", "would remove" if dry_run else "removes", one.path, one.size / 1e6, one.reason
        )
    if len(plan.removals) > _SHOWN:
        logger.info("and %d more", len(plan.removals) - _SHOWN)
    if not dry_run:
        with named_warehouse_errors(warehouse), warehouse.begin() as connection:
            # the ledger first: a model that is said to be gone and is not does no harm
            connection.execute(
                update(models)
                .where(models.c.model_version.in_(plan.models), models.c.removed_at.is_(None))
                .values(removed_at=now, removed_reason="older than the policy keeps")
            )
            connection.execute(
                delete(downloads).where(downloads.c.at < now - timedelta(days=settings.housekeeping.downloads_days))
            )
        for one in plan.removals:
            remove(one.path)
        remove_left_behind(settings.lake.root)
    sizes = plan.sizes()
    removed = {what: count for what, (count, _) in sizes.items()} | {"downloads": plan.downloads}
    return Tidied(
        dry_run,
        plan.newest.isoformat() if plan.newest else None,
        removed,
        round(sum(size for _, size in sizes.values()) / 1e6, 3),
    )
