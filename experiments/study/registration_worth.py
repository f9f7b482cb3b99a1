"""Measure the benefit of registration on phantoms with raw breathing, registered, and residual breathing."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from tqdm import tqdm

from experiments.study.breathing_truth import redraw_displacements
from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.read_item import complete_item
from scripts.lidia.evaluation.patient_metrics import PatientScores
from scripts.lidia.metrics.cohort_metrics import summarise_patient_scores
from scripts.lidia.metrics.intervals import compute_interval, compute_paired_difference, draw_patients
from scripts.lidia.phantom.fingerprint import recipe_hash
from scripts.lidia.phantom.write_cohort import write_case
from scripts.lidia.registration.register_case import register_phases
from scripts.lidia.runtime.weights import hash_file, load_weights

ARMS = ("raw", "registered", "residual")
POINTS = 4000
"""Points in the liver over which the error of a pair is averaged."""
logger = logging.getLogger("lidia.study")
Arm = Callable[[Mapping[str, Any]], dict[str, float | None]]


def measure_registration(
    *,
    patients: int | None,
    seed: int,
    cohort: str,
    spacing: float | None,
    method: str,
    output_dir: str,
    draws: int,
    weights: str,
    network: torch.nn.Module,
    preprocessing: Callable[..., Any],
    inferer: Callable[..., Any],
    postprocessing: Callable[..., Any],
) -> Path:
    """Make, register and evaluate phantoms one after the other; results are stored, and a rerun resumes.

    Args:
        patients: number of patients; 100 if None. Patient i depends on seed, cohort and i only.
        seed: of the cohort.
        cohort: `internal` or `external`.
        spacing: of the phantoms in mm; each scan has its own if None.
        method: of registration.
        output_dir: output folder of `patients/ID.json` and `registration.json`; volumes are removed.
        draws: of the bootstrap.
        weights: file of weights.
        network: the network, without weights.
        preprocessing: of an evaluation, labels on the native grid.
        inferer: of an evaluation.
        postprocessing: of an evaluation.

    Returns:
        `registration.json`: errors in the liver per pair, AUC-8 per arm, and paired differences.
    """
    folder = Path(output_dir)
    load_weights(network, weights)
    network.eval()

    def read(item: Mapping[str, Any]) -> dict[str, float | None]:
        data = preprocessing(complete_item(item, Path.cwd()))
        with torch.no_grad():
            prediction = inferer(data["image"][None], network)[0]
        data["pred"] = MetaTensor(prediction, meta=data["image"].meta)
        scores = PatientScores()
        row = scores([postprocessing(data)])[0]
        # scores that do not exist (no patient branch, no lesion of a type) are null in JSON
        values = [value if np.isfinite(value) else None for value in row.tolist()]
        return dict(zip(scores.names, values, strict=True))

    settings = {"seed": int(seed), "cohort": cohort, "spacing": spacing, "method": method}
    settings |= {"weights": hash_file(weights), "recipe": recipe_hash()}
    records = []
    for index in tqdm(range(int(patients or 100)), unit="patient", desc=f"registered by {method}"):
        file = folder / "patients" / f"{cohort}_{seed}_{index:05d}.json"
        record = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        if record.get("asked") != settings:
            record = {"asked": settings, **_measure_patient(folder / "volumes", index, settings, read)}
            write_json(file, record)
        records.append(record)
        written = _write_summary(folder / "registration.json", records, settings, int(draws))
    return written


def _measure_patient(folder: Path, index: int, settings: Mapping[str, Any], read: Arm) -> dict[str, Any]:
    """Measure the errors of the pairs and the scores of the arms of one patient."""
    shutil.rmtree(folder, ignore_errors=True)
    spacing = None if settings["spacing"] is None else (float(settings["spacing"]),) * 3
    recipe = {"seed": settings["seed"], "cohort": settings["cohort"], "spacing": spacing}
    items = {}
    for breathing in ("raw", "residual"):
        place = folder / breathing
        item = write_case(index, folder=place, breathing=breathing, **recipe)
        items[breathing] = complete_item(item, place)
    registered_item = register_phases(items["raw"], folder=folder / "registered", method=settings["method"])
    items["registered"] = registered_item
    registration = registered_item["notes"]["registration"]
    breaths = redraw_displacements(settings["seed"], index, settings["cohort"], spacing=spacing)
    points = _sample_liver(items["raw"]["liver"])
    pairs = {}
    for phase, pair in registration.items():
        true = breaths[phase].locate(points)
        file = folder / "registered" / registered_item["id"] / f"{phase}_field.nii.gz"
        estimated = points if pair["method"] == "none" else points + read_displacement(file, points)
        before, after = (np.linalg.norm(positions - true, axis=0) for positions in (points, estimated))
        errors = {
            "before_mm": before.mean(),
            "after_mm": after.mean(),
            "after_p95_mm": np.quantile(after, 0.95),
        }
        pairs[phase] = {**pair, **{name: round(float(value), 3) for name, value in errors.items()}}
    rows = {arm: read(items[arm]) for arm in ARMS}
    shutil.rmtree(folder)
    return {"pairs": pairs, "rows": rows}


def _sample_liver(path: str) -> NDArray[np.float64]:
    """Sample points (3, N) in a mask evenly, RAS mm; about POINTS of them."""
    image = nib.load(path)
    index = np.argwhere(np.asarray(image.dataobj) > 0).T
    index = index[:, :: max(1, index.shape[1] // POINTS)]
    return image.affine[:3, :3] @ index + image.affine[:3, 3:]


def read_displacement(file: Path, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read the displacement (3, N) of points (3, N), RAS mm, from a field of `register_phases`."""
    image = nib.load(file)
    back = np.linalg.inv(image.affine)
    indices = back[:3, :3] @ points + back[:3, 3:]
    parts = np.moveaxis(np.asarray(image.dataobj)[:, :, :, 0], -1, 0)
    return np.stack([map_coordinates(part, indices, order=1, mode="nearest") for part in parts])


