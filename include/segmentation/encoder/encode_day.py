"""The step `encode`: train tonight's model on matured windows and write what it foresees."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Engine

from segmentation.catalog import FEATURES, NO_MODEL, WINDOWS
from segmentation.config import Settings
from segmentation.encoder.expectation import fit_expectations
from segmentation.encoder.heads import BEHAVIOUR_HEADS, MINIMUM_SHARE, HeadScale, can_be_foreseen, taste_heads
from segmentation.encoder.interests import write_interests
from segmentation.encoder.outlook import describe_heads, foresee, write_no_outlook, write_outlook
from segmentation.encoder.registry import (
    Encoder,
    load_encoder,
    new_network,
    record_model,
    save_encoder,
    schema_of,
    why_not_continue,
)
from segmentation.encoder.runtime import start_tensorflow
from segmentation.encoder.stored_model import keep_model, kept_model
from segmentation.encoder.train_encoder import Training, predictor, train
from segmentation.encoder.windows import (
    WINDOWS_A_PASS,
    Customers,
    InputPreparation,
    TrainingWindows,
    is_learnt_from,
    name_categories,
    read_customers,
    read_ids,
)
from segmentation.engines.units import run_units
from segmentation.errors import MissingInput
from segmentation.features.training_sample import TrainingSample
from segmentation.timing import timed

if TYPE_CHECKING:
    from segmentation.runs import PublishedNight

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodeResult:
    """What the step did.

    Attributes
    ----------
    model_version : str
        Key in `ops.models`, or ``rfm`` if nothing was trained.
    family : str
        Sequence encoder; '' without a model.
    parent_version : str or None
        Model that training went on from; None after a cold start.
    cold_start_reason : str
        Why there is no parent, or no model at all; '' after a warm start.
    held_out_loss : float or None
        Loss on customers who are never trained on.
    epochs : int
        Passes over the windows whose result was kept.
    passes : int
        Passes made, those after the best one too.
    windows : int
        Windows of one pass.
    customers : int
        Customers in the outlook.
    cutoffs : list of str
        Days from whose ends the windows look forward, newest first.
    seconds : dict of str to float
        Wall time by part.
    """

    model_version: str
    family: str = ""
    parent_version: str | None = None
    cold_start_reason: str = ""
    held_out_loss: float | None = None
    epochs: int = 0
    passes: int = 0
    windows: int = 0
    customers: int = 0
    cutoffs: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def encode_day(
    settings: Settings, day: date, base: PublishedNight | None, warehouse: Engine | None, run_id: str
) -> EncodeResult:
    """Train the encoder on windows that end at or before ``day`` and write the outlook of ``day``.

    Idempotent: the same lake gives the same model version and the same outlook, byte for byte. Reads the
    features and windows of the day; writes ``outlook/day=…``, the registry and one row of `ops.models`.

    Parameters
    ----------
    settings : Settings
        All settings.
    day : date
        Business day.
    base : PublishedNight or None
        The published night to continue from.
    warehouse : Engine or None
        As `segmentation_publish`; None = `ops.models` gets no row (a benchmark).
    run_id : str
        Run to name in `ops.models`.

    Returns
    -------
    EncodeResult
        With ``model_version`` ``rfm`` and the reason in words if the shop is too small or too young.

    Raises
    ------
    MissingInput
        If the features step has not run for the day, or a later run has removed the windows that it made.
    LakeFull
        If the disk is full; the outlook of an earlier run is whole, or gone with its summary.
    """
    seconds: dict[str, float] = {}
    lake = settings.lake
    buckets = _buckets(lake.path(FEATURES, day=day))
    described = lake.path(FEATURES, day=day) / "features.json"
    if not described.exists() or not buckets:
        raise MissingInput("the features", day, "Clear the task `features` of this run first.")
    content = json.loads(described.read_text())
    cutoffs = sorted(content["cutoffs"], reverse=True)
    sample = TrainingSample(settings.encoder.held_out_share, content.get("training_share", 1.0))
    windows = {cutoff: _buckets(lake.path(WINDOWS, day=day, cutoff=cutoff)) for cutoff in cutoffs}
    # the features step of a later run removes them: that is no reason to go on as if the shop were young
    if any(len(found) < len(buckets) for found in windows.values()):
        remedy = "Clear the task features of this run with its downstream tasks."
        raise MissingInput("the training windows", day, remedy)

    reason = _why_no_model(settings, cutoffs, windows, buckets)
    if reason:
        logger.info("no model for %s: %s", day, reason)
        write_no_outlook(lake, day, reason, base.business_day if base else None)
        return EncodeResult(NO_MODEL, cold_start_reason=reason, cutoffs=cutoffs)

    with timed(seconds, "import"):
        start_tensorflow(settings.encoder)
    with timed(seconds, "prepare"):
        parent, cold_start_reason = _parent(settings, base, windows[cutoffs[0]], sample)
        # bucket by bucket, so that whatever part fits into memory holds every cut-off
        folders = [windows[cutoff][place] for place in range(len(windows[cutoffs[0]])) for cutoff in cutoffs]
        encoder = parent or _newborn(settings, folders, sample)
        if cold_start_reason:
            logger.info("cold start: %s", cold_start_reason)
        seen, held_out = (
            TrainingWindows(folders, encoder.preparation, encoder.scale, sample, apart) for apart in (False, True)
        )
    sequence_length = settings.features.sequence_length
    training = train(
        encoder.network, encoder.scale, seen, held_out, settings.encoder, sequence_length, cold=parent is None
    )
    seconds.update(training.seconds)
    predict = predictor(encoder.network, sequence_length)
    with timed(seconds, "calibrate"):
        expectations = fit_expectations(("spend", "orders"), encoder.scale, seen, predict)
        encoder = Encoder(encoder.schema, encoder.preparation, encoder.scale, encoder.network, expectations)

    parent_version = base.model_version if parent and base else None
    with timed(seconds, "save"):
        metrics = _metrics(training, cutoffs, cold_start_reason, encoder)
        lineage = {"trained_through": day, "parent_version": parent_version, **metrics}
        version = save_encoder(settings.models, day, encoder, lineage)
        keep_model(settings, version, encoder, predict)

    with timed(seconds, "embed"):
        summary = {
            "business_day": day,
            "model_version": version,
            "reason": "",
            "base_day": base.business_day if base else None,
            "cutoff": cutoffs[0],
            **describe_heads(encoder.scale),
        }
        customers = _foresee_all(settings, day, version, summary, buckets, windows[cutoffs[0]])
    with timed(seconds, "interests"):
        if reason := write_interests(lake, day):
            logger.info("no interests for %s: %s", day, reason)
    rounded = {name: round(value, 2) for name, value in seconds.items()}
    if warehouse is not None:
        record_model(
            warehouse, version, day, encoder, parent_version, training.held_out_loss,
            {**metrics, "seconds": rounded}, run_id,
        )  # fmt: skip
    logger.info("model %s: held-out loss %.4f, %d customers, %s", version, training.held_out_loss, customers, rounded)
    return EncodeResult(
        version,
        settings.encoder.family,
        parent_version,
        cold_start_reason,
        training.held_out_loss,
        training.best_epoch,
        len(training.held_out_losses) - 1,
        training.windows,
        customers,
        cutoffs,
        rounded,
    )


@dataclass(frozen=True)
class Foreseen:
    """What buckets are foreseen by, and where their outlooks go.

    Attributes
    ----------
    model_version : str
        The model, which is in the registry.
    folders : tuple of Path
        Features of one bucket each.
    scratch : Path
        Folder of the outlooks, one file per bucket.
    """

    model_version: str
    folders: tuple[Path, ...]
    scratch: Path

    def file(self, place: int) -> Path:
        """Return the file of the outlook of ``folders[place]``."""
        return self.scratch / f"{place}.parquet"


@contextmanager
def foreseeing(settings: Settings, told: Foreseen) -> Iterator[Callable[[int], int]]:
    """Take up the model and yield what foresees one bucket, writes its outlook and counts its customers.

    Parameters
    ----------
    settings : Settings
        All settings, or `Settings.for_workers` of them.
    told : Foreseen
        By what.
    """
    encoder, predict = kept_model(settings, told.model_version)

    def foresee_bucket(place: int) -> int:
        customers = encoder.preparation.read(told.folders[place])
        table = foresee(customers, encoder, predict, settings.encoder.held_out_share)
        settings.lake.write_table(table, told.file(place))
        return table.num_rows

    yield foresee_bucket


def _foresee_all(
    settings: Settings, day: date, version: str, summary: dict[str, Any], present: list[Path], past: list[Path]
) -> int:
    """Write the outlook of a day from the buckets as of the day and as of a cut-off; return the day's customers."""
    scratch = settings.lake.scratch / f"outlook-{day.isoformat()}"
    told = Foreseen(version, (*present, *past), scratch)
    settings.lake.remove(scratch)
    try:
        places = range(len(told.folders))
        threads = settings.encoder.threads
        # one bucket is read and prepared, which takes one thread, while the network looks at another
        run_units(settings, "encode", foreseeing, told, places, threads, at_once=min(2, threads))
        outlooks = [pq.read_table(told.file(place), partitioning=None) for place in places]
        return write_outlook(settings.lake, day, summary, outlooks[: len(present)], outlooks[len(present) :])
    finally:
        settings.lake.remove(scratch)


