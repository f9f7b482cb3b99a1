"""Write the phantoms that rows are measured on, once per output folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.bench.paired_timing import BenchContext
from scripts.lidia.phantom.case import sample_case
from scripts.lidia.phantom.write_cohort import store_case, write_cohort

logger = logging.getLogger(__name__)
SEED = 20240717


def write_phantoms(
    context: BenchContext,
    *,
    cases: int,
    spacing: Sequence[float] | None = None,
) -> Path:
    """Write a phantom cohort with all patients in the section `training`; return its folder.

    Args:
        context: folders and threads.
        cases: number of patients.
        spacing: mm, of all phases; None gives each scan its own.
    """
    size = "own" if spacing is None else "x".join(map(str, spacing))
    folder = context.output / "data" / f"training_{cases}_{size}"
    if not (folder / "dataset.json").is_file():
        logger.info("Phantoms: %s", folder)
        options = {"spacing": spacing, "section": "training", "workers": context.threads}
        write_cohort(dataset_dir=folder, cases=cases, seed=SEED, **options)  # type: ignore[arg-type]
    return folder


class Patient(NamedTuple):
    """Files of a phantom patient."""

    phases: dict[str, str]
    truth: str
    """Class map on the venous grid."""


def write_clinical_patient(
    context: BenchContext, *, spacing: Sequence[float], fov: Sequence[float], looks: Sequence[str]
) -> Patient:
    """Write one patient of clinical size with four phases and the named lesions.

    Args:
        context: folders and threads.
        spacing: mm of all phases.
        fov: mm.
        looks: names of looks of the phantom's lesions, one lesion each.
    """
    size = "_".join("x".join(map(str, numbers)) for numbers in (spacing, fov))
    folder = context.output / "data" / f"patient_{size}"
    if not (folder / "item.json").is_file():
        logger.info("A patient of clinical size: %s", folder)
        item = store_case(sample_case(SEED, 0, spacing=spacing, fov=fov, looks=looks), folder)
        (folder / "item.json").write_text(json.dumps(item, indent=1), encoding="utf-8")
    item = json.loads((folder / "item.json").read_text(encoding="utf-8"))
    phases = {phase: str(folder / file) for phase, file in item["phases"].items()}
    return Patient(phases, str(folder / item["label"]))
