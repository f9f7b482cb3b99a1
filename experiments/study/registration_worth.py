"""What registration is worth: the same phantoms with raw breathing, registered, with residual breathing."""

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
from scripts.lidia.metrics.intervals import draw_patients, interval, paired_difference
from scripts.lidia.phantom.fingerprint import recipe_hash
from scripts.lidia.phantom.write_cohort import write_case
from scripts.lidia.registration.register_case import register_phases
from scripts.lidia.runtime.weights import hash_file, load_weights

ARMS = ("raw", "registered", "residual")
POINTS = 4000
"""Places in the liver that a pair's error is the mean over."""
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
    """Makes, registers and reads phantoms one after the other; what is done is kept, and a rerun goes on.

    Args:
        patients: how many; 100 if None. Patient i depends on seed, cohort and i alone.
        seed: of the cohort.
        cohort: `internal` or `external`.
        spacing: of the phantoms in mm; each scan has its own if None.
        method: of registration.
        output_dir: gets `patients/ID.json` and `registration.json`; volumes are removed again.
        draws: of the bootstrap.
        weights: file of weights.
        network: the network, without weights.
        preprocessing: of an evaluation, labels on the native grid.
        inferer: of an evaluation.
        postprocessing: of an evaluation.

    Returns:
        `registration.json`: errors in the liver a pair, AUC-8 an arm, and paired differences.
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
        # what a network without a branch or a patient without a type does not have is null in JSON
        values = [value if np.isfinite(value) else None for value in row.tolist()]
        return dict(zip(scores.names, values, strict=True))

    asked = {"seed": int(seed), "cohort": cohort, "spacing": spacing, "method": method}
    asked |= {"weights": hash_file(weights), "recipe": recipe_hash()}
    done = []
    for index in tqdm(range(int(patients or 100)), unit="patient", desc=f"registered by {method}"):
        file = folder / "patients" / f"{cohort}_{seed}_{index:05d}.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        if known.get("asked") != asked:
            known = {"asked": asked, **_measure_patient(folder / "volumes", index, asked, read)}
            write_json(file, known)
        done.append(known)
        written = _write_summary(folder / "registration.json", done, asked, int(draws))
    return written


def _measure_patient(folder: Path, index: int, asked: Mapping[str, Any], read: Arm) -> dict[str, Any]:
    """Errors of the pairs and scores of the arms of one patient."""
    shutil.rmtree(folder, ignore_errors=True)
    spacing = None if asked["spacing"] is None else (float(asked["spacing"]),) * 3
    make = {"seed": asked["seed"], "cohort": asked["cohort"], "spacing": spacing}
    items = {}
    for breathing in ("raw", "residual"):
        place = folder / breathing
        item = write_case(index, folder=place, breathing=breathing, **make)
        items[breathing] = complete_item(item, place)
    moved = register_phases(items["raw"], folder=folder / "registered", method=asked["method"])
    items["registered"] = moved
    told = moved["notes"]["registration"]
    breaths = redraw_displacements(asked["seed"], index, asked["cohort"], spacing=spacing)
    places = _sample_liver(items["raw"]["liver"])
    pairs = {}
    for phase, pair in told.items():
        true = breaths[phase].places(places)
        file = folder / "registered" / moved["id"] / f"{phase}_field.nii.gz"
        said = places if pair["method"] == "none" else places + read_displacement(file, places)
        before, after = (np.linalg.norm(found - true, axis=0) for found in (places, said))
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
    """Places (3, N) in a mask, RAS mm; at most POINTS of them, evenly."""
    image = nib.load(path)
    index = np.argwhere(np.asarray(image.dataobj) > 0).T
    index = index[:, :: max(1, index.shape[1] // POINTS)]
    return image.affine[:3, :3] @ index + image.affine[:3, 3:]


def read_displacement(file: Path, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gives the displacement (3, N), mm, of places (3, N), RAS mm, by a stored field of `register_phases`."""
    image = nib.load(file)
    back = np.linalg.inv(image.affine)
    at = back[:3, :3] @ places + back[:3, 3:]
    parts = np.moveaxis(np.asarray(image.dataobj)[:, :, :, 0], -1, 0)
    return np.stack([map_coordinates(part, at, order=1, mode="nearest") for part in parts])


def _write_summary(
    path: Path, done: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], draws: int
) -> Path:
    """Sums up the patients who are done."""
    weights = draw_patients(len(done), draws)
    auc8 = {}
    for arm in ARMS:
        names = [name for name in done[0]["rows"][arm] if not name.startswith("branch_")]
        table = {name: np.array([one["rows"][arm][name] for one in done], float) for name in names}
        auc8[arm] = summarise_patient_scores(table, weights).values["auc8"]
    pairs = [pair for one in done for pair in one["pairs"].values()]
    gained = {name: np.array([pair[f"{name}_mm"] for pair in pairs]) for name in ("before", "after")}
    content: dict[str, Any] = {
        **asked,
        "patients": len(done),
        "pairs": len(pairs),
        "accepted": sum(pair["accepted"] for pair in pairs),
        "error_mm": {name: _summarise_errors(values) for name, values in gained.items()},
        "worst_change_mm": round(float((gained["after"] - gained["before"]).max(initial=-np.inf)), 3),
        "auc8": {arm: interval(values, len(done)) for arm, values in auc8.items()},
        "differences": {
            f"{one} - {other}": paired_difference(auc8[one], auc8[other], len(done))
            for one, other in (("registered", "residual"), ("raw", "residual"), ("registered", "raw"))
        },
        "seconds_a_pair": round(float(np.median([pair["seconds"] for pair in pairs])), 1),
    }
    write_json(path, content)
    return path


def _summarise_errors(values: NDArray[np.float64]) -> dict[str, float]:
    marks = {"mean": values.mean(), "median": np.median(values), "p95": np.quantile(values, 0.95)}
    return {name: round(float(value), 3) for name, value in {**marks, "max": values.max()}.items()}
