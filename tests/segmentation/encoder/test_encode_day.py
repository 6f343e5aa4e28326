"""The step as a whole: what marketing gets depends on these promises holding night after night."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, select

from segmentation.catalog import FEATURES, OUTLOOK, WINDOWS
from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.encoder.encode_day import EncodeResult, can_continue, encode_day
from segmentation.encoder.heads import BEHAVIOUR_HEADS
from segmentation.encoder.windows import is_held_out
from segmentation.errors import MissingInput
from segmentation.runs import PublishedNight
from segmentation.warehouse import models

DAY = date(2026, 3, 31)
MakeSettings = Callable[..., Settings]
WriteWorld = Callable[..., None]


@dataclass(frozen=True)
class Trained:
    settings: Settings
    result: EncodeResult

    @property
    def night(self) -> PublishedNight:
        return PublishedNight(DAY, "run", self.result.model_version, "segmentation")

    def outlook(self, day: date = DAY) -> pd.DataFrame:
        return pd.read_parquet(outlook_folder(self.settings, day) / "outlook.parquet", partitioning=None)


def outlook_folder(settings: Settings, day: date = DAY) -> Path:
    return settings.lake.path(OUTLOOK, day=day)


def summary_of(settings: Settings, day: date = DAY) -> dict:
    return json.loads((outlook_folder(settings, day) / "outlook.json").read_text())


def model_row(engine: Engine, version: str) -> dict:
    with engine.connect() as connection:
        return dict(connection.execute(select(models).where(models.c.model_version == version)).mappings().one())


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, tiny: MakeSettings, world: WriteWorld, models_url: str
) -> Trained:
    """500 customers, one cold start with the default family; read by several tests, changed by none."""
    settings = tiny(tmp_path_factory.mktemp("trained"))
    world(settings, DAY)
    engine = engine_for(models_url)
    result = encode_day(settings, DAY, None, engine, "run")
    engine.dispose()
    return Trained(settings, result)


def test_order_of_events_is_learnt_beyond_what_static_features_know(trained: Trained, models_engine: Engine) -> None:
    row = model_row(models_engine, trained.result.model_version)
    # a coin's entropy is 0.69, the truth's 0.33
    assert row["metrics"]["linear_held_out_loss"] > trained.result.held_out_loss * 1.2
    assert row["metrics"]["head_losses"]["bought"] < 0.5
    assert trained.result.epochs >= 1
    assert row["trained_through"] == DAY
    assert row["family"] == "cnn_rnn"
    assert row["parent_version"] is None
    assert row["run_id"] == "run"


@pytest.mark.parametrize("family", ["cnn", "rnn"])
def test_other_families_learn_it_too(
    family: str, tmp_path: Path, tiny: MakeSettings, world: WriteWorld, models_engine: Engine
) -> None:
    settings = tiny(tmp_path, family=family)
    world(settings, DAY, customers=400)
    result = encode_day(settings, DAY, None, models_engine, "run")
    row = model_row(models_engine, result.model_version)
    assert row["family"] == family
    assert row["metrics"]["head_losses"]["bought"] < 0.5


def test_a_shop_with_more_windows_than_a_pass_holds_is_learnt_by_others_in_each(
    tmp_path: Path, tiny: MakeSettings, world: WriteWorld, models_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segmentation.encoder import windows

    monkeypatch.setattr(windows, "WINDOWS_A_PASS", 300)
    settings = tiny(tmp_path, cold_epochs=20)
    world(settings, DAY)
    result = encode_day(settings, DAY, None, models_engine, "run")
    # a bucket as of a cut-off is not cut, and has up to 200
    assert 150 < result.windows <= 450
    # with one part of them again and again it would know these by heart, and nothing of other customers
    assert model_row(models_engine, result.model_version)["metrics"]["head_losses"]["bought"] < 0.5


def test_outlook_has_a_row_for_every_customer_in_units_of_the_targets_spread(trained: Trained) -> None:
    table, summary = trained.outlook(), summary_of(trained.settings)
    assert table["customer_id"].tolist() == sorted(f"c{key:04d}" for key in range(500))
    heads = [head["name"] for head in summary["heads"]]
    assert [column for column in table if column.startswith("q_")] == [f"q_{name}" for name in heads]
    assert {"bought", "spend", "orders", "sessions", "n_search", "discount_share"} <= set(heads)
    # known for nobody, or the same for all: nothing to foresee
    assert not {"views_per_session", "returns_share", "gap_days_mean"} & set(heads)
    # the shop's own doing is no behaviour
    assert "n_campaign_sent" not in heads
    assert all(head["high"] and head["low"] and head["weight"] > 0 for head in summary["heads"])
    assert summary["cutoff"] == str(DAY - timedelta(days=28))
    assert summary["model_version"] == trained.result.model_version
    # what can be foreseen spreads, what is noise does not, and nothing spreads more than what happens
    assert 0.6 < table["q_bought"].std() < 1.05
    assert table["q_n_search"].std() < 0.5
    assert abs(table["q_bought"].mean()) < 0.2
    assert table["q_spend"].dtype == np.float32
    taste = [column for column in table if column.startswith("taste_")]
    assert sorted(taste) == ["taste_books", "taste_garden", "taste_toys"]
    assert sorted(entry["column"] for entry in summary["taste"]) == sorted(taste)


def test_expected_amounts_add_up_to_what_happened(trained: Trained) -> None:
    matured = pd.read_parquet(outlook_folder(trained.settings) / "matured.parquet", partitioning=None)
    assert matured["expected_orders"].mean() == pytest.approx(matured["actual_orders"].mean(), rel=0.15)
    assert matured["expected_spend"].mean() == pytest.approx(matured["actual_spend"].mean(), rel=0.25)
    assert 1 - matured["churn_probability"].mean() == pytest.approx(matured["actual_bought"].mean(), abs=0.06)
    likely = matured["churn_probability"] < 0.5
    assert matured["actual_bought"][likely].mean() > 0.7 > 0.3 > matured["actual_bought"][~likely].mean()


def test_held_out_customers_are_named_and_stay_the_same(trained: Trained) -> None:
    table = trained.outlook()
    share = trained.settings.encoder.held_out_share
    assert table["held_out"].tolist() == is_held_out(table["customer_id"].tolist(), share).tolist()
    # two cut-offs of every customer who is not held out, and of nobody else
    assert trained.result.windows == 2 * int((~table["held_out"]).sum())


def test_warm_start_continues_from_the_last_published_night(
    trained: Trained, world: WriteWorld, models_engine: Engine
) -> None:
    tomorrow = DAY + timedelta(days=1)
    world(trained.settings, tomorrow)
    assert can_continue(trained.settings, trained.night)
    result = encode_day(trained.settings, tomorrow, trained.night, models_engine, "run 2")
    assert result.cold_start_reason == ""
    assert result.parent_version == trained.result.model_version
    assert result.epochs <= trained.settings.encoder.warm_epochs
    row = model_row(models_engine, result.model_version)
    # it starts from what the parent knew: the first loss is nowhere near that of static features
    assert row["metrics"]["held_out_losses"][0] < trained.result.held_out_loss * 1.15
    assert row["parent_version"] == trained.result.model_version
    assert list(trained.outlook(tomorrow)) == list(trained.outlook())
    assert summary_of(trained.settings, tomorrow)["base_day"] == str(DAY)


def test_a_changed_setting_means_a_cold_start_and_says_which(trained: Trained, tiny: MakeSettings) -> None:
    from segmentation.encoder.registry import why_not_continue

    wider = tiny(trained.settings.home, width=24)
    assert why_not_continue(wider, trained.result.model_version) == (
        f"the schema of model {trained.result.model_version} has changed: width: 16 before, 24 now"
    )
    assert not can_continue(wider, trained.night)
    assert why_not_continue(wider, "2026-03-01-000000000000") == "model 2026-03-01-000000000000 is not in the registry"
    assert why_not_continue(wider, "rfm") == "the night before had no model"
    assert not can_continue(wider, None)


def test_shop_without_events_and_categories_then_starts_a_clickstream(
    tmp_path: Path, tiny: MakeSettings, world: WriteWorld, models_engine: Engine
) -> None:
    settings = tiny(tmp_path, cold_epochs=1)
    world(settings, DAY, customers=300, clickstream=False)
    first = encode_day(settings, DAY, None, models_engine, "run")
    summary = summary_of(settings)
    assert [head["name"] for head in summary["heads"]] == ["bought", "spend", "orders", "discount_share"]
    assert summary["taste"] == []

    tomorrow = DAY + timedelta(days=1)
    world(settings, tomorrow, customers=300)
    night = PublishedNight(DAY, "run", first.model_version, "segmentation")
    second = encode_day(settings, tomorrow, night, models_engine, "run 2")
    assert second.parent_version is None
    assert second.cold_start_reason.startswith("the last model knows nothing of: sessions, ")
    assert second.cold_start_reason.endswith("categories")


@pytest.mark.parametrize(
    ("customers", "cutoffs", "reason"),
    [
        (60, 1, "60 customers have 28 days of known future, and 100 are needed to learn from"),
        (200, 0, "the first order was 50 days ago, and 56 days of history are needed to learn what follows"),
    ],
    ids=["too few customers", "too little history"],
)
def test_a_small_or_young_shop_gets_no_model_and_the_reason(
    customers: int,
    cutoffs: int,
    reason: str,
    tmp_path: Path,
    tiny: MakeSettings,
    world: WriteWorld,
    models_engine: Engine,
) -> None:
    settings = tiny(tmp_path)
    world(settings, DAY, customers=customers, cutoffs=cutoffs)
    stale = outlook_folder(settings) / "outlook.parquet"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of an earlier run")
    result = encode_day(settings, DAY, None, models_engine, "run")
    assert result.model_version == "rfm"
    assert result.cold_start_reason == reason
    assert summary_of(settings)["reason"] == reason
    assert sorted(file.name for file in outlook_folder(settings).iterdir()) == ["outlook.json"]


def test_without_features_the_step_says_which_task_to_clear(
    tmp_path: Path, tiny: MakeSettings, models_engine: Engine
) -> None:
    with pytest.raises(
        MissingInput, match=r"the features for business day 2026-03-31 is not in the lake\. Clear the task"
    ):
        encode_day(tiny(tmp_path), DAY, None, models_engine, "run")
    assert not (tmp_path / "models").exists()
    assert not settings_has_features(tmp_path)


def test_windows_that_a_later_run_removed_are_missed_and_not_taken_for_a_young_shop(
    tmp_path: Path, tiny: MakeSettings, world: WriteWorld, models_engine: Engine
) -> None:
    settings = tiny(tmp_path)
    world(settings, DAY, customers=200)
    settings.lake.remove(settings.lake.path(WINDOWS, day=DAY))
    said = "the training windows for business day 2026-03-31 is not in the lake. Clear the task features of this run"
    with pytest.raises(MissingInput, match=re.escape(said)):
        encode_day(settings, DAY, None, models_engine, "run")
    assert not (outlook_folder(settings) / "outlook.json").exists()


def settings_has_features(home: Path) -> bool:
    return (home / "lake" / FEATURES).exists()


_OTHER_PROCESS = """
import os, signal, sys
from datetime import date
from pathlib import Path

