"""Results of hand-made dates of one patient: a liver with balls as lesions, at any position on the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from scripts.lidia.inference.result_files import result_files, write_volume
from scripts.lidia.vocabulary import CLASSES, LESION_TYPES

SPACING = (2.0, 2.0, 4.0)
SHAPE = (100, 80, 46)
Ball = tuple[tuple[float, float, float], float, str]
"""Centre (mm in the patient), radius (mm) and type of a lesion."""


def settings(**registration: Any) -> Any:
    """Settings of the shipped config, without a registration unless one is named."""
    from scripts.lidia.followup.write_followup import make_settings

    config = json.loads(
        (Path(__file__).parents[2] / "lidia_bundle/configs/follow.json").read_text(encoding="utf-8")
    )
    blocks = {key: config[key] for key in ("matching", "change", "recist", "lirads", "repeatability")}
    method = {"register": False, "limit_s": 60.0, "spacing": 4.0, "min_liver_dice": 0.8, **registration}
    return make_settings(registration=method, **blocks)


def write_date(
    folder: Path,
    case: str,
    lesions: Sequence[Ball],
    *,
    patient: str = "P1",
    date: str | None = None,
    table: tuple[float, float, float] = (0, 0, 0),
    slices: slice = slice(0, SHAPE[2]),
    phases: Sequence[str] = ("venous",),
    images: bool = False,
) -> Path:
    """Write the result of one date.

    Args:
        folder: of the results.
        case: id.
        lesions: in the patient's space; the liver is an ellipsoid at its middle.
        patient: its id.
        date: YYYY-MM-DD.
        table: shift of the scanner's coordinates in mm.
        slices: slices that are scanned.
        phases: phases that were used.
        images: also write an image of each phase.
    """
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = table
    affine[2, 3] += slices.start * SPACING[2]
    grid = [axis * size for axis, size in zip(np.indices(SHAPE)[..., slices], SPACING, strict=True)]
    liver = ((grid[0] - 100) / 80) ** 2 + ((grid[1] - 80) / 60) ** 2 + ((grid[2] - 90) / 75) ** 2 <= 1
    liver &= ~((grid[0] < 60) & (grid[2] < 60))
    numbers, classes, rows = np.zeros(liver.shape, np.uint16), np.zeros(liver.shape, np.uint8), []
    for number, (centre, radius, kind) in enumerate(lesions, 1):
        mask = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2
        numbers[mask], classes[mask] = number, CLASSES.index(kind)
    for number in (int(value) for value in np.unique(numbers) if value):
        kind = lesions[number - 1][2]
        rows.append({
            "instance": number,
            "type": kind,
            "probabilities": {name: float(name == kind) for name in LESION_TYPES},
            "volume_mm3": float((numbers == number).sum()) * 16,
            "diameter_mm": 2.0 * lesions[number - 1][1],
        })
    files = result_files(folder, case)
    write_volume(files["lesions"], classes, affine)
    write_volume(files["instances"], numbers, affine)
    write_volume(files["liver"], (liver | (numbers > 0)).astype(np.uint8), affine)
    inputs = {}
    if images:
        rng = np.random.default_rng(0)
        body = ((grid[0] - 100) / 98) ** 2 + ((grid[1] - 80) / 78) ** 2 <= 1
        for phase in phases:
            hu = np.where(body, 20, -1000) + 90 * liver - 60 * (numbers > 0) + rng.normal(0, 5, liver.shape)
            path = folder / f"images/{case}_{phase}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(hu.astype(np.int16), affine), path)
            inputs[phase] = {"path": f"images/{case}_{phase}.nii.gz", "sha256": ""}
    result = {
        "id": case,
        "patient": patient,
        **({"date": date} if date else {}),
        "grid_phase": phases[-1] if "venous" not in phases else "venous",
        "phases_used": list(phases),
        "probabilities": dict.fromkeys(LESION_TYPES, 0.1),
        "malignant": 0.1,
        "benign": 0.1,
        "calibrated": False,
        "lesions": rows,
        "warnings": [],
        "versions": {"bundle": "0", "weights_sha256": "none"},
        "inputs": inputs,
    }
    files["result"].write_text(json.dumps(result), encoding="utf-8")
    return files["result"]
