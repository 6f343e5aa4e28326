"""What the model's segments are held against: K-means on features as they are, and on what boosting foresees.

Shapes: B customers.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.catalog import FEATURES, WINDOWS
from segmentation.clusters import kmeans
from segmentation.clusters.inputs import read_cutoffs
from segmentation.config import Settings
from segmentation.encoder.registry import Encoder
from segmentation.encoder.windows import TrainingWindows, together
from segmentation.evaluate.baselines import KMEANS_RFM, RFM_GRID, baseline_labels
from segmentation.features.training_sample import TrainingSample

#: What the baselines are called in the table.
NAMES = {RFM_GRID: "RFM grid", KMEANS_RFM: "K-means on log-RFM"}
WIDE = "K-means on wide features, PCA 10"
BOOSTED = "K-means on gradient boosting's predictions"
BASELINES = (*NAMES.values(), WIDE, BOOSTED)
#: Heads that boosting foresees: those that segments are scored by.
_VALUE = ("bought", "spend", "orders")
#: Trees of eight leaves, a random third of the features at each split: as good as any of four sizes tried.
_BOOSTING = {"max_iter": 200, "learning_rate": 0.03, "max_leaf_nodes": 8, "l2_regularization": 5.0}
_BOOSTING |= {"min_samples_leaf": 60, "max_features": 0.3}


def reference_labels(
    settings: Settings, day: date, static: pd.DataFrame, encoder: Encoder, k: int
) -> dict[str, pd.Series]:
    """Group the customers of a day in the ways that the model has to be better than.

    Parameters
    ----------
    settings : Settings
        Of a lake with the features and windows of ``day``.
    day : date
        Business day.
    static : DataFrame
        Its static features, B rows.
    encoder : Encoder
        Any model of the day, for its preparation of the features.
    k : int
        Segments of each but the RFM grid, which has its own.

    Returns
    -------
    dict of str to Series
        By the names of `BASELINES`: (B,) labels, indexed by customer_id.
    """
    from sklearn.decomposition import PCA

    seed = settings.evaluate.seed
    found = {NAMES[name]: labels for name, labels in baseline_labels(static, k, seed).items()}
    folders = sorted(settings.lake.path(FEATURES, day=day).glob("bucket=*"))
    blocks = [encoder.preparation.read(folder) for folder in folders]
    customers = pd.Index(np.concatenate([block.customer_ids for block in blocks]))
    features = np.concatenate([encoder.preparation.apply(block, encoder.scale).static for block in blocks])
    with kmeans.one_thread():
        wide = PCA(10, random_state=seed).fit_transform(features.astype(np.float64))
        spaces = {WIDE: wide, BOOSTED: _boosted(settings, day, encoder, features)}
        for name, values in spaces.items():
            found[name] = pd.Series(kmeans.nearest(values, kmeans.fit(values, k, seed)), customers)
    return found


def _boosted(settings: Settings, day: date, encoder: Encoder, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what gradient boosting foresees of the B customers, each head in standard deviations of its target."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    windows = settings.lake.path(WINDOWS, day=day)
    folders = [
        folder for cutoff in read_cutoffs(settings.lake, day) for folder in windows.glob(f"cutoff={cutoff}/bucket=*")
    ]
    sample = TrainingSample(settings.encoder.held_out_share)
    seen = together([*TrainingWindows(sorted(folders), encoder.preparation, encoder.scale, sample, False).shards()])
    columns = []
    for q, head in enumerate(encoder.scale.heads):
        if head.name not in _VALUE:
            continue
        known = np.isfinite(seen.targets[:, q])
        parameters = {**_BOOSTING, "random_state": settings.evaluate.seed}
        if head.kind == "chance":
            model = HistGradientBoostingClassifier(**parameters).fit(seen.static[known], seen.targets[known, q])
            columns.append((model.predict_proba(features)[:, 1] - encoder.scale.mean[q]) / encoder.scale.sd[q])
        else:
            model = HistGradientBoostingRegressor(**parameters).fit(seen.static[known], seen.targets[known, q])
            columns.append(model.predict(features))
    return np.stack(columns, axis=1).astype(np.float64)
