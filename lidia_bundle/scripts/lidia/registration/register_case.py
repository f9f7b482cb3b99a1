"""The phases of a patient on the grid of one of them: each pair once, kept by content."""

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

from scripts.lidia.atomic import replacing, write_json
from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.dicom.series import list_dicom_paths
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.registration.lattice import warp_to_grid
from scripts.lidia.registration.select_transform import Target, align_pair, check_method, make_target
from scripts.lidia.vocabulary import GRID_ORDER, PHASES

FORMAT = 1
"""Part of every key: count up when the same settings give other voxels."""
OUTSIDE_HU = -1024.0
FIELD_MM = 1 / 64
"""Step in which displacements are stored: a power of two packs well."""


def register_phases(
    item: Mapping[str, Any],
    *,
    folder: str | Path,
    method: str,
    grid: str | None = None,
    spacing: float = 4.0,
    limit_s: float = 300.0,
) -> dict[str, Any]:
    """Brings the phases of a patient onto the grid of one of them.

    In `folder/ID` stand, for every phase that was moved, `PHASE.nii.gz` (int16 HU), `PHASE_field.nii.gz`
    (displacement on the lattice, RAS mm from a place of the fixed phase to that of the moving one) and
    `PHASE.json`. A pair whose content and settings are those of its JSON is not registered again.

    Args:
        item: of a datalist, with absolute paths.
        folder: where to write; sub-folders are made.
        method: "greedy" or "convexadam".
        grid: the phase that stays as it is; the first of venous, delayed, arterial, nc by default.
        spacing: mm of the lattice that the displacement is found on.
        limit_s: seconds a pair may take.

    Returns:
        The item, its phases replaced where they were moved; `notes` with `registration` (`{phase: {method,
        quality_before, quality_after, accepted, said, seconds}}`) and, in `warnings`, what was not accepted.

    Raises:
        CaseError: if the method is unknown or not installed, or a phase cannot be read.
    """
    check_method(method)
    case, phases = str(item["id"]), dict(item["phases"])
    fixed = grid or next(phase for phase in GRID_ORDER if phase in phases)
    settings = {"method": method, "spacing": spacing, "limit_s": limit_s}
    pair = _Pairs(case, phases[fixed], Path(folder) / case, settings)
    told, warnings = {}, []
    for phase in (phase for phase in PHASES if phase in phases and phase != fixed):
        record = pair.record(phase, phases[phase])
        told[phase] = record["registration"]
        if record["moved"]:
            phases[phase] = str(pair.folder / f"{phase}.nii.gz")
        if not told[phase]["accepted"]:
            warnings.append(_warning(phase, told[phase]))
    notes = dict(item.get("notes") or {})
    notes["registration"] = told
    notes["warnings"] = [*notes.get("warnings", ()), *warnings]
    return {**item, "phases": phases, "notes": notes}


def _warning(phase: str, told: Mapping[str, Any]) -> str:
    taken = "was moved rigidly" if told["method"] == "rigid" else "was taken as it came"
    return f"registration: the {phase} phase {taken}: {told['said']}"


class _Pairs:
    """The pairs of one patient: the fixed phase is read once, and only if there is something to do."""

    def __init__(self, case: str, fixed: str, folder: Path, settings: Mapping[str, Any]) -> None:
        self.case, self.fixed, self.folder, self.settings = case, fixed, folder, settings

    @cached_property
    def volume(self) -> Volume:
        return _read(self.fixed, self.case)

    @cached_property
    def target(self) -> Target:
        return make_target(self.volume, self.settings["spacing"])

    @cached_property
    def fixed_key(self) -> str:
        return _content(self.fixed)

    def record(self, phase: str, path: str) -> dict[str, Any]:
        """What is known of a pair, after registering it if nothing is."""
        note = self.folder / f"{phase}.json"
        script = Path(__file__).with_name(f"run_{self.settings['method']}.py").read_bytes()
        parts = [FORMAT, self.fixed_key, _content(path), hashlib.sha256(script).hexdigest()]
        parts += [self.settings[name] for name in ("method", "spacing")]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        known = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
        if known.get("key") == key and (not known["moved"] or (self.folder / f"{phase}.nii.gz").is_file()):
            return known
        note.unlink(missing_ok=True)
        return self._made(phase, path, key)

    def _made(self, phase: str, path: str, key: str) -> dict[str, Any]:
        start = time.monotonic()
        moving = _read(path, self.case)
        method, limit_s = self.settings["method"], self.settings["limit_s"]
        found = align_pair(self.target, moving, method=method, limit_s=limit_s)
        if found.field is not None:
            grid, lattice = self.volume.grid, self.target.lattice
            moved = warp_to_grid(moving, grid, found.field, lattice, outside=OUTSIDE_HU)
            _save(self.folder / f"{phase}.nii.gz", nib.Nifti1Image(moved, self.volume.affine))
            steps = np.rint(np.moveaxis(found.field, 0, -1)[:, :, :, None] / FIELD_MM)
            field = nib.Nifti1Image((steps * FIELD_MM).astype(np.float32), lattice.affine)
            field.header.set_intent("vector")
            _save(self.folder / f"{phase}_field.nii.gz", field)
        told = {
            "method": found.method,
            "quality_before": round(found.before, 4),
            "quality_after": round(found.after, 4),
            "accepted": found.method == method,
            "said": found.said,
            "seconds": round(time.monotonic() - start, 1),
        }
        record = {"key": key, "moved": found.field is not None, "registration": told}
        if found.answered:  # more time, or a mended installation, may give another answer
            write_json(self.folder / f"{phase}.json", record)
        return record


def _read(path: str, case: str) -> Volume:
    voxels, affine, _ = read_phase(path, case)
    return Volume(voxels, affine)


def _content(path: str) -> str:
    """SHA-256 of a file, or of all files of a DICOM folder."""
    total = hashlib.sha256()
    for file in list_dicom_paths(path) if Path(path).is_dir() else [Path(path)]:
        if file.is_file():
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _save(path: Path, image: nib.Nifti1Image) -> None:
    image.header.set_xyzt_units("mm")
    with replacing(path) as file:
        nib.save(image, file)
