"""`segmentation bench encoder`: sequences per second that each encoder family trains on and embeds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from segmentation.bench.replay import replaying, run_again
from segmentation.clusters.inputs import read_outlook, read_static
from segmentation.config import Settings

#: Passes over the windows that are timed.
PASSES = 3


def time_families(settings: Settings, day: date, families: Sequence[str]) -> pd.DataFrame:
    """Train each family from nothing for `PASSES` passes as of ``day``, and embed all customers.

    Parameters
    ----------
    settings : Settings
        Of a lake whose checked rows reach to ``day``.
    day : date
        Business day.
    families : sequence of str
        Of `EncoderSettings.family`.

    Returns
    -------
    DataFrame
        ``family``, ``windows`` (of one pass), ``trained_per_s`` and ``embedded_per_s`` (sequences a second: reading,
        padding, building of the graph and scoring on held-out customers included), ``import_s``.
    """
    rows = []
    with replaying(settings) as apart:
        for number, family in enumerate(families):
            chosen = {"family": family, "cold_epochs": PASSES, "patience": PASSES}
            told = apart.model_copy(update={"encoder": apart.encoder.model_copy(update=chosen)})
            encoded = run_again(told, day, None, features=number == 0).encoded
            outlook = read_outlook(told.lake, day, read_static(told.lake, day))
            embedded = encoded.customers + (0 if outlook.matured is None else len(outlook.matured))
            spent = encoded.seconds
            rows.append(
                (
                    family,
                    encoded.windows,
                    round(encoded.windows * PASSES / spent["train"]),
                    round(embedded / spent["embed"]),
                    spent["import"],
                )
            )
    return pd.DataFrame(rows, columns=["family", "windows", "trained_per_s", "embedded_per_s", "import_s"])
