"""The model registry: a folder per version, there when its last file is, and a row in `ops.models`."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from segmentation.catalog import NO_MODEL
from segmentation.config import Settings
from segmentation.encoder.expectation import Expectation
from segmentation.encoder.heads import HeadScale
from segmentation.encoder.network import NETWORK_REVISION, build_network
from segmentation.encoder.timelines import EVENT_VOCABULARY, NUMBERS
from segmentation.encoder.windows import InputPreparation
from segmentation.errors import DamagedModel
from segmentation.lake import brought, is_kept, names_in, remove, replacing
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import models

_WEIGHTS, _PREPARATION, _SCHEMA, _LINEAGE = "weights.npz", "preparation.json", "schema.json", "lineage.json"
_WITHDRAWN = "withdrawn.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Encoder:
    """A network with everything needed to feed it and to read it.

    Attributes
    ----------
    schema : dict
        `schema_of` the settings it was made under.
    preparation : InputPreparation
    scale : HeadScale
    network : keras.Model
    expectations : dict of str to Expectation
        Of the heads ``spend`` and ``orders``, as far as the model has them.
    """

    schema: dict[str, Any]
    preparation: InputPreparation
    scale: HeadScale
    network: Any
    expectations: dict[str, Expectation]


def schema_of(settings: Settings) -> dict[str, Any]:
    """Return what must be equal for a model to be trained on: JSON-able, one entry per reason to start anew."""
    from segmentation.features.definitions import FEATURE_NAMES

    return {
        "network revision": NETWORK_REVISION,
        "family": settings.encoder.family,
        "width": settings.encoder.width,
        "sequence length": settings.features.sequence_length,
        "horizon days": settings.features.horizon_days,
        "categories": settings.encoder.categories,
        # who is held out changes with it: a parent would have been trained on those who judge its child
        "held-out share": settings.encoder.held_out_share,
        "event vocabulary": list(EVENT_VOCABULARY),
        "event numbers": list(NUMBERS),
        "features": list(FEATURE_NAMES),
    }


def schema_hash(schema: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of a schema."""
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def why_not_continue(settings: Settings, version: str) -> str:
    """Say in words why tonight's model cannot continue an earlier one; '' if it can.

    Parameters
    ----------
    settings : Settings
        Tonight's settings.
    version : str
        The earlier model.
    """
    if version == NO_MODEL:
        return "the night before had no model"
    file = brought(settings.models / version) / _SCHEMA
    if not file.exists():
        return f"model {version} is not in the registry"
    withdrawn = file.with_name(_WITHDRAWN)
    if withdrawn.exists():
        return f"model {version} was withdrawn: {json.loads(withdrawn.read_text())['reason']}"
    before, now = json.loads(file.read_text())["schema"], schema_of(settings)
    changed = [_change(name, before.get(name), now[name]) for name in now if before.get(name) != now[name]]
    return f"the schema of model {version} has changed: {'; '.join(changed)}" if changed else ""


def _change(name: str, before: Any, now: Any) -> str:
    if isinstance(before, list) and isinstance(now, list):
        added, gone = [v for v in now if v not in before], [v for v in before if v not in now]
        parts = [f"added {', '.join(added)}"] * bool(added) + [f"removed {', '.join(gone)}"] * bool(gone)
        return f"{name}: {', '.join(parts) or 'another order'}"
    return f"{name}: {before} before, {now} now"


def save_encoder(folder: Path, day: date, encoder: Encoder, lineage: dict[str, Any]) -> str:
    """Store a model under a version made from the day and its content, and return the version.

    Parameters
    ----------
    folder : Path
        The registry.
    day : date
        Business day through which it was trained.
    encoder : Encoder
        The model.
    lineage : dict
        Where it comes from: parent, cut-offs, losses. Not part of the version.

    Returns
    -------
    str
        ``<day>-<hash>``. Equal content gives an equal version; a folder that is there already is kept.

    Raises
    ------
    LakeFull
        If the disk is full. A version without its lineage, which is written last, is not there yet.
    """
    weights = encoder.network.get_weights()
    content = {
        "schema": encoder.schema,
        "targets": encoder.scale.to_dict(),
        "expectations": {name: table.to_dict() for name, table in encoder.expectations.items()},
    }
    schema = json.dumps(content, indent=1, sort_keys=True)
    preparation = json.dumps(encoder.preparation.to_dict(), indent=1, sort_keys=True)
    version = f"{day}-{_content_hash(weights, schema, preparation)[:12]}"
    place = folder / version
    if is_kept(place / _LINEAGE) and not is_kept(place / _WITHDRAWN):
        return version
    remove(place)
    with replacing(place / _WEIGHTS) as target, target.open("wb") as file:
        np.savez(file, **{f"{number:03d}": values for number, values in enumerate(weights)})
    # where a folder cannot be moved into place as one, the last file says that all are there
    for name, text in {
        _PREPARATION: preparation,
        _SCHEMA: schema,
        _LINEAGE: json.dumps(lineage, indent=1, default=str),
    }.items():
        with replacing(place / name) as target:
            target.write_text(text + "\n")
    return version


