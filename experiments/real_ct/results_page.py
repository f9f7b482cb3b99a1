"""Write the results on real CT as a Markdown page: goals, a row per scan, means and ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.study.markdown import DASH, render_list, render_table

Record = Mapping[str, Any]
NOTE = (
    "The liver masks of the kit are predictions of another network that was trained on manual masks: the "
    "Dice is agreement with predicted masks, not accuracy. They leave out about 1 cm of large lesions at the "
    "surface, therefore lesion volume is also counted outside the mask grown by 10 mm. No lesion of the kit "
    "is labelled; only the LiTS scan has labels, at an assumed spacing of 1.4 mm."
)
HEAD = (
    "scan", "phases", "liver Dice", "volume (ml)", "ratio", "voxels > 20 mm above", "lesions", "ml",
    "outside", "outside grown", "wholly outside", "in outlines", "P(HCC)", "first malignant", "first of all",
    "seconds (CPU)",
)  # fmt: skip


def write_results_page(
    records: Sequence[Record],
    *,
    title: str,
    goals: Mapping[str, Any],
    healthy: Sequence[str],
    hcc: Sequence[str],
) -> str:
    """Write the page.

    Args:
        records: one record per scan, see `evaluate_scans`.
        title: heading.
        goals: target value by name.
        healthy: ids of the scans whose livers look healthy.
        hcc: ids of the scans of patients with HCC.

    Returns:
        The page in Markdown.
    """
    unseen = [record for record in records if not record["training"]]
    groups = {"Unseen scans": unseen, "Training scans": [r for r in records if r["training"]]}
    lines = [f"# {title}", "", NOTE, "", "## Goals", ""]
    rows = list_goals(records, goals, healthy, hcc)
    lines += render_table(("measured on", "unseen scans", "training scans", "goal"), rows)
    for name, group in groups.items():
        if group:
            lines += [f"## {name}", "", *render_table(HEAD, map(_make_row, group))]
            lines += render_list(summarise(group))
    for record in records:
        lines += [f"## {record['id']}", "", f"![{record['id']}](pictures/{record['id']}.png)", ""]
        lines += render_list(record["warnings"])
        lines += render_list([_describe_lesions(record)])
    return "\n".join(lines)


def list_goals(
    records: Sequence[Record], goals: Mapping[str, Any], healthy: Sequence[str], hcc: Sequence[str]
) -> list[list[str]]:
    """List the rows of the goals: name, figure of the unseen scans, of the training scans, goal."""
    sides = [[r for r in records if not r["training"]], [r for r in records if r["training"]]]
    kit = [[r for r in side if r["lits"] is None] for side in sides]
    lits = [next((r for r in side if r["lits"] is not None), None) for side in sides]
    return [
        [
            "liver: agreement (Dice) with the predicted masks, mean and range",
            *(format_range([r["liver"]["dice"] for r in side]) for side in kit),
            f"{goals['liver_dice']:.2f}",
        ],
        [
            "LiTS scan: liver Dice / lesion voxel Dice / share of reported lesions that are real",
            *(_format_lits(r) for r in lits),
            " / ".join(f"{x:.2f}" for x in goals["lits"]),
        ],
        [
            "LiTS scan: lesions from 113 mm3 found (any overlap; Dice >= 0.2; IoU >= 0.1) / from 10 mm",
            *(_format_found(r) for r in lits),
            f"{goals['lits_found']} / {goals['lits_large']:.2f}",
        ],
        [
            "reported lesion volume outside the liver, of all scans (and outside the liver grown by 10 mm)",
            *(_format_outside(side) for side in sides),
            f"< {100 * goals['outside']:.0f} %",
        ],
        [
            f"reported lesions in livers that look healthy ({', '.join(healthy)})",
            *(
                _join(
                    [str(r["lesions"]["count"]) for case in healthy for r in side if r["id"] == case], " + "
                )
                for side in kit
            ),
            f"at most {goals['healthy']} in all",
        ],
        [
            f"patients with HCC ({', '.join(hcc)}): HCC is the first malignant type",
            *(_format_hcc([r for r in side if r["id"] in hcc]) for side in kit),
            f"{goals['hcc']}",
        ],
    ]


def summarise(records: Sequence[Record]) -> list[str]:
    """Summarise scans as sentences: mean and range."""
    columns = {
        "Liver Dice": [r["liver"]["dice"] for r in records],
        "Liver volume, ratio to the mask": [r["liver"]["volume_ratio"] for r in records],
        "Reported lesions per scan": [float(r["lesions"]["count"]) for r in records],
        "Share of the reported lesion volume outside the mask": [
            r["lesions"]["outside_share"] for r in records
        ],
        "Seconds per scan": [r["seconds"] for r in records],
    }
    return [f"{name}: {format_range(values)}" for name, values in columns.items()]


def format_range(values: Iterable[float]) -> str:
    """Format values as `0.870 (0.830-0.900; 9 scans)`; nan values are left out, a dash if none is left."""
    numbers = [value for value in values if not math.isnan(value)]
    if not numbers:
        return DASH
    mean = sum(numbers) / len(numbers)
    return f"{mean:.3f} ({min(numbers):.3f}-{max(numbers):.3f}; {len(numbers)} scans)"


def _make_row(record: Record) -> list[str]:
    liver, lesions, patient = record["liver"], record["lesions"], record["patient"]
    return [
        record["id"],
        ", ".join(record["phases"]),
        f"{liver['dice']:.3f}",
        f"{liver['volume_ml']:.0f} ({liver['reference_ml']:.0f})",
        f"{liver['volume_ratio']:.2f}",
        f"{liver['voxels_above']}",
        f"{lesions['count']}",
        f"{lesions['volume_ml']:.1f}",
        _format_share(lesions["outside_share"]),
        _format_share(lesions["outside_grown_share"]),
        f"{lesions['outside']}",
        DASH if lesions["outlined"] is None else f"{lesions['outlined']}",
        f"{patient['probabilities']['HCC']:.2f}",
        patient["first_malignant"],
        patient["first"],
        f"{record['seconds']:.1f} ({record['cpu_seconds']:.1f})",
    ]


def _describe_lesions(record: Record) -> str:
    parts = [
        f"{lesion['type']} {lesion['diameter_mm']:.0f} mm ({_format_share(lesion['outside_share'])} outside)"
        for lesion in record["lesions"]["list"]
    ]
    return f"Reported: {'; '.join(parts) or 'no lesion'}"


def _format_share(value: float) -> str:
    return DASH if math.isnan(value) else f"{100 * value:.0f} %"


def _format_lits(record: Record | None) -> str:
    if record is None:
        return DASH
    lits, reported = record["lits"], record["lits"]["reported"]
    real = lits["reported_real"] / reported if reported else float("nan")
    return f"{record['liver']['dice']:.2f} / {lits['dice']:.2f} / {real:.2f}"


def _format_found(record: Record | None) -> str:
    if record is None:
        return DASH
    lits = record["lits"]
    names = ("found_any", "found_dice", "found_iou")
    every, large = (
        f"{'; '.join(str(lits[p + name]) for name in names)} of {lits[p + 'labelled']}"
        for p in ("", "large_")
    )
    return f"{every} / {large}"


def _format_outside(records: Sequence[Record]) -> str:
    total = sum(r["lesions"]["volume_ml"] for r in records)
    if not total:
        return DASH
    shares = (sum(r["lesions"][key] for r in records) / total for key in ("outside_ml", "outside_grown_ml"))
    return "{} ({})".format(*map(_format_share, shares))


def _format_hcc(records: Sequence[Record]) -> str:
    first = [r["id"] for r in records if r["patient"]["first_malignant"] == "HCC"]
    return f"{len(first)} of {len(records)} {_join(first, ', ')}" if records else DASH


def _join(parts: Sequence[str], separator: str) -> str:
    return separator.join(parts) or DASH
