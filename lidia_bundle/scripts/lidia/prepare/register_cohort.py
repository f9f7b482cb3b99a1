"""Registers the phases of all cases of a datalist to their reference phase and returns the new list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from scripts.lidia.geometry.grid import is_same_grid
from scripts.lidia.prepare.case_files import read_grid
from scripts.lidia.prepare.cross_validation import Sections
from scripts.lidia.prepare.output_folder import logger, process_cases
from scripts.lidia.registration.register_case import register_phases
from scripts.lidia.registration.select_transform import check_method
from scripts.lidia.vocabulary import GRID_ORDER


def register_cohort(sections: Sections, folder: Path, *, method: str, limit_s: float) -> Sections:
    """Registers all cases; finished results are kept (see `registration.register_case`).

    Args:
        sections: completed items by section.
        folder: output folder; files are `phases/ID/PHASE.nii.gz`.
        method: registration method.
        limit_s: time limit in seconds per pair.

    Returns:
        The sections with registered phases; `notes` of an item describes each pair.

    Raises:
        CaseError: if the method cannot be used, or cases are invalid (after the others are done).
    """
    check_method(method)
    cases = [(name, item) for name, items in sections.items() for item in items]
    work = partial(_register_item, folder=folder / "phases", method=method, limit_s=limit_s)
    items = process_cases([item for _, item in cases], work, dict, folder)
    registered: Sections = {name: [] for name in sections}
    for (name, _), item in zip(cases, items, strict=True):
        registered[name].append(item)
    pairs = [pair for item in items for pair in item["notes"]["registration"].values()]
    accepted = sum(pair["accepted"] for pair in pairs)
    logger.info(f"{accepted} of {len(pairs)} pairs were registered by {method}")
    return registered


def _register_item(item: Mapping[str, Any], *, folder: Path, method: str, limit_s: float) -> dict[str, Any]:
    grid = find_annotated_phase(item)
    registered = register_phases(item, folder=folder, method=method, limit_s=limit_s, grid=grid)
    for warning in registered["notes"]["warnings"]:
        logger.warning(f"{item['id']}: {warning}")
    return registered


def find_annotated_phase(item: Mapping[str, Any]) -> str | None:
    """Finds the annotated phase of a case without a venous phase; None where GRID_ORDER decides.

    Raises:
        CaseError: if a file cannot be read.
    """
    phases: Mapping[str, str] = item["phases"]
    if "venous" in phases or not isinstance(item.get("label"), str):
        return None
    label = read_grid(Path(item["label"]), item["id"])
    for phase in GRID_ORDER:
        path = Path(phases.get(phase, ""))
        if phase in phases and not path.is_dir() and is_same_grid(*read_grid(path, item["id"]), *label):
            return phase
    return None