def stored_versions(folder: Path) -> dict[str, date]:
    """Return the models whose weights are in the registry, with the day that each was trained through."""
    versions = [name for name in names_in(folder) if re.match(r"\d{4}-\d{2}-\d{2}-", name)]
    return {name: date.fromisoformat(name[:10]) for name in versions if is_kept(folder / name / _WEIGHTS)}


def withdraw(folder: Path, version: str, reason: str) -> None:
    """Remove a model's weights and preparation and leave a note in their place, so that no night goes on from it.

    Parameters
    ----------
    folder : Path
        The registry.
    version : str
        The model; one that is not there is left as it is.
    reason : str
        Why, in words; a later night gives it as the reason for its cold start.
    """
    place = folder / version
    if not names_in(place):
        return
    with replacing(place / _WITHDRAWN) as target:
        target.write_text(json.dumps({"reason": reason}) + "\n")
    for name in (_WEIGHTS, _PREPARATION):
        remove(place / name)


def load_encoder(folder: Path, version: str) -> Encoder:
    """Load a stored model; its network is built anew and given the stored weights.

    Raises
    ------
    FileNotFoundError
        If the registry does not hold the version.
    DamagedModel
        If its files are not those that the version was made from.
    """
    place = brought(folder / version)
    schema, prepared = ((place / name).read_text().removesuffix("\n") for name in (_SCHEMA, _PREPARATION))
    # numbers and JSON only: a file that was put there cannot run anything, and is told by its hash
    with np.load(place / _WEIGHTS) as file:
        weights = [file[name] for name in sorted(file.files)]
    if not version.endswith(_content_hash(weights, schema, prepared)[:12]):
        raise DamagedModel(version, folder)
    stored = json.loads(schema)
    preparation = InputPreparation.from_dict(json.loads(prepared))
    scale = HeadScale.from_dict(stored["targets"])
    network = new_network(stored["schema"], preparation, scale)
    network.set_weights(weights)
    expectations = {name: Expectation.from_dict(table) for name, table in stored["expectations"].items()}
    return Encoder(stored["schema"], preparation, scale, network, expectations)


def new_network(schema: dict[str, Any], preparation: InputPreparation, scale: HeadScale) -> Any:
    """Build the untrained network for a schema, a preparation and heads."""
    return build_network(
        schema["family"], schema["width"], len(preparation.categories), preparation.width, len(scale.heads)
    )


def record_model(
    warehouse: Engine,
    version: str,
    day: date,
    encoder: Encoder,
    parent_version: str | None,
    held_out_loss: float,
    metrics: dict[str, Any],
    run_id: str,
) -> None:
    """Write the row of a model into `ops.models`, in one transaction; a row that is there is brought up to date.

    Parameters
    ----------
    metrics : dict
        JSON-able; finite numbers only.

    Raises
    ------
    DatabaseUnreachable, LoginRefused, WarehouseNotReady, PermissionMissing, WarehouseBusy, WarehouseFull
        If the warehouse cannot be written; the model itself is in its folder by then.
    """
    row = {
        "trained_through": day,
        "family": encoder.schema["family"],
        "parent_version": parent_version,
        "schema_hash": schema_hash(encoder.schema),
        "held_out_loss": held_out_loss,
        "metrics": metrics,
        "path": version,
        "run_id": run_id,
        "removed_at": None,
        "removed_reason": None,
    }
    statement = insert(models).values(model_version=version, created_at=datetime.now(UTC), **row)
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=[models.c.model_version], set_=row))


def _content_hash(weights: Sequence[npt.NDArray[Any]], *texts: str) -> str:
    digest = hashlib.sha256()
    for values in weights:
        digest.update(f"{values.dtype}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()
