"""Four-phase patients of a few thousand voxels, a liver ball with one lesion each, and a small network."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from scripts.lidia.net.build_lidia import build_lidia

LIVER_HU = {"nc": 55, "arterial": 70, "venous": 110, "delayed": 90}
LESION_HU = {"nc": 10, "arterial": 160, "venous": 60, "delayed": 150}
SPACING = (4.0, 4.0, 4.0)
SIZE = (44, 40, 36)


def write_patient(
    folder: Path, number: int, *, kind: int = 2, missing: tuple[str, ...] = ()
) -> dict[str, object]:
    """Writes phases, label and instances of one patient; the number decides on the lesion's place."""
    random = np.random.default_rng(number)
    folder.mkdir(parents=True, exist_ok=True)
    affine = np.diag([*(-s for s in SPACING[:2]), SPACING[2], 1.0])
    affine[:3, 3] = (80.0, 90.0, -40.0)
    places = np.stack(np.meshgrid(*[np.arange(n) for n in SIZE], indexing="ij"), axis=-1).astype(float)
    middle = np.array([SIZE[0] / 2, SIZE[1] / 2, SIZE[2] / 2])
    body = np.linalg.norm((places - middle) / (np.array(SIZE) / 2), axis=-1) < 0.98
    liver = np.linalg.norm(places - middle, axis=-1) < 12
    lesion = np.linalg.norm(places - middle - random.integers(-4, 5, 3), axis=-1) < 4
    label = np.where(lesion, kind, liver).astype(np.uint8)
    item: dict[str, object] = {"id": f"toy_{number:02d}", "phases": {}, "label": f"{number}_label.nii.gz"}
    for phase in LIVER_HU:
        if phase in missing:
            continue
        volume = np.where(body, 40.0, -1000.0)
        volume[liver] = LIVER_HU[phase]
        volume[lesion] = LESION_HU[phase] if kind % 2 == 0 else LIVER_HU[phase] - 40
        volume[body] += random.normal(0, 8, body.sum())
        name = f"{number}_{phase}.nii.gz"
        nib.save(nib.Nifti1Image(volume.astype(np.int16), affine), folder / name)
        item["phases"][phase] = name  # type: ignore[index]
    for name, values in (("label", label), ("instances", lesion.astype(np.uint8))):
        nib.save(nib.Nifti1Image(values, affine), folder / f"{number}_{name}.nii.gz")
        item[name] = f"{number}_{name}.nii.gz"
    return item


def write_toys(folder: Path, *, training: int = 3, validation: int = 2, test: int = 2) -> Path:
    """Writes a cohort with all three sections and its `dataset.json`; returns the folder."""
    sections: dict[str, list[dict[str, object]]] = {}
    number = 0
    for section, count in (("training", training), ("validation", validation), ("test", test)):
        sections[section] = []
        for _ in range(count):
            missing = ("delayed",) if number % 3 == 1 else ()
            sections[section].append(write_patient(folder, number, kind=2 + number % 2 * 5, missing=missing))
            number += 1
    (folder / "dataset.json").write_text(json.dumps(sections), encoding="utf-8")
    return folder


def save_network(path: Path, seed: int = 0) -> str:
    """Writes a small LIDIA's random weights, which know nothing; returns the file."""
    torch.manual_seed(seed)
    torch.save(build_lidia(channels=(8, 8, 8, 8)).state_dict(), path)
    return str(path)