def can_continue(settings: Settings, base: PublishedNight | None) -> bool:
    """Tell whether tonight's model can go on from the base night's, so that few windows suffice.

    Parameters
    ----------
    settings : Settings
        Tonight's settings.
    base : PublishedNight or None
        The published night to continue from.
    """
    return base is not None and not why_not_continue(settings, base.model_version)


def _buckets(folder: Path) -> list[Path]:
    return sorted(file.parent for file in folder.glob("bucket=*/static.parquet"))


def _why_no_model(settings: Settings, cutoffs: list[str], windows: dict[str, list[Path]], buckets: list[Path]) -> str:
    """Say in words why nothing can be trained; '' if it can."""
    horizon, minimum = settings.features.horizon_days, settings.encoder.minimum_customers
    if not cutoffs:
        needed = settings.features.minimum_history_days + horizon
        days = max(_longest_tenure(folder) for folder in buckets)
        return f"the first order was {days} days ago, and {needed} days of history are needed to learn what follows"
    matured = sum(pq.read_metadata(folder / "static.parquet").num_rows for folder in windows[cutoffs[0]])
    if matured < minimum:
        return f"{matured} customers have {horizon} days of known future, and {minimum} are needed to learn from"
    return ""


def _longest_tenure(folder: Path) -> int:
    tenure = pc.max(pq.read_table(folder / "static.parquet", columns=["tenure_days"], partitioning=None)["tenure_days"])
    return round(tenure.as_py() or 0)


