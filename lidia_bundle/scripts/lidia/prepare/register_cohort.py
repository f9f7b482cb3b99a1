"""A cohort whose phases lie on one another: every pair registered once, the list rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lidia.datalist.header_checks import open_nifti
from scripts.lidia.geometry.grid import same_grid
from scripts.lidia.prepare.cross_validation import Sections
from scripts.lidia.prepare.output_folder import each, logger
from scripts.lidia.registration.register_case import register_phases
from scripts.lidia.registration.select_transform import check_method
from scripts.lidia.vocabulary import GRID_ORDER


def register_cohort(sections: Sections, folder: Path, *, method: str, limit_s: float) -> Sections:
    """Registers all cases; what is there already is kept (see `clinic.register_phases`).

    Args:
        sections: completed items by section.
        folder: where to write, `phases/ID/PHASE.nii.gz`.
        method: of registration.
        limit_s: seconds a pair may take.

    Returns:
        The sections with registered phases; `notes` of an item tells of each pair.

    Raises:
        CaseError: if the method cannot be used, or a case is at fault; the good cases are done then.
    """
    check_method(method)
    cases = [(name, item) for name, items in sections.items() for item in items]
    work = partial(_registered, folder=folder / "phases", method=method, limit_s=limit_s)
    done = each([item for _, item in cases], work, dict, folder)
    found: Sections = {name: [] for name in sections}
    for (name, _), item in zip(cases, done, strict=True):
        found[name].append(item)
    pairs = [pair for item in done for pair in item["notes"]["registration"].values()]
    accepted = sum(pair["accepted"] for pair in pairs)
    logger.info(f"{accepted} of {len(pairs)} pairs were registered by {method}")
    return found


def _registered(item: Mapping[str, Any], *, folder: Path, method: str, limit_s: float) -> dict[str, Any]:
    done = register_phases(item, folder=folder, method=method, limit_s=limit_s, grid=drawn_on(item))
    for warning in done["notes"]["warnings"]:
        logger.warning(f"{item['id']}: {warning}")
    return done


def drawn_on(item: Mapping[str, Any]) -> str | None:
    """The phase that a case without a venous one was drawn on; None where the usual order decides.

    Raises:
        CaseError: if a file cannot be read.
    """
    phases: Mapping[str, str] = item["phases"]
    if "venous" in phases or not isinstance(item.get("label"), str):
        return None
    label = _grid(item["label"], item["id"])
    kept = [phase for phase in GRID_ORDER if phase in phases and not Path(phases[phase]).is_dir()]
    return next((phase for phase in kept if same_grid(*_grid(phases[phase], item["id"]), *label)), None)


def _grid(path: str, case: str) -> tuple[np.ndarray, Sequence[int]]:
    image = open_nifti(path, case)
    return np.asarray(image.affine, float), image.shape[:3]
