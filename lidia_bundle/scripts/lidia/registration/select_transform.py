"""Registers one phase to another in a process with a time limit, and selects the best valid transform.

The result of a method is always checked: Greedy returns a plausible field without an error for a constant
image. No transform, the rigid and the deformable one are compared, and the best valid one is used.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.geometry.grid import Grid
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.registration.lattice import make_lattice
from scripts.lidia.registration.liver_roi import find_liver_roi
from scripts.lidia.registration.quality import (
    compute_folded_fraction,
    compute_local_correlation,
    compute_max_displacement,
    warp,
)

PACKAGES = {
    "greedy": ("picsl_greedy", "picsl-greedy==1.4.0.3"),
    "convexadam": ("convexAdam", "convexAdam==0.2.0"),
}
"""Module that each method imports, and the requirement that installs it."""
CLIP_HU = (-200.0, 300.0)
"""Range of the images for registration; without it gas and bone would dominate the liver."""
MARGIN_MM = 30.0
"""Margin around the liver region, larger than the motion by breathing."""
MIN_COVERAGE = 0.5
MIN_QUALITY = 0.1
MAX_FOLDED = 0.001
MAX_DISPLACEMENT_MM = 50.0


class Alignment(NamedTuple):
    """The selected transform of a pair.

    Attributes:
        method: the requested method, "rigid", or "none".
        field: (3, X, Y, Z) RAS mm on the lattice from fixed to moving points; None for "none".
        before: similarity without a transform (see `quality.compute_local_correlation`).
        after: similarity with the selected transform.
        reason: why it was selected, in words.
        finished: False if the method failed or exceeded its time limit.
    """

    method: str
    field: NDArray[np.float32] | None
    before: float
    after: float
    reason: str
    finished: bool = True


class Target(NamedTuple):
    """The fixed phase, prepared for registration.

    Attributes:
        lattice: the grid around the liver.
        image: (X, Y, Z) HU, clipped.
        near: (X, Y, Z) mask of the liver region, or of the body if no liver was found.
    """

    lattice: Grid
    image: NDArray[np.float32]
    near: NDArray[np.bool_]


def check_method(method: str) -> None:
    """Checks that a method exists and is installed.

    Raises:
        CaseError: if the method is unknown or its package is not installed.
    """
    if method not in PACKAGES:
        remedy = f"give False or one of {', '.join(PACKAGES)}"
        raise CaseError("registration", "", f"no method {method!r}", remedy, "unknown_method")
    module, package = PACKAGES[method]
    if importlib.util.find_spec(module) is None:
        problem = f"{method} needs {module}, which is not installed"
        raise CaseError("registration", "", problem, f"pip install {package}", "no_method")


def make_target(fixed: Volume, spacing: float) -> Target:
    """Prepares the fixed phase.

    Args:
        fixed: HU and affine.
        spacing: mm of the lattice.
    """
    whole = make_lattice(fixed, spacing)
    hu = fixed.resample(whole, antialias=True, outside=None)
    near = find_liver_roi(hu, spacing)
    marked, reach = np.argwhere(near), round(MARGIN_MM / spacing)
    low = np.maximum(marked.min(0) - reach, 0)
    high = np.minimum(marked.max(0) + reach + 1, whole.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return Target(whole.crop(box), np.clip(hu[box], *CLIP_HU), near[box])


def align_pair(target: Target, moving: Volume, *, method: str, limit_s: float) -> Alignment:
    """Finds the transform that aligns a phase with the fixed one.

    Args:
        target: the fixed phase, from `make_target`.
        moving: HU and affine of the phase.
        method: see `PACKAGES`.
        limit_s: time limit of the method, in seconds.
    """
    lattice, spacing = target.lattice, float(target.lattice.spacing[0])
    covered = moving.grid.contains(lattice.points()).reshape(lattice.shape) & target.near
    image = np.clip(moving.resample(lattice, antialias=True, outside=None), *CLIP_HU)
    before = compute_local_correlation(target.image, image, covered)
    share = covered.sum() / target.near.sum()
    if share < MIN_COVERAGE:
        return Alignment("none", None, before, before, f"shows {share:.0%} of the liver's neighbourhood")
    if image[covered].std() < 1:
        return Alignment("none", None, before, before, "the image is constant")
    rigid, field, fault = _run_method(target, image, method, limit_s)
    problem = fault or _find_fault(field, spacing, target.near)
    candidates: list[tuple[str, NDArray[np.float32] | None, float]] = [("none", None, before)]
    for name, transform in (("rigid", rigid), (method, None if problem else field)):
        if transform is not None:
            warped = warp(image, transform, spacing)
            candidates.append((name, transform, compute_local_correlation(target.image, warped, covered)))
    name, selected, after = max(candidates, key=lambda candidate: candidate[2])
    if after < MIN_QUALITY:
        name, selected, after = candidates[0]
        problem = problem or "the phases are not similar with any transform"
    elif name != method:
        best = "the rigid transform" if name == "rigid" else "no transform"
        problem = problem or f"{method} gave a lower similarity than {best}"
    reason = problem or "the similarity increased"
    return Alignment(name, selected, before, after, reason, finished=not fault)


def _run_method(
    target: Target, image: NDArray[np.float32], method: str, limit_s: float
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None, str]:
    """Runs the method in a process; returns rigid and deformable displacement, and the error in words."""
    script = Path(__file__).with_name(f"run_{method}.py")
    lattice, fault = target.lattice, ""
    spacing = float(lattice.spacing[0])
    with tempfile.TemporaryDirectory(prefix="lidia_registration_") as folder:
        near = target.near.astype(np.uint8)
        np.savez(Path(folder) / "task.npz", fixed=target.image, moving=image, near=near, spacing=spacing)
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        command = [sys.executable, "-P", str(script), folder]
        try:
            process = subprocess.run(
                command, env={**os.environ, **threads}, capture_output=True, text=True, timeout=limit_s
            )
            if process.returncode:
                last = (process.stderr.strip().splitlines() or ["nothing"])[-1]
                fault = f"{method} ended with status {process.returncode}: {last[:200]}"
        except subprocess.TimeoutExpired:
            fault = f"{method} was stopped after {limit_s:g} s"
        matrix, field = _load_array(Path(folder) / "rigid.npy"), _load_array(Path(folder) / "field.npy")
    return _make_field(matrix, lattice), field, fault


def _load_array(path: Path) -> NDArray | None:
    return np.load(path) if path.is_file() else None


def _make_field(matrix: NDArray | None, lattice: Grid) -> NDArray[np.float32] | None:
    """Converts a matrix (4, 4), in mm from the first voxel of the lattice, to a displacement (3, X, Y, Z)."""
    if matrix is None or not np.isfinite(matrix).all():
        return None
    points = lattice.points().reshape(3, *lattice.shape) - lattice.affine[:3, 3].reshape(3, 1, 1, 1)
    targets = np.tensordot(matrix[:3, :3], points, 1) + matrix[:3, 3].reshape(3, 1, 1, 1)
    field = (targets - points).astype(np.float32)
    reach = compute_max_displacement(field, np.ones(lattice.shape, bool))
    return field if reach <= 2 * MAX_DISPLACEMENT_MM else None


def _find_fault(field: NDArray[np.float32] | None, spacing: float, near: NDArray[np.bool_]) -> str:
    """Returns the fault of a displacement; empty if it is valid."""
    if field is None:
        return "the method returned no displacement"
    if not np.isfinite(field).all():
        return "the displacement is not finite"
    far, folds = compute_max_displacement(field, near), compute_folded_fraction(field, spacing, near)
    if far > MAX_DISPLACEMENT_MM:
        return f"the displacement reaches {far:.0f} mm"
    return f"the displacement folds {folds:.1%} of the liver's neighbourhood" if folds > MAX_FOLDED else ""
