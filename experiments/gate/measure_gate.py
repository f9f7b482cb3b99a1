"""Measure how often the gate stops scans that are unlike the training data, and how often usual ones.

Each real scan is turned into the inputs of `PERTURBATIONS`. A scan counts as stopped if its result says that
it must not be trusted, or if inference refuses its file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.bundle import create_workflow

from experiments.gate.perturb_scan import MIN_SLICES, PERTURBATIONS
from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.inference.case_evaluator import CohortError
from scripts.lidia.inference.result_files import result_files
from scripts.lidia.metrics.intervals import compute_wilson_interval
from scripts.lidia.vocabulary import GRID_ORDER

logger = logging.getLogger(__name__)
SEPARATOR = "__"


def write_perturbed_scans(dataset_dir: str | Path, section: str, folder: str | Path) -> dict[str, list[str]]:
    """Write the perturbed scans and their datalist; crops of too few slices are left out.

    Args:
        dataset_dir: folder of a data set whose items have a liver mask on the grid of the reference phase.
        section: section of its datalist.
        folder: folder of the new data set, section `test`.

    Returns:
        Ids of the scans by perturbation.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ids: dict[str, list[str]] = {name: [] for name in PERTURBATIONS}
    items = []
    for item in load_datalist(dataset_dir, section):
        phase = next(name for name in GRID_ORDER if name in item["phases"])
        image = nib.as_closest_canonical(nib.load(item["phases"][phase]))
        mask = np.asarray(nib.as_closest_canonical(nib.load(item["liver"])).dataobj) > 0
        scan = np.asarray(image.dataobj, dtype=np.float32), mask
        for name, perturb in PERTURBATIONS.items():
            volume = perturb(scan)
            if volume.shape[2] < MIN_SLICES:
                logger.info("%s, %s: %d slices are no scan", item["id"], name, volume.shape[2])
                continue
            case = f"{item['id']}{SEPARATOR}{name}"
            nib.save(
                nib.Nifti1Image(np.round(volume).astype(np.int16), image.affine), folder / f"{case}.nii.gz"
            )
            items.append({"id": case, "phases": {phase: f"{case}.nii.gz"}})
            ids[name].append(case)
    write_json(folder / "dataset.json", {"test": items})
    return ids


def run_cohort(
    dataset_dir: str | Path, output_dir: Path, bundle_root: str, weights: str, cases: int | None
) -> dict[str, list[str]]:
    """Run `inference.json` on a cohort and list why each scan was stopped.

    Args:
        dataset_dir: folder of a data set, section `test`.
        output_dir: folder of the results; finished patients are not computed again.
        bundle_root: folder of the bundle.
        weights: file of weights.
        cases: largest number of patients; None runs all.

    Returns:
        Reasons by id; empty for a trusted result.
    """
    configs = Path(bundle_root) / "configs"
    workflow = create_workflow(
        config_file=str(configs / "inference.json"),
        workflow_type="infer",
        meta_file=str(configs / "metadata.json"),
        logging_file=False,
        model_file=weights,
        dataset_dir=str(dataset_dir),
        section="test",
        output_dir=str(output_dir),
        patients=cases,
        pages=False,
        dicom=False,
        skip_existing=True,
    )
    workflow.initialize()
    try:
        workflow.run()
    except Exception as problem:  # MONAI raises another error from that of an expression
        if not is_caused_by_refusal(problem):
            raise
        logger.info("Refused scans of %s count as stopped", dataset_dir)
    workflow.finalize()
    reasons = {}
    faults = json.loads((output_dir / "errors.json").read_text(encoding="utf-8"))
    for fault in faults:
        reasons[fault["case"]] = [f"refused: {fault['problem']}"]
    for item in load_datalist(dataset_dir, "test", check=False)[:cases]:
        path = result_files(output_dir, item["id"])["result"]
        if path.is_file():
            reasons[item["id"]] = json.loads(path.read_text(encoding="utf-8"))["trust"]["reasons"]
    return reasons


def is_caused_by_refusal(problem: BaseException) -> bool:
    """Check whether an error, or one that caused it, says that scans of a cohort were refused."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, CohortError):
            return True
        cause = cause.__cause__
    return False


def summarise_share(reasons: Mapping[str, list[str]]) -> dict[str, Any]:
    """Summarise how many scans were stopped, with Wilson's interval, and why."""
    stopped = sum(bool(texts) for texts in reasons.values())
    row: dict[str, Any] = {"scans": len(reasons), "stopped": stopped}
    row |= dict.fromkeys(("share", "low", "high"))
    if reasons:
        low, high = compute_wilson_interval(stopped, len(reasons))
        row |= {"share": stopped / len(reasons), "low": low, "high": high}
    return {**row, "reasons": {case: texts for case, texts in reasons.items() if texts}}


def measure_gate(
    *,
    dataset_dir: str | None,
    cohorts: Mapping[str, str | None],
    output_dir: str,
    bundle_root: str,
    weights: str,
    section: str = "training",
    cases: int | None = None,
) -> dict[str, Any]:
    """Measure the gate and write `gate.json`.

    Args:
        dataset_dir: folder of real scans with liver masks, which are perturbed; None omits them.
        cohorts: folders of cohorts that must not be stopped, by name; None omits one.
        output_dir: folder of scans, results and `gate.json`.
        bundle_root: folder of the bundle.
        weights: file of weights.
        section: section of the real scans.
        cases: largest number of patients of each cohort; None runs all.
    """
    folder, report = Path(output_dir), {}
    if dataset_dir is not None:
        ids = write_perturbed_scans(dataset_dir, section, folder / "scans")
        reasons = run_cohort(folder / "scans", folder / "perturbed", bundle_root, weights, None)
        for name, members in ids.items():
            report[name] = summarise_share({case: reasons[case] for case in members})
    for name, cohort in cohorts.items():
        if cohort is not None:
            report[name] = summarise_share(run_cohort(cohort, folder / name, bundle_root, weights, cases))
    write_json(folder / "gate.json", report, indent=2)
    for name, row in report.items():
        logger.info("%-14s %3d of %3d stopped", name, row["stopped"], row["scans"])
    return report
