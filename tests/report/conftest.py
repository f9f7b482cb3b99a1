"""A finished run of two patients, written by hand: the input of the report, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SPACING = (2.0, 2.0, 5.0)
SHAPE = (90, 70, 12)


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Mask of a ball in mm on the grid."""
    axes = [np.arange(n) * size for n, size in zip(SHAPE, SPACING, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    return sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2


def save(array: np.ndarray, path: Path, affine: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return str(path)


def lesion(instance: int, kind: str, probabilities: dict[str, float], volume: float) -> dict[str, object]:
    diameter = 2 * (3 * volume / 4 / np.pi) ** (1 / 3)
    place = [90.0, 70.0, 30.0]
    return {
        "instance": instance,
        "type": kind,
        "probabilities": probabilities,
        "volume_mm3": volume,
        "diameter_mm": diameter,
        "centroid_ras_mm": place,
    }


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `data/`, `results/`, `evaluation/`; P1 has four phases and lesions, P2 two and none."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    affine[:3, 3] = (90, 70, -20)
    liver = ball((90, 70, 30), 50)
    hcc, cyst, miss = ball((80, 70, 30), 12), ball((115, 85, 30), 7), ball((90, 40, 30), 5)
    types = ("HCC", "ICC", "metastasis", "hemangioma", "FNH", "cyst", "calcification", "others")
    items = []
    for case, phases in (("P1", ("nc", "arterial", "venous", "delayed")), ("P2", ("nc", "venous"))):
        paths = {}
        for shift, phase in enumerate(phases):
            hu = -80 + 40 * ball((90, 70, 30), 85) + 150 * liver + rng.normal(0, 12, SHAPE)
            if case == "P1":
                hu = hu + (60 - 30 * shift) * hcc - 80 * cyst
            paths[phase] = save(hu.astype(np.int16), folder / f"data/{case}/{phase}.nii.gz", affine)
        label = liver.astype(np.uint8)
        output = np.zeros(SHAPE, np.uint16)
        lesions = []
        if case == "P1":
            label[hcc], label[cyst], label[miss] = 2, 7, 4
            output[ball((82, 72, 30), 11)], output[cyst] = 1, 2
            volumes = [int((output == n).sum()) * 20.0 for n in (1, 2)]
            spread = dict.fromkeys(types, 0.02)
            lesions = [
                lesion(1, "HCC", spread | {"HCC": 0.81}, volumes[0]),
                lesion(2, "hemangioma", spread | {"hemangioma": 0.55, "cyst": 0.4}, volumes[1]),
            ]
        classes = np.select([output == 1, output == 2], [2, 5], liver).astype(np.uint8)
        save(classes, folder / f"results/{case}_lesions.nii.gz", affine)
        save(output, folder / f"results/{case}_instances.nii.gz", affine)
        save(liver.astype(np.uint8), folder / f"results/{case}_liver.nii.gz", affine)
        high = {"HCC": 0.93, "hemangioma": 0.6, "cyst": 0.45} if lesions else {}
        chances = dict.fromkeys(types, 0.04) | high
        result = {
            "id": case,
            "grid_phase": "venous",
            "phases_used": list(phases),
            "probabilities": chances,
            "malignant": chances["HCC"],
            "benign": chances["cyst"],
            "calibrated": False,
            "lesions": lesions,
            "warnings": ["arterial: 3 slices fewer than venous"] if case == "P1" else [],
            "versions": {"bundle": "0"},
        }
        (folder / f"results/{case}.json").write_text(json.dumps(result), encoding="utf-8")
        truth = save(label, folder / f"data/{case}/label.nii.gz", affine)
        items.append({"id": case, "synthetic": True, "phases": paths, "label": truth})
    entries = {"name": "LIDIA phantom, internal", "test": items}
    (folder / "data/dataset.json").write_text(json.dumps(entries), encoding="utf-8")
    (folder / "evaluation").mkdir()
    metrics = {
        "auc8": {"value": 0.912, "low": 0.87, "high": 0.951, "n": 2, "note": "left out: auc_FNH"},
        "precision": {"value": 0.7, "low": None, "high": None, "n": 9},
        "auc_FNH": {"value": None, "low": None, "high": None, "n": 2},
    }
    (folder / "evaluation/metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return folder