import numpy

from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.encoder.encode_day import encode_day

whole, killed, url = sys.argv[1:]
engine = engine_for(url)

def run(text):
    encode_day(Settings.model_validate_json(text), date(2026, 3, 31), None, engine, "other process")

run(whole)
print("whole", flush=True)

def die_half_way(file, **arrays):
    file.write(b"half a model")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

numpy.savez = die_half_way
run(killed)
"""


def test_same_bytes_in_another_process_and_no_half_model_after_a_kill(
    tmp_path: Path, tiny: MakeSettings, world: WriteWorld, models_url: str, models_engine: Engine
) -> None:
    whole, killed = tiny(tmp_path / "whole", cold_epochs=2), tiny(tmp_path / "killed", cold_epochs=2)
    for settings in (whole, killed):
        world(settings, DAY, customers=300)
    arguments = [sys.executable, "-c", _OTHER_PROCESS, whole.model_dump_json(), killed.model_dump_json(), models_url]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTATION_")}
    import segmentation

    package = str(Path(segmentation.__file__).parents[1])
    other = subprocess.run(
        arguments, env=environment | {"PYTHONPATH": package}, capture_output=True, text=True, timeout=300, check=False
    )
    assert other.stdout == "whole\n", other.stderr
    assert other.returncode == -signal.SIGKILL
    assert other.stderr == ""

    from segmentation.encoder.registry import stored_versions

    assert stored_versions(killed.models) == {}
    assert not (outlook_folder(killed) / "outlook.json").exists()

    result = encode_day(killed, DAY, None, models_engine, "run again")
    assert [folder.name for folder in killed.models.iterdir()] == [result.model_version]
    for name in ("outlook.parquet", "matured.parquet", "outlook.json"):
        assert (outlook_folder(killed) / name).read_bytes() == (outlook_folder(whole) / name).read_bytes(), name
    # a re-run keeps the model and its row
    assert model_row(models_engine, result.model_version)["run_id"] == "run again"
    assert {head.name for head in BEHAVIOUR_HEADS} >= {head["name"] for head in summary_of(killed)["heads"]}
