"""Compare trainings by the number of real studies that they saw: a table, a chart and their data."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from experiments.study.charts import COLOURS, DPI, GREY, INK, save_canvas, style_axes
from experiments.study.markdown import DASH, render_table
from scripts.lidia.atomic import write_json, write_text
from scripts.lidia.datalist.case_error import CaseError

logger = logging.getLogger(__name__)
Record = Mapping[str, Any]


class Point(NamedTuple):
    """Figures of one training on the scans that no training of the curve saw."""

    studies: int
    """Number of studies that it was trained on."""
    liver_dice: float
    """Mean agreement with the masks of the scans without lesion labels."""
    lits_liver_dice: float | None
    """Dice of the liver of the LiTS scan; None if it was not evaluated, as the next two."""
    lits_lesion_dice: float | None
    lits_found: int | None
    """Labelled lesions from 113 mm3 with any overlap."""
    false_lesions: float
    """Mean number a scan of reported lesions that are not real, see `count_false_lesions`."""


PANELS: tuple[tuple[str, Callable[[Point], float | None]], ...] = (
    ("liver Dice, unseen scans", lambda point: point.liver_dice),
    ("lesion Dice, LiTS scan", lambda point: point.lits_lesion_dice),
    ("false lesions a scan", lambda point: point.false_lesions),
)
HEAD = (
    *("studies", "liver Dice", "LiTS: liver Dice", "LiTS: lesion Dice", "LiTS: lesions found"),
    "false lesions a scan",
)


def write_curve(*, results: str | Sequence[str] | None, output_dir: str | Path) -> list[Point]:
    """Write `curve.md`, `curve.png` and `curve.json`.

    All trainings are compared on the same scans: those that every file has and that no training saw.
    A warning names the others.

    Args:
        results: `real_ct.json` of each training, evaluated with `training_scans`.
        output_dir: folder of the output.

    Returns:
        A point for each file, in the order of the number of studies.

    Raises:
        CaseError: there is no file, a file does not say what its training saw, or no scan besides the LiTS
            scan is in every file and was seen by no training.
    """
    files = [results] if isinstance(results, str) else list(results or ())
    if not files:
        raise CaseError(
            "curve", "--results", "no file is given", "name real_ct.json of each training", "no_results"
        )
    contents = [json.loads(Path(file).read_text(encoding="utf-8")) for file in files]
    for file, content in zip(files, contents, strict=True):
        if "training_scans" not in content:
            remedy = "evaluate the weights again with --training_scans"
            raise CaseError("curve", file, "training_scans is missing", remedy, "no_training_scans")
    common = list_common_scans(contents)
    if not any(record["id"] in common and record["lits"] is None for record in contents[0]["scans"]):
        remedy = "evaluate every training on scans with liver masks that no training saw"
        raise CaseError("curve", ", ".join(files), "the files share no unseen scan", remedy, "no_common_scan")
    evaluated = {record["id"] for content in contents for record in content["scans"]}
    if left_out := sorted(evaluated - set(common)):
        logger.warning(
            "Not compared, since a training saw them or a file lacks them: %s", ", ".join(left_out)
        )
    pairs = sorted(
        ((summarise_training(content, common), file) for content, file in zip(contents, files, strict=True)),
        key=lambda pair: pair[0].studies,
    )
    points, folder = [point for point, _ in pairs], Path(output_dir)
    entries = [{"file": file, **point._asdict()} for point, file in pairs]
    write_json(folder / "curve.json", {"scans": common, "trainings": entries})
    draw_curve(folder / "curve.png", points, f"Unseen scans: {', '.join(common)}")
    write_text(folder / "curve.md", "\n".join(render_table(HEAD, map(_make_row, points))))
    return points


def list_common_scans(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the scans that every file has and that no training saw."""
    seen = {scan for content in contents for scan in content["training_scans"]}
    evaluated = [[record["id"] for record in content["scans"]] for content in contents]
    return [scan for scan in evaluated[0] if scan not in seen and all(scan in ids for ids in evaluated)]


def summarise_training(content: Mapping[str, Any], scans: Sequence[str]) -> Point:
    """Summarise one training on the given scans.

    Args:
        content: of `real_ct.json`.
        scans: ids; at least one has no lesion labels.
    """
    records = [record for record in content["scans"] if record["id"] in scans]
    kit = [record["liver"]["dice"] for record in records if record["lits"] is None]
    lits = next((record for record in records if record["lits"] is not None), None)
    return Point(
        len(content["training_scans"]),
        sum(kit) / len(kit),
        None if lits is None else lits["liver"]["dice"],
        None if lits is None else lits["lits"]["dice"],
        None if lits is None else lits["lits"]["found_any"],
        sum(map(count_false_lesions, records)) / len(records),
    )


def count_false_lesions(record: Record) -> int:
    """Count reported lesions that are not real.

    With lesion labels these are lesions without a labelled voxel. Without labels they are lesions of which
    less than half lies in the rough outlines of the patient's own lesions.
    """
    if record["lits"] is not None:
        return int(record["lits"]["reported"] - record["lits"]["reported_real"])
    return int(record["lesions"]["count"] - (record["lesions"]["outlined"] or 0))


def draw_curve(path: Path, points: Sequence[Point], title: str) -> Path:
    """Draw one panel for each figure: a dot for each training, a thin line through the means.

    Args:
        path: a PNG file.
        points: the trainings.
        title: describes the scans.
    """
    canvas = Canvas(figsize=(11, 3.6), dpi=DPI, layout="constrained")
    for axes, (label, read) in zip(canvas.subplots(1, len(PANELS)), PANELS, strict=True):
        style_axes(axes)
        values: dict[int, list[float]] = {}
        for point in points:
            if (value := read(point)) is not None:
                values.setdefault(point.studies, []).append(value)
        means = [sum(group) / len(group) for group in values.values()]
        axes.plot(list(values), means, color=GREY, linewidth=1)
        for studies, group in values.items():
            axes.plot(
                [studies] * len(group), group, "o", color=COLOURS[0], markeredgecolor="white", markersize=6
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(left=0)
        axes.set_xlabel("real studies in training")
        axes.set_ylabel(label)
    canvas.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    return save_canvas(canvas, path)


def _make_row(point: Point) -> list[str]:
    found = DASH if point.lits_found is None else str(point.lits_found)
    dice = [point.liver_dice, point.lits_liver_dice, point.lits_lesion_dice]
    return [
        str(point.studies),
        *(DASH if value is None else f"{value:.3f}" for value in dice),
        found,
        f"{point.false_lesions:.1f}",
    ]
