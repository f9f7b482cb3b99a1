"""Writes a phantom cohort: a NIfTI file per phase on its own grid, truth on the venous grid, datalist.

The layout can be opened by a MONAI Label datastore: `ID.nii.gz` (venous) at the top, the other phases in
`phases/ID/`, truth in `labels/final/`, `instances/` and `liver/`, and `dataset.json`.
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from scripts.lidia.atomic import MARK, write_atomically
from scripts.lidia.phantom.case import Case, sample_case
from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.fingerprint import recipe_hash
from scripts.lidia.phantom.scanner import FOV

SPLIT = {"training": 1305, "validation": 298, "test": 318}
"""Patients of the paper's internal cohort; a phantom cohort is split in these proportions."""
RUN_NOTES = ".cases"
"""Folder in which an unfinished run stores the items of finished cases."""


def write_cohort(
    *,
    dataset_dir: str | os.PathLike[str],
    cases: int = 24,
    seed: int = 0,
    cohort: str = "internal",
    breathing: str = "residual",
    spacing: float | Sequence[float] | None = None,
    fov: float | Sequence[float] | None = None,
    workers: int = 1,
    section: str | None = None,
) -> Path:
    """Writes `cases` patients and their datalist; the same arguments give the same bytes.

    An interrupted run resumes when it is called again with the same arguments.

    Args:
        dataset_dir: output folder, created if it does not exist.
        cases: number of patients, split 1305:298:318 into training, validation and test; one alone is `test`.
        seed: seed of the cohort; case i depends only on seed, cohort and i.
        cohort: `internal`, `external` or `hard`.
        breathing: `residual`, the displacement after registration (up to 3 mm), or `raw` (up to 20 mm).
        spacing: voxel size of all phases in mm, one value or (x, y, z); by default each scan has its own.
        fov: field of view in mm, one value or (x, y, z); by default 340 x 250 x 200.
        workers: number of processes.
        section: puts all cases into this section of the datalist instead of splitting them.

    Returns:
        Path of `dataset.json`.

    Raises:
        ValueError: if an argument is out of range.
    """
    check_cohort(cases, cohort, section)
    folder = Path(dataset_dir)
    folder.mkdir(parents=True, exist_ok=True)
    settings = make_settings(seed, cohort, breathing, spacing, fov)
    start_or_resume(folder, {**settings, "recipe": recipe_hash()})
    make = partial(load_or_make_case, make=partial(write_case, folder=folder, **settings), folder=folder)
    items = list(
        tqdm(
            map_cases(make, int(cases), int(workers)), total=int(cases), desc=f"{cohort} phantom", unit="case"
        )
    )
    about = {
        "name": f"LIDIA phantom, {cohort}",
        "cohort": cohort,
        "seed": int(seed),
        "breathing": breathing,
        "recipe": recipe_hash(),
    }
    return write_list(folder, items, section, about)


def make_settings(
    seed: int,
    cohort: str,
    breathing: str,
    spacing: float | Sequence[float] | None,
    fov: float | Sequence[float] | None,
) -> dict[str, Any]:
    """Makes the settings of a cohort, by which an interrupted run is recognised; see `write_cohort`.

    Raises:
        ValueError: if `spacing` or `fov` is out of range.
    """
    return {
        "seed": int(seed),
        "cohort": cohort,
        "breathing": breathing,
        "spacing": as_triple(spacing, "spacing", None),
        "fov": as_triple(fov, "fov", FOV),
    }


def check_cohort(cases: int, cohort: str, section: str | None) -> None:
    """Checks the arguments of a cohort.

    Raises:
        ValueError: if there is no case, or the recipe or section is unknown.
    """
    if int(cases) < 1:
        raise ValueError(f"cases is {cases}; at least one is needed")
    if cohort not in RECIPES:
        raise ValueError(f"cohort is {cohort!r}; choose one of {', '.join(RECIPES)}")
    if section not in (None, *SPLIT):
        raise ValueError(f"section is {section!r}; choose one of {', '.join(SPLIT)} or none")


def write_list(
    folder: Path, items: Sequence[dict[str, Any]], section: str | None, about: dict[str, Any], scans: int = 1
) -> Path:
    """Writes `dataset.json` with `about` and the items, in one section or split; returns its path.

    Args:
        folder: folder of the cohort.
        items: patient after patient.
        section: section of all items; None splits the patients.
        about: further keys of the file.
        scans: number of items of each patient; they stay in one section.
    """
    patients = len(items) // scans
    sections = {name: range(patients if name == section else 0) for name in SPLIT}
    if section is None:
        sections = split_cases(patients)
    datalist = about | {
        name: list(items[scans * numbers.start : scans * numbers.stop]) for name, numbers in sections.items()
    }
    path = folder / "dataset.json"
    write_bytes_atomic(path, (json.dumps(datalist, indent=1) + "\n").encode())
    shutil.rmtree(folder / RUN_NOTES, ignore_errors=True)
    return path


