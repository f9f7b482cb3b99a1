"""Registers the phases of a patient to the grid of one of them, and caches each pair by content."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from scripts.lidia.atomic import write_atomically, write_json
from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.dicom.series import list_dicom_paths
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.registration.lattice import warp_to_grid
from scripts.lidia.registration.select_transform import Target, align_pair, check_method, make_target
from scripts.lidia.vocabulary import GRID_ORDER, PHASES

FORMAT = 1
"""Part of every cache key; increase it when equal settings give other voxels."""
OUTSIDE_HU = -1024.0
FIELD_STEP_MM = 1 / 64
"""Step of stored displacements; a power of two compresses well."""


def register_phases(
    item: Mapping[str, Any],
    *,
    folder: str | Path,
    method: str,
    grid: str | None = None,
    spacing: float = 4.0,
    limit_s: float = 300.0,
) -> dict[str, Any]:
    """Registers the phases of a patient to the grid of one of them.

    `folder/ID` holds for every registered phase `PHASE.nii.gz` (int16 HU), `PHASE_field.nii.gz`
    (displacement on the lattice, RAS mm from a point of the fixed phase to that of the moving one) and
    `PHASE.json`. A pair with the content and settings of its JSON is not registered again.

    Args:
        item: of a datalist, with absolute paths.
        folder: output folder; sub-folders are created.
        method: "greedy" or "convexadam".
        grid: the fixed phase; by default the first of venous, delayed, arterial, nc.
        spacing: mm of the lattice of the displacement.
        limit_s: time limit of a pair, in seconds.

    Returns:
        The item, with the registered phases; `notes` with `registration` (`{phase: {method,
        quality_before, quality_after, accepted, message, seconds}}`) and, in `warnings`, the pairs that were
        not accepted.

    Raises:
        CaseError: if the method is unknown or not installed, or a phase cannot be read.
    """
    check_method(method)
    case, phases = str(item["id"]), dict(item["phases"])
    fixed = grid or next(phase for phase in GRID_ORDER if phase in phases)
    settings = {"method": method, "spacing": spacing, "limit_s": limit_s}
    pairs = _PairRegistration(case, phases[fixed], Path(folder) / case, settings)
    notes_by_phase, warnings = {}, []
    for phase in (phase for phase in PHASES if phase in phases and phase != fixed):
        record = pairs.record(phase, phases[phase])
        notes_by_phase[phase] = record["registration"]
        if record["moved"]:
            phases[phase] = str(pairs.folder / f"{phase}.nii.gz")
        if not notes_by_phase[phase]["accepted"]:
            note = notes_by_phase[phase]
            outcome = "was aligned rigidly" if note["method"] == "rigid" else "was not aligned"
            warnings.append(f"registration: the {phase} phase {outcome}: {note['message']}")
    notes = dict(item.get("notes") or {})
    notes["registration"] = notes_by_phase
    notes["warnings"] = [*notes.get("warnings", ()), *warnings]
    return {**item, "phases": phases, "notes": notes}


class _PairRegistration:
    """The pairs of one patient; the fixed phase is read once, and only if a pair must be registered."""

    def __init__(self, case: str, fixed: str, folder: Path, settings: Mapping[str, Any]) -> None:
        self.case, self.fixed, self.folder, self.settings = case, fixed, folder, settings

    @cached_property
    def volume(self) -> Volume:
        return _read_volume(self.fixed, self.case)

    @cached_property
    def target(self) -> Target:
        return make_target(self.volume, self.settings["spacing"])

    @cached_property
    def fixed_key(self) -> str:
        return _hash_content(self.fixed)

    def record(self, phase: str, path: str) -> dict[str, Any]:
        """Returns the cached record of a pair, or registers it."""
        path_of_record = self.folder / f"{phase}.json"
        script = Path(__file__).with_name(f"run_{self.settings['method']}.py").read_bytes()
        parts = [FORMAT, self.fixed_key, _hash_content(path), hashlib.sha256(script).hexdigest()]
        parts += [self.settings[name] for name in ("method", "spacing")]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        cached = json.loads(path_of_record.read_text(encoding="utf-8")) if path_of_record.is_file() else {}
        if cached.get("key") == key and (not cached["moved"] or (self.folder / f"{phase}.nii.gz").is_file()):
            return {**cached, "registration": _rename_message(cached["registration"])}
        path_of_record.unlink(missing_ok=True)
        return self._register(phase, path, key)

    def _register(self, phase: str, path: str, key: str) -> dict[str, Any]:
        start = time.monotonic()
        moving = _read_volume(path, self.case)
        method, limit_s = self.settings["method"], self.settings["limit_s"]
        alignment = align_pair(self.target, moving, method=method, limit_s=limit_s)
        if alignment.field is not None:
            grid, lattice = self.volume.grid, self.target.lattice
            voxels = warp_to_grid(moving, grid, alignment.field, lattice, outside=OUTSIDE_HU)
            _save_image(self.folder / f"{phase}.nii.gz", nib.Nifti1Image(voxels, self.volume.affine))
            steps = np.rint(np.moveaxis(alignment.field, 0, -1)[:, :, :, None] / FIELD_STEP_MM)
            field = nib.Nifti1Image((steps * FIELD_STEP_MM).astype(np.float32), lattice.affine)
            field.header.set_intent("vector")
            _save_image(self.folder / f"{phase}_field.nii.gz", field)
        note = {
            "method": alignment.method,
            "quality_before": round(alignment.before, 4),
            "quality_after": round(alignment.after, 4),
            "accepted": alignment.method == method,
            "message": alignment.reason,
            "seconds": round(time.monotonic() - start, 1),
        }
        record = {"key": key, "moved": alignment.field is not None, "registration": note}
        if alignment.finished:  # more time or a repaired installation may give another result
            write_json(self.folder / f"{phase}.json", record)
        return record


def _rename_message(note: Mapping[str, Any]) -> dict[str, Any]:
    """Renames `said`, as a cached record may still call the message, to `message`."""
    return {"message" if name == "said" else name: value for name, value in note.items()}


def _read_volume(path: str, case: str) -> Volume:
    voxels, affine, _ = read_phase(path, case)
    return Volume(voxels, affine)


def _hash_content(path: str) -> str:
    """Computes the SHA-256 of a file, or of all files of a DICOM folder."""
    total = hashlib.sha256()
    for file in list_dicom_paths(path) if Path(path).is_dir() else [Path(path)]:
        if file.is_file():
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _save_image(path: Path, image: nib.Nifti1Image) -> None:
    image.header.set_xyzt_units("mm")
    with write_atomically(path) as file:
        nib.save(image, file)
