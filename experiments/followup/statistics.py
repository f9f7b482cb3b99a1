"""Summarise the comparison of follow-up records with the truth, and the repeatability (Bland-Altman)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scripts.lidia.metrics.intervals import compute_wilson_interval

CHANGES = ("stable", "grown", "shrunk", "new", "gone", "merged", "split", "not covered")
RESPONSES = ("CR", "PR", "SD", "PD", "non-CR/non-PD", "NE", "none")


def compute_share(hits: int, n: int) -> dict[str, Any]:
    """Compute a share with its 95 % Wilson interval; None for an empty sample."""
    if not n:
        return {"value": None, "low": None, "high": None, "n": 0}
    low, high = compute_wilson_interval(hits, n)
    return {"value": round(hits / n, 3), "low": round(low, 3), "high": round(high, 3), "n": n}


def summarise_changes(rows: Sequence[Mapping[str, Any]], false_pairs: int) -> dict[str, Any]:
    """Summarise the rows of `compare_changes` of all patients.

    Args:
        rows: rows of all patients.
        false_pairs: number of wrong pairs, see `count_false_pairs`.

    Returns:
        `matched` (share of the pairs with both lesions found that are matched rightly), `found_pairs` (share
        of all true pairs with both lesions found), `false_pairs`, `confusion` (true change, predicted change,
        count), `right` (share of right changes), `diameter_error_mm` and `change_error_mm` (mean, SD, mean
        absolute error).
    """
    pairs = [row for row in rows if "pair" in row]
    both = [row for row in pairs if row["pair"]]
    confusion = {
        name: dict(Counter(row["predicted"] for row in rows if row["truth"] == name)) for name in CHANGES
    }
    errors = [
        measured - true for row in pairs for true, measured in row["longest_mm"] if measured is not None
    ]
    changes = [
        (row["longest_mm"][1][1] - row["longest_mm"][0][1])
        - (row["longest_mm"][1][0] - row["longest_mm"][0][0])
        for row in both
        if row["truth"] != "not covered"
    ]
    return {
        "matched": compute_share(sum(row["matched"] for row in both), len(both)),
        "found_pairs": compute_share(len(both), len(pairs)),
        "false_pairs": false_pairs,
        "right": compute_share(sum(row["truth"] == row["predicted"] for row in rows), len(rows)),
        "confusion": confusion,
        "diameter_error_mm": summarise_errors(errors),
        "change_error_mm": summarise_errors(changes),
    }


def summarise_errors(errors: Sequence[float]) -> dict[str, Any]:
    """Summarise errors: mean, SD, mean absolute error and number."""
    values = np.asarray(errors, dtype=float)
    if len(values) < 2:
        return {"mean": None, "sd": None, "mae": None, "n": len(values)}
    return {
        "mean": round(float(values.mean()), 2),
        "sd": round(float(values.std(ddof=1)), 2),
        "mae": round(float(np.abs(values).mean()), 2),
        "n": len(values),
    }


def summarise_responses(pairs: Sequence[tuple[str | None, str | None]]) -> dict[str, Any]:
    """Summarise true and predicted responses of all patients: share of right ones, and their table."""
    named = [(true or "none", predicted or "none") for true, predicted in pairs]
    table = {
        name: dict(Counter(predicted for true, predicted in named if true == name))
        for name in RESPONSES
        if any(true == name for true, _ in named)
    }
    return {"right": compute_share(sum(t == p for t, p in named), len(named)), "table": table}


def compute_agreement(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Compute the 95 % limits of agreement of two scans of unchanged patients (Bland and Altman 1986).

    Volumes are compared on a logarithmic scale, since their errors grow with the volume; the limits are given
    as relative changes.

    Args:
        rows: rows of `compare_changes` of unchanged patients.
    """
    pairs = [row for row in rows if row.get("pair") and row["truth"] == "stable"]
    lengths = np.array([row["longest_mm"][1][1] - row["longest_mm"][0][1] for row in pairs])
    ratios = np.log([row["volume_mm3"][1] / row["volume_mm3"][0] for row in pairs])
    if len(pairs) < 2:
        return {"n": len(pairs)}
    spread, log_spread = 1.96 * lengths.std(ddof=1), 1.96 * ratios.std(ddof=1)
    return {
        "n": len(pairs),
        "longest_mm": {
            "bias": round(float(lengths.mean()), 2),
            "low": round(float(lengths.mean() - spread), 2),
            "high": round(float(lengths.mean() + spread), 2),
            "limit": round(float(np.abs(lengths.mean()) + spread), 1),
        },
        "volume_percent": {
            "bias": round(100 * (float(np.exp(ratios.mean())) - 1), 1),
            "low": round(100 * (float(np.exp(ratios.mean() - log_spread)) - 1), 1),
            "high": round(100 * (float(np.exp(ratios.mean() + log_spread)) - 1), 1),
            "limit": round(100 * (float(np.exp(abs(ratios.mean()) + log_spread)) - 1), 0),
        },
    }