def _write_summary(
    path: Path, records: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], draws: int
) -> Path:
    """Write the summary of all finished patients."""
    weights = draw_patients(len(records), draws)
    auc8 = {}
    for arm in ARMS:
        names = [name for name in records[0]["rows"][arm] if not name.startswith("branch_")]
        table = {name: np.array([record["rows"][arm][name] for record in records], float) for name in names}
        auc8[arm] = summarise_patient_scores(table, weights).values["auc8"]
    pairs = [pair for record in records for pair in record["pairs"].values()]
    errors = {name: np.array([pair[f"{name}_mm"] for pair in pairs]) for name in ("before", "after")}
    content: dict[str, Any] = {
        **settings,
        "patients": len(records),
        "pairs": len(pairs),
        "accepted": sum(pair["accepted"] for pair in pairs),
        "error_mm": {name: _summarise_errors(values) for name, values in errors.items()},
        "worst_change_mm": round(float((errors["after"] - errors["before"]).max(initial=-np.inf)), 3),
        "auc8": {arm: compute_interval(values, len(records)) for arm, values in auc8.items()},
        "differences": {
            f"{record} - {other}": compute_paired_difference(auc8[record], auc8[other], len(records))
            for record, other in (("registered", "residual"), ("raw", "residual"), ("registered", "raw"))
        },
        "seconds_a_pair": round(float(np.median([pair["seconds"] for pair in pairs])), 1),
    }
    write_json(path, content)
    return path


def _summarise_errors(values: NDArray[np.float64]) -> dict[str, float]:
    marks = {"mean": values.mean(), "median": np.median(values), "p95": np.quantile(values, 0.95)}
    return {name: round(float(value), 3) for name, value in {**marks, "max": values.max()}.items()}
