"""Writes a phantom cohort with several dates of each patient, in the layout of a cohort with one date."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scripts.lidia.phantom.fingerprint import recipe_hash
from scripts.lidia.phantom.time_points import sample_time_points
from scripts.lidia.phantom.write_cohort import (
    check_cohort,
    load_or_make_case,
    make_settings,
    map_cases,
    start_or_resume,
    store_case,
    write_cohort,
    write_list,
)

VERSION = 1
"""Version of the time points; increase it when equal arguments give other voxels."""


def write_time_points(
    *,
    dataset_dir: str | os.PathLike[str],
    timepoints: int = 1,
    unchanged: bool = False,
    cases: int = 24,
    seed: int = 0,
    cohort: str = "internal",
    breathing: str = "residual",
    spacing: float | Sequence[float] | None = None,
    fov: float | Sequence[float] | None = None,
    workers: int = 1,
    section: str | None = None,
) -> Path:
    """Writes `cases` patients with `timepoints` dates each, and their datalist.

    One time point is the cohort of `write_cohort`, byte for byte. With several, the items also have
    `patient`, `date` and `changes`, the truth of each lesion's change since the date before. All dates of a
    patient are in one section.

    Args:
        dataset_dir: see `write_cohort`, as for the arguments that are not listed here.
        timepoints: number of dates of each patient.
        unchanged: no lesion changes between the dates, to measure the repeatability.
        cases: number of patients.
        seed: seed of the cohort.
        cohort: see `write_cohort`.
        breathing: displacement between the phases of a date; between two dates it is up to 20 mm.
        spacing: see `write_cohort`.
        fov: see `write_cohort`.
        workers: see `write_cohort`.
        section: see `write_cohort`.

    Returns:
        Path of `dataset.json`.

    Raises:
        ValueError: if an argument is out of range.
    """
    if int(timepoints) < 1:
        raise ValueError(f"timepoints is {timepoints}; at least one is needed")
    if int(timepoints) == 1:
        if unchanged:
            raise ValueError("unchanged needs two or more time points: give --timepoints 2")
        return write_cohort(
            dataset_dir=dataset_dir, cases=cases, seed=seed, cohort=cohort, breathing=breathing,
            spacing=spacing, fov=fov, workers=workers, section=section,
        )  # fmt: skip
    check_cohort(cases, cohort, section)
    folder = Path(dataset_dir)
    folder.mkdir(parents=True, exist_ok=True)
    settings = make_settings(seed, cohort, breathing, spacing, fov)
    settings |= {"timepoints": int(timepoints), "unchanged": bool(unchanged)}
    start_or_resume(folder, {**settings, "version": VERSION, "recipe": recipe_hash()})
    make = partial(load_or_make_case, make=partial(write_patient, folder=folder, **settings), folder=folder)
    patients = map_cases(make, int(cases), int(workers))
    items: list[dict[str, Any]] = []
    for patient in tqdm(patients, total=int(cases), desc=f"{cohort} phantom", unit="patient"):
        items += patient["items"]
    about = {
        "name": f"LIDIA phantom, {cohort}, {timepoints} dates",
        "cohort": cohort,
        "seed": int(seed),
        "breathing": breathing,
        "timepoints": int(timepoints),
        "unchanged": bool(unchanged),
        "recipe": recipe_hash(),
    }
    return write_list(folder, items, section, about, scans=int(timepoints))


def write_patient(index: int, *, folder: Path, seed: int, cohort: str, **choices: Any) -> dict[str, Any]:
    """Writes all dates of one patient and returns their items."""
    items = []
    for point in sample_time_points(seed, index, cohort, **choices):
        entry = {"patient": point.case.id.rsplit("_", 1)[0], "date": point.date, "changes": point.changes}
        items.append({**store_case(point.case, folder), **entry})
    return {"items": items}
