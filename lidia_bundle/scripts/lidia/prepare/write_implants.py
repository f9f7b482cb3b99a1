"""Writes a cohort of CT with implanted lesions, in the layout of a phantom cohort."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from scripts.lidia.data.read_background import read_background, read_ignored
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_backgrounds import read_backgrounds
from scripts.lidia.datalist.read_item import make_case_name
from scripts.lidia.implant.anatomy import Anatomy, measure_anatomy
from scripts.lidia.implant.implant_case import implant_case
from scripts.lidia.phantom.fingerprint import recipe_hash
from scripts.lidia.phantom.write_cohort import (
    check_cohort,
    encode_nifti,
    load_or_make_case,
    map_cases,
    start_or_resume,
    store_case,
    write_bytes_atomic,
    write_list,
)
from scripts.lidia.vocabulary import PHASES


class Source(NamedTuple):
    """A background.

    Attributes:
        name: id of the patient.
        phases: (phase, path) of each phase.
        liver: path of the liver mask.
        ignored: path of the mask of lesions that the patient has; "" for none.
    """

    name: str
    phases: tuple[tuple[str, str], ...]
    liver: str
    ignored: str = ""


def write_implants(
    *,
    dataset_dir: str | os.PathLike[str],
    background: str | Sequence[str] | None,
    background_ids: Sequence[str] | None = None,
    liver: str | Sequence[str] | None = None,
    background_phase: str = "venous",
    cases: int = 24,
    seed: int = 0,
    cohort: str = "internal",
    looks: Sequence[str] | None = None,
    small_lesions_prob: float = 0.0,
    workers: int = 1,
    section: str | None = None,
    timepoints: int = 1,
    unchanged: bool = False,
    breathing: str = "residual",
    grid: Sequence[Any] = (),
) -> Path:
    """Implants lesions into real CT and writes `cases` patients and their datalist.

    Consecutive cases use the same background, so that a split by number keeps most of them in one section.

    Args:
        dataset_dir: output folder, created if it does not exist.
        background: one or more CT (NIfTI, or folder of one DICOM series), or a datalist (`.json`)
            whose cases have phases on one grid, a `liver`, and optionally `ignored`, a mask of lesions that
            the patient has: implants avoid it, and the cases name it so that evaluation ignores it.
        background_ids: cases of the datalist that are used; None uses all.
        liver: liver mask of each CT (NIfTI); None with a datalist, which names its own.
        background_phase: phase of the CT; with a datalist its own phases are used.
        cases: number of patients, split 1305:298:318 into training, validation and test; one alone is `test`.
        seed: of the cohort; case i depends only on seed, cohort, i and its background.
        cohort: `internal` or `external`: sets types and number of lesions and the contrast timing.
        looks: names of appearances, one lesion of each per patient, instead of random diseases.
        small_lesions_prob: share of patients whose lesions are all small (4 to 12 mm).
        workers: number of processes.
        section: puts all cases into this section of the datalist instead of splitting them.
        timepoints: must be 1, because implants have one date.
        unchanged: must be False for the same reason.
        breathing: `residual`; phases made from one CT are aligned, so `raw` is refused.
        grid: spacing and field of view of a phantom; must be unset, because the background defines them.

    Returns:
        Path of `dataset.json`.

    Raises:
        CaseError: if no background is given, or one or its mask is invalid.
        ValueError: if an argument is out of range.
    """
    check_cohort(cases, cohort, section)
    if breathing != "residual":
        problem = "phases made from one background are aligned, use 'residual'"
        raise ValueError(f"breathing is {breathing!r}; {problem}")
    if timepoints != 1 or unchanged:
        given = f"timepoints is {timepoints}" if timepoints != 1 else "unchanged is given"
        raise ValueError(f"{given}; implants have one date: leave out --timepoints and --unchanged")
    if any(value is not None for value in grid):
        raise ValueError("the background defines spacing and fov: leave them out")
    if not background:
        remedy = (
            "give the CT by --background, or leave out --liver, --background_ids and --small_lesions_prob"
        )
        raise CaseError("background", "", "no CT is given for the implants", remedy, "missing")
    sources = _list_sources(background, liver, background_phase, background_ids)
    folder = Path(dataset_dir)
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "sources": sources,
        "cases": int(cases),
        "seed": int(seed),
        "cohort": cohort,
        "small_lesions_prob": float(small_lesions_prob),
    }
    start_or_resume(folder, {**settings, "looks": list(looks or ()), "recipe": recipe_hash()})
    write = partial(_write_case, folder=folder, looks=tuple(looks) if looks else None, **settings)
    make = partial(load_or_make_case, make=write, folder=folder)
    results = map_cases(make, int(cases), int(workers))
    items = list(tqdm(results, total=int(cases), desc="implants", unit="case"))
    about = {
        "name": f"LIDIA phantom lesions in real CT, {cohort}",
        "cohort": cohort,
        "seed": int(seed),
        "backgrounds": [source.name for source in sources],
        "recipe": recipe_hash(),
    }
    return write_list(folder, items, section, about)


def _list_sources(
    background: str | Sequence[str],
    liver: str | Sequence[str] | None,
    phase: str,
    ids: Sequence[str] | None,
) -> tuple[Source, ...]:
    paths = [background] if isinstance(background, str | os.PathLike) else list(background)
    if len(paths) == 1 and str(paths[0]).endswith(".json"):
        if liver:
            raise ValueError(f"{paths[0]} names the liver masks: leave out --liver")
        items = read_backgrounds(str(paths[0]), ids)
        return tuple(
            Source(item["id"], tuple(item["phases"].items()), item["liver"], item.get("ignored", ""))
            for item in items
        )
    if ids:
        raise ValueError("background_ids chooses cases of a datalist, and the background is not a datalist")
    if phase not in PHASES:
        raise ValueError(f"background_phase is {phase!r}; choose one of {', '.join(PHASES)}")
    masks = [liver] if isinstance(liver, str | os.PathLike) else list(liver or ())
    if len(masks) != len(paths):
        problem = f"{len(paths)} backgrounds and {len(masks)} liver masks"
        remedy = "give the liver mask of each background by --liver, in the same order"
        raise CaseError("background", str(paths[0]) if paths else "", problem, remedy, "no_liver_mask")
    return tuple(
        Source(make_case_name(path), ((phase, str(path)),), str(mask))
        for path, mask in zip(paths, masks, strict=True)
    )


@lru_cache(maxsize=1)
def _measure_source(source: Source) -> tuple[Anatomy, NDArray[np.bool_]]:
    """Measures a background once for all its cases; implants avoid the lesions that the patient has.

    Returns:
        The anatomy, and the mask (X, Y, Z) of these lesions.
    """
    background = read_background(source.name, dict(source.phases), source.liver)
    ignored = read_ignored({"id": source.name, "ignored": source.ignored or None}, background)
    anatomy = measure_anatomy(background)
    return anatomy._replace(large=anatomy.large | ignored), ignored


def _write_case(
    index: int, *, folder: Path, sources: tuple[Source, ...], cases: int, seed: int, cohort: str,
    looks: tuple[str, ...] | None, small_lesions_prob: float,
) -> dict[str, Any]:  # fmt: skip
    source = sources[index * len(sources) // cases]
    anatomy, ignored = _measure_source(source)
    case = implant_case(anatomy, seed, index, cohort, looks, small_lesions_prob)
    item = store_case(case, folder) | {"background": source.name}
    if ignored.any():
        item["ignored"] = f"ignored/{case.id}.nii.gz"
        mask = anatomy.source.as_stored(ignored.astype(np.uint8))
        write_bytes_atomic(folder / item["ignored"], encode_nifti(mask, case.affine))
    return item