def _parent(
    settings: Settings, base: PublishedNight | None, newest: list[Path], sample: TrainingSample
) -> tuple[Encoder | None, str]:
    """Load the model to go on from, or say in words why there is none."""
    if base is None:
        return None, "no earlier published night"
    reason = why_not_continue(settings, base.model_version)
    if reason:
        return None, reason
    parent = load_encoder(settings.models, base.model_version)
    reason = _new_behaviour(settings, parent, newest, sample)
    return (None, reason) if reason else (parent, "")


def _new_behaviour(settings: Settings, parent: Encoder, newest: list[Path], sample: TrainingSample) -> str:
    """Say what customers do now that the parent has no head for; '' if nothing."""
    known = {head.name for head in parent.scale.heads}
    unknown = [head for head in BEHAVIOUR_HEADS if head.name not in known]
    customers = _sample(newest, parent.preparation.categories, settings, sample)
    targets = np.concatenate([parent.preparation.raw_targets(block, unknown) for block in customers])
    # twice the share that a cold start asks for, so that a head on the border does not cost the lineage
    found = [head.name for q, head in enumerate(unknown) if can_be_foreseen(targets[:, q], share=2 * MINIMUM_SHARE)]
    if settings.encoder.categories and not parent.preparation.categories and name_categories(newest, 1):
        found.append("categories")
    return f"the last model knows nothing of: {', '.join(found)}" if found else ""


def _newborn(settings: Settings, folders: list[Path], sample: TrainingSample) -> Encoder:
    """Fit vocabulary, preparation and heads on training customers and build an untrained network."""
    categories = name_categories(folders, settings.encoder.categories)
    customers = _sample(folders, categories, settings, sample)
    preparation = InputPreparation.fit(customers, categories, settings.features.sequence_length)
    candidates = (*BEHAVIOUR_HEADS, *taste_heads(categories))
    targets = np.concatenate([preparation.raw_targets(block, candidates) for block in customers])
    scale = HeadScale.fit(candidates, targets)
    schema = schema_of(settings)
    return Encoder(schema, preparation, scale, new_network(schema, preparation, scale), {})


def _sample(
    folders: list[Path], categories: tuple[str, ...], settings: Settings, sample: TrainingSample
) -> list[Customers]:
    """Read windows of training customers, as many as fit into memory."""
    blocks: list[Customers] = []
    for folder in folders:
        rows = np.flatnonzero(is_learnt_from(read_ids(folder), sample))
        blocks.append(read_customers(folder, categories, settings.features.sequence_length, rows))
        if sum(len(block.customer_ids) for block in blocks) >= WINDOWS_A_PASS:
            break
    return blocks


def _metrics(training: Training, cutoffs: list[str], cold_start_reason: str, encoder: Encoder) -> dict[str, Any]:
    linear = training.linear_loss
    return {
        "cutoffs": cutoffs,
        "cold_start_reason": cold_start_reason,
        "windows": training.windows,
        "best_epoch": training.best_epoch,
        "held_out_loss": training.held_out_loss,
        "held_out_losses": list(training.held_out_losses),
        "linear_held_out_loss": None if math.isnan(linear) else linear,
        "head_losses": training.head_losses,
        "parameters": int(encoder.network.count_params()),
    }
