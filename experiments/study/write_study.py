"""Write `study.md`, `study.json` and the pictures from the finished rows of the archive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.study.cohorts import COHORTS
from experiments.study.compare import Method, compare_to_reference, evaluate_methods, summarise_seeds
from experiments.study.evidence import Evaluation, read_evaluation
from experiments.study.figures import draw_pictures
from experiments.study.study_page import Study, render_page
from experiments.study.systems import Run, System, list_runs, read_systems
from scripts.lidia.atomic import write_json, write_text
from scripts.lidia.metrics.intervals import DRAWS


def write_study(
    *,
    archive: str | None,
    output_dir: str,
    systems: Mapping[str, Mapping[str, Any]],
    reference: str = "lidia",
    draws: int = DRAWS,
    seed: int = 0,
    remarks: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Write the page and its data, `study.md` and `study.json`, into the parent folder of the archive.

    Args:
        archive: folder of the archive; `study` in `output_dir` if None or empty.
        output_dir: of the study.
        systems: see `read_systems`.
        reference: system that all others are compared with, by its LiverMax scores.
        draws: of the bootstrap.
        seed: of the draws.
        remarks: sentences below a table of the paper ("1", "2", "3") that explain why our order differs, or
            below the figure of phase subsets ("phases").

    Returns:
        The page.
    """
    folder = Path(archive).absolute() if archive else Path(output_dir).absolute() / "study"
    system_list = read_systems(systems)
    evaluations = {cohort: read_evaluations(folder, system_list, cohort) for cohort in COHORTS}
    methods = {cohort: evaluate_methods(by_name, draws, seed) for cohort, by_name in evaluations.items()}
    study = collect_study(folder, system_list, methods, f"{reference}+livermax", remarks or {})
    content: dict[str, Any] = {
        cohort: {name: method.figures for name, method in study.methods[cohort].items()} for cohort in COHORTS
    }
    content |= {"differences": study.differences, "seeds": study.seeds, "budget": study.budget}
    write_json(folder.with_name("study.json"), content)
    pictures = draw_pictures(folder, study, evaluations["internal"].get(reference), draws, seed)
    page = folder.with_name("study.md")
    write_text(page, render_page(study, pictures))
    return page


def collect_study(
    folder: Path,
    systems: list[System],
    methods: Mapping[str, Mapping[str, Method]],
    reference: str,
    remarks: Mapping[str, Sequence[str]],
) -> Study:
    """Collect the figures of all finished rows.

    Args:
        folder: of the archive.
        systems: of the study.
        methods: by cohort, of all runs (`evaluate_methods`).
        reference: method that all others are compared with.
        remarks: see `write_study`.
    """
    firsts = {system.name for system in systems} | {"oracle"}
    own, gaps, spread = {}, {}, {}
    for cohort, all_methods in methods.items():
        # Further seeds have no own rows: the first seed's row gives their mean and SD
        own[cohort] = {name: method for name, method in all_methods.items() if _get_system(name) in firsts}
        gaps[cohort] = compare_to_reference(own[cohort], reference)
        spread[cohort] = {
            f"{system.name}+{rule}": values
            for system in systems
            for rule, values in summarise_seeds(
                all_methods, [run.name for run in list_runs([system])]
            ).items()
        }
    missing = [
        f"{name} ({cohort})"
        for cohort, all_methods in methods.items()
        for name in ("oracle", *(run.name for run in list_runs(systems) if cohort in run.system.cohorts))
        if name not in {method.partition("+")[0] for method in all_methods}
    ]
    names = sorted({name for cohort in own.values() for name in cohort}, key=_make_sort_key(systems))
    budget = {name: _read_budget(folder, systems, name) for name in names}
    return Study(systems, own, gaps, spread, budget, missing, reference, remarks)


def _get_system(method: str) -> str:
    return "oracle" if method in ("oracle", "floor") else method.partition("+")[0]


def _make_sort_key(systems: list[System]) -> Any:
    order = [system.name for system in systems]
    return lambda name: (order.index(_get_system(name)) if _get_system(name) in order else len(order), name)


def read_evaluations(folder: Path, systems: list[System], cohort: str) -> dict[str, Evaluation]:
    """Read the finished evaluations of a cohort by run, `oracle` included."""
    names = [*(run.name for run in list_runs(systems)), "oracle"]
    by_name = {name: read_evaluation(folder / name / cohort) for name in names}
    return {name: evaluation for name, evaluation in by_name.items() if evaluation is not None}


def _read_budget(folder: Path, systems: list[System], method: str) -> dict[str, Any]:
    """Read steps, CPU seconds, seeds and phantom of a method; unknown values are None."""
    name = _get_system(method)
    if name == "oracle":
        record = _read_json(folder / "oracle/internal/job.json") or _read_json(
            folder / "oracle/external/job.json"
        )
        return {"steps": None, "seconds": None, "seeds": [0], "phantom": _get_phantom(record)}
    system = next(record_of for record_of in systems if record_of.name == name)
    budgets = [_read_json(folder / Run(system, seed).name / "budget.json") for seed in range(system.seeds)]
    first = budgets[0]
    return {
        "steps": first.get("steps"),
        "seconds": first.get("cpu_seconds"),
        "seeds": [record_of["seed"] for record_of in budgets if record_of],
        "phantom": _get_phantom(first),
    }


def _get_phantom(record: Mapping[str, Any]) -> str | None:
    return (record.get("phantom") or {}).get("internal")


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
