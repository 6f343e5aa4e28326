"""The table of `segmentation bench quality` as it stands in `docs/QUALITY.md`."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from segmentation.bench.quality import CEILING, Scored, compare_families, summarise_families

#: Whose marks the page has around the table.
COMMAND = "segmentation bench quality"


def quality_table(scored: Sequence[Scored], default: str, seed: int) -> str:
    """Return one table in Markdown: what each segmentation foretells, and how much more ``default`` does.

    Parameters
    ----------
    scored : sequence of Scored
        From `score_families`.
    default : str
        The nightly run's family.
    seed : int
        Seed of the bootstrap.
    """
    figures = summarise_families(scored).set_index("segmentation")
    gaps = compare_families(scored, default, seed).set_index("segmentation")
    lines = [
        "| segmentation | k | smallest share | spend R² | log orders R² (raw) | churn AUC | standard error over seeds "
        "| default's spend R² more by | default's log orders R² more by |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in figures.itertuples():
        name = str(row.Index)
        alone = name == CEILING
        errors = [row.spend_r2_se, row.log_orders_r2_se, row.churn_auc_se]
        cells = [
            f"{name} (default)" if name == default else name,
            "-" if alone else f"{row.k:.3g}",
            "-" if alone else f"{row.smallest_share:.1%}",
            f"{row.spend_r2:.3f}",
            f"{row.log_orders_r2:.3f} ({row.raw_orders_r2:.3f})",
            f"{row.churn_auc:.3f}",
            "-" if pd.isna(errors).any() else " / ".join(f"{error:.3f}" for error in errors),
            *(_gap(gaps, name, target) for target in ("spend", "orders")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _gap(gaps: pd.DataFrame, name: str, target: str) -> str:
    if name not in gaps.index:
        return "-"
    more, low, high = gaps.loc[name, [target, f"{target}_low", f"{target}_high"]].to_numpy(dtype=float)
    return f"{more:+.3f} ({low:+.3f} to {high:+.3f})"
