"""Draw the figures of the page from the archive and return the lines that show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from experiments.study.charts import draw_areas, draw_subsets
from experiments.study.compare import Figure, evaluate_methods
from experiments.study.evidence import Evaluation, count_confusion, read_evaluation
from experiments.study.markdown import render_list
from experiments.study.study_page import Study, list_rows
from scripts.lidia.evaluation.evaluation_files import draw_confusion
from scripts.lidia.inference.phase_ablation import list_phase_subsets


def draw_pictures(
    archive: Path, study: Study, reference: Evaluation | None, draws: int, seed: int
) -> list[str]:
    """Draw the figures of all finished rows into `archive/figures`.

    Args:
        archive: folder of the archive.
        study: the figures.
        reference: internal evaluation of the system whose confusion matrix is drawn; None if it is missing.
        draws: of the bootstrap of the subsets.
        seed: of the draws.

    Returns:
        Lines of the page, to follow its tables.
    """
    lines = ["## Figures (synthetic)", ""]
    lines += _draw_areas(archive, study)
    if reference is not None:
        path = archive / "figures/confusion.png"
        draw_confusion(path, count_confusion(reference))
        caption = "Lesions by true and predicted type, internal cohort, synthetic patients"
        lines += [f"### Confusion matrix of {study.reference}", "", _link_image(archive, path, caption), ""]
    lines += _draw_subsets(archive, study, draws, seed)
    for system in study.systems:
        lines += _list_cases(archive, system.name)
    return lines if len(lines) > 2 else []


def _draw_areas(archive: Path, study: Study) -> list[str]:
    """Draw Fig. 2: the methods of Table 1 on the external cohort."""
    methods = study.methods["external"]
    labels = {row.label: f"{system.name}+{row.rule}" for system, row in list_rows(study, 1)}
    labels |= {"oracle": "oracle", "floor": "floor"}
    figures = {label: methods[name].figures for label, name in labels.items() if name in methods}
    if not figures:
        return []
    count = next(iter(methods.values())).patients
    title = f"External cohort, {count} synthetic patients; value and 95 % interval"
    path = draw_areas(archive / "figures/external_areas.png", figures, title)
    caption = "Area under the curve of each class, external cohort, synthetic patients"
    note = "This is the paper's Fig. 2. There LIDIA's mean on 828 real patients is *0.893*."
    return ["### Fig. 2: areas under the curve", "", _link_image(archive, path, caption), "", note, ""]


def _draw_subsets(archive: Path, study: Study, draws: int, seed: int) -> list[str]:
    systems: dict[str, dict[str, Figure]] = {}
    patients = 0
    for system in study.systems:
        values: dict[str, Figure] = {}
        for subset in map("+".join, list_phase_subsets()):
            evaluation = read_evaluation(archive / system.name / "phases" / subset)
            if evaluation is not None:
                values[subset] = evaluate_methods({"x": evaluation}, draws, seed)["x+livermax"].figures[
                    "auc8"
                ]
                patients = len(evaluation.ids)
        if values:
            systems[system.label] = values
    if not systems:
        return []
    subsets = [
        name
        for name in map("+".join, list_phase_subsets())
        if any(name in evaluation for evaluation in systems.values())
    ]
    title = f"{patients} synthetic patients who have all phases, internal cohort; LiverMax, 95 % interval"
    path = draw_subsets(archive / "figures/phases.png", systems, subsets, title)
    caption = "AUC-8 for each subset of phases, synthetic patients"
    remarks = render_list(study.remarks.get("phases", ()))
    return ["### Every subset of the phases", "", _link_image(archive, path, caption), "", *remarks]


def _list_cases(archive: Path, name: str) -> list[str]:
    path = archive / name / "cases/job.json"
    if not path.is_file():
        return []
    cases: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["cases"]
    lines = [
        f"### Cases of {name}",
        "",
        "The first patients by number who have all phases. They were not selected by hand.",
        "",
    ]
    for case, caption in cases.items():
        lines += [
            f"Synthetic patient. {caption}",
            "",
            _link_image(archive, path.with_name(f"{case}.png"), caption),
            "",
        ]
    return lines


def _link_image(archive: Path, path: Path, caption: str) -> str:
    return f"![{caption}]({path.relative_to(archive.parent).as_posix()})"