def start_or_resume(folder: Path, settings: Mapping[str, Any]) -> None:
    """Keeps the stored items of an unfinished run with the same settings; deletes those of other settings."""
    text = json.dumps(settings, sort_keys=True).encode()
    note = folder / RUN_NOTES / "asked.json"
    if not note.is_file() or note.read_bytes() != text:
        shutil.rmtree(folder / RUN_NOTES, ignore_errors=True)
        write_bytes_atomic(note, text)
    for leftover in folder.rglob(f"{MARK}*"):
        leftover.unlink(missing_ok=True)


def load_or_make_case(index: int, *, make: Callable[[int], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Returns the item of a case: stored by an interrupted run, or made now.

    Args:
        index: index of the case.
        make: writes the case and returns its item.
        folder: folder of the cohort.
    """
    note = folder / RUN_NOTES / f"{index}.json"
    if note.is_file():
        return json.loads(note.read_text(encoding="utf-8"))
    item = make(index)
    write_bytes_atomic(note, json.dumps(item).encode())
    return item


def split_cases(cases: int) -> dict[str, range]:
    """Splits case numbers into sections, in the paper's proportions; `test` is filled first."""
    total = sum(SPLIT.values())
    test = max(1, round(cases * SPLIT["test"] / total))
    validation = round(cases * SPLIT["validation"] / total)
    training = cases - test - validation
    return {
        "training": range(training),
        "validation": range(training, training + validation),
        "test": range(training + validation, cases),
    }


def as_triple(value: float | Sequence[float] | None, name: str, default: Sequence[float] | None) -> Any:
    """Converts one number or three to a tuple of three positive floats (mm).

    Raises:
        ValueError: if there are not one or three numbers, or one is not positive.
    """
    if value is None:
        return default
    numbers = tuple(float(v) for v in np.atleast_1d(np.asarray(value, float)))
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3 or min(numbers) <= 0:
        raise ValueError(f"{name} is {value!r}; give one or three positive numbers in mm")
    return numbers


def map_cases(make: partial, cases: int, workers: int) -> Iterator[dict[str, Any]]:
    """Yields the result of `make` for each case number, in order, computed in `workers` processes."""
    if workers <= 1 or cases == 1:
        yield from map(make, range(cases))
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, cases), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.imap(make, range(cases))


def write_case(
    index: int, *, folder: Path, seed: int, cohort: str, breathing: str, **grid: Any
) -> dict[str, Any]:
    """Writes one patient into `folder` and returns its item of the datalist, with relative paths."""
    return store_case(sample_case(seed, index, cohort, breathing=breathing, **grid), folder)


def store_case(case: Case, folder: Path) -> dict[str, Any]:
    """Writes the volumes and the ground truth of a patient and returns its datalist item."""
    name = case.id
    phases = {p: f"{name}.nii.gz" if p == "venous" else f"phases/{name}/{p}.nii.gz" for p in case.volumes}
    for phase, path in phases.items():
        write_bytes_atomic(folder / path, encode_nifti(*case.volumes[phase]))
    truth = {"label": f"labels/final/{name}.nii.gz"} | {
        k: f"{k}/{name}.nii.gz" for k in ("liver", "instances")
    }
    for key, path in truth.items():
        write_bytes_atomic(folder / path, encode_nifti(getattr(case, key), case.affine))
    lesions = [{k: v for k, v in lesion.items() if k != "parts"} for lesion in case.lesions]
    return {
        "id": name,
        "synthetic": True,
        "phases": phases,
        **truth,
        "malignant": case.malignant,
        "lesions": lesions,
        "parenchyma": case.patient.kind,
    }


def encode_nifti(data: NDArray, affine: NDArray) -> bytes:
    """Encodes a NIfTI-1 file (`.nii.gz`) whose bytes depend only on voxels and affine."""
    image = nib.Nifti1Image(np.zeros((1, 1, 1), data.dtype), affine)
    image.header.set_data_shape(data.shape)
    image.header.set_sform(affine, 1)
    image.header.set_qform(affine, 1)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(1, 0)
    image.header["vox_offset"] = 352
    raw = image.header.binaryblock + bytes(4) + data.tobytes(order="F")
    return gzip.compress(raw, compresslevel=1, mtime=0)


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Writes a file atomically, so that an interrupted run leaves no incomplete file."""
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
