"""Miniatures of public data sets: volumes, masks and tables of a few kilobytes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from ct_files import affine_of, radius, save, write_ct

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.prepare.prepare_data import prepare

SHAPE = (32, 32, 32)
SPACING = (4.0, 4.0, 4.0)
PLACE = (12.0, -8.0, 4.0)
"""RAS mm of the lesion."""


def ct(path: Path, shape: Sequence[int] = SHAPE, spacing: Sequence[float] = SPACING) -> None:
    write_ct(path, shape, spacing)


def mask(
    path: Path,
    shape: Sequence[int] = SHAPE,
    spacing: Sequence[float] = SPACING,
    balls: Sequence[tuple[int, Sequence[float], float]] = ((1, PLACE, 12.0),),
) -> None:
    affine = affine_of(spacing, shape)
    values = np.zeros(shape, np.uint8)
    for value, centre, size in balls:
        values[radius(affine, shape, centre) < size] = value
    save(path, values, affine)


def nrrd(path: Path, affine: np.ndarray, values: np.ndarray, *, cut: int | None = None) -> None:
    """Writes an NRRD file by its specification: raw, in the LPS space that 3D Slicer writes."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    vector = ["(" + ",".join(f"{v:.6f}" for v in column) + ")" for column in lps[:3].T]
    header = [
        "NRRD0004",
        "type: uint8",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, values.shape))}",
        f"space directions: {' '.join(vector[:3])}",
        "kinds: domain domain domain",
        "encoding: raw",
        f"space origin: {vector[3]}",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = values.astype(np.uint8).tobytes(order="F")
    path.write_bytes(("\n".join(header) + "\n\n").encode() + voxels[:cut])


def table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def convert(source: str, folder: Path, out: Path, **options: Any) -> dict[str, dict[str, Any]]:
    prepare(source=source, input_dir=folder, dataset_dir=out, **options)
    return {item["id"]: item for item in load_datalist(out, "training")}


def fault_of(source: str, folder: Path, out: Path, **options: Any) -> CaseError:
    with pytest.raises(CaseError) as caught:
        prepare(source=source, input_dir=folder, dataset_dir=out, **options)
    return caught.value


def values(path: str) -> set[int]:
    return set(np.unique(np.asarray(nib.load(path).dataobj)).tolist())


def centre(path: str, value: int) -> np.ndarray:
    """Centroid of a value in RAS mm."""
    image = nib.load(path)
    index = np.argwhere(np.asarray(image.dataobj) == value).mean(0)
    return nib.affines.apply_affine(image.affine, index)


def same_grid(entry: str, other: str) -> bool:
    first, second = nib.load(entry), nib.load(other)
    return first.shape[:3] == second.shape[:3] and np.allclose(first.affine, second.affine)
