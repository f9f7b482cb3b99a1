"""Writes a cohort of implanted patients, as files and list like a phantom cohort's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scripts.lidia.data.read_background import read_background
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.datalist.read_item import case_name
from scripts.lidia.implant.anatomy import Anatomy, measure_anatomy
from scripts.lidia.implant.implant_case import implant_case
from scripts.lidia.phantom.fingerprint import recipe_hash
from scripts.lidia.phantom.write_cohort import begin, check_cohort, each, noted, store_case, write_list
from scripts.lidia.vocabulary import PHASES

Source = tuple[str, tuple[tuple[str, str], ...], str]
"""Name, (phase, path) of each phase, path of the liver mask."""


def write_implants(
    *,
    dataset_dir: str | os.PathLike[str],
    background: str | Sequence[str],
    liver: str | Sequence[str] | None = None,
    background_phase: str = "venous",
    cases: int = 24,
    seed: int = 0,
    cohort: str = "internal",
    looks: Sequence[str] | None = None,
    workers: int = 1,
    section: str | None = None,
    breathing: str = "residual",
    grid: Sequence[Any] = (),
) -> Path:
    """Implants lesions into real CT and writes `cases` patients and their datalist.

    Backgrounds are dealt out in blocks, so that a split by number keeps most of them in one section.

    Args:
        dataset_dir: folder to write into, made where it is missing.
        background: a CT (NIfTI, or folder of one DICOM series), several of them, or a datalist (`.json`)
            whose cases have phases on one grid and a `liver`.
        liver: the liver mask of each CT (NIfTI); a datalist names its own.
        background_phase: the phase of the CT; a datalist names its own.
        cases: patients in all, split 1305:298:318 into training, validation and test; a lone one is `test`.
        seed: of the cohort; case i depends on seed, cohort, i and its background alone.
        cohort: `internal` or `external`: which lesions, how many, which timing.
        looks: names of looks, one lesion each in every patient, instead of drawn diseases.
        workers: processes.
        section: puts all cases into this section of the datalist instead of splitting them.
        breathing: `residual`; phases made from one CT lie on one another, so that `raw` is refused.
        grid: spacing and field of view that a phantom would have; here the background has them.

    Returns:
        Path of `dataset.json`.

    Raises:
        CaseError: a background or its mask is at fault.
        ValueError: an argument is out of range.
    """
    check_cohort(cases, cohort, section)
    if breathing != "residual":
        raise ValueError(f"breathing is {breathing!r}; phases made from one background lie on one another")
    if any(value is not None for value in grid):
        raise ValueError("spacing and fov are the background's own: leave them out")
    sources = _sources(background, liver, background_phase)
    folder = Path(dataset_dir)
    folder.mkdir(parents=True, exist_ok=True)
    asked = {"sources": sources, "cases": int(cases), "seed": int(seed), "cohort": cohort}
    begin(folder, {**asked, "looks": list(looks or ()), "recipe": recipe_hash()})
    write = partial(
        _write_case,
        folder=folder,
        sources=sources,
        cases=int(cases),
        seed=int(seed),
        cohort=cohort,
        looks=tuple(looks) if looks else None,
    )
    make = partial(noted, make=write, folder=folder)
    items = list(tqdm(each(make, int(cases), int(workers)), total=int(cases), desc="implants", unit="case"))
    about = {
        "name": f"LIDIA phantom lesions in real CT, {cohort}",
        "cohort": cohort,
        "seed": int(seed),
        "backgrounds": [name for name, _, _ in sources],
        "recipe": recipe_hash(),
    }
    return write_list(folder, items, section, about)


def _sources(
    background: str | Sequence[str], liver: str | Sequence[str] | None, phase: str
) -> tuple[Source, ...]:
    paths = [background] if isinstance(background, str | os.PathLike) else list(background)
    if len(paths) == 1 and str(paths[0]).endswith(".json"):
        return _listed(str(paths[0]))
    if phase not in PHASES:
        raise ValueError(f"background_phase is {phase!r}; choose one of {', '.join(PHASES)}")
    masks = [liver] if isinstance(liver, str | os.PathLike) else list(liver or ())
    if len(masks) != len(paths):
        problem = f"{len(paths)} backgrounds and {len(masks)} liver masks"
        remedy = "name the liver mask of each background by --liver, in the same order"
        raise CaseError("background", str(paths[0]) if paths else "", problem, remedy, "no_liver_mask")
    return tuple(
        (case_name(path), ((phase, str(path)),), str(mask)) for path, mask in zip(paths, masks, strict=True)
    )


def _listed(file: str) -> tuple[Source, ...]:
    found, faults = [], []
    for items in read_sections(file).values():
        for item in items:
            if not item.get("liver"):
                remedy = "name its mask under `liver`"
                faults.append(CaseError(item["id"], file, "no liver mask", remedy, "no_liver_mask"))
                continue
            found.append((item["id"], tuple(item["phases"].items()), item["liver"]))
    if faults:
        raise CaseError.together(faults, file)
    return tuple(found)


@lru_cache(maxsize=1)
def _studied(source: Source) -> Anatomy:
    """A background is measured once for all its cases."""
    name, phases, liver = source
    return measure_anatomy(read_background(name, dict(phases), liver))


def _write_case(
    index: int, *, folder: Path, sources: tuple[Source, ...], cases: int, seed: int, cohort: str,
    looks: tuple[str, ...] | None,
) -> dict[str, Any]:  # fmt: skip
    source = sources[index * len(sources) // cases]
    case = implant_case(_studied(source), seed, index, cohort, looks)
    return store_case(case, folder) | {"background": source[0]}
