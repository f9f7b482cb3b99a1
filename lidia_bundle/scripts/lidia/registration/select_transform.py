"""One phase brought to another: asked of a process with a time limit, judged, replaced where it is no good.

What a registration gives is never believed: greedy answers a constant image with a plausible field and no
error. Three ways compete, nothing, rigid and deformable, and the best that is sound is taken.
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
from scripts.lidia.registration.quality import folded_fraction, local_correlation, max_displacement, warp

PACKAGES = {
    "greedy": ("picsl_greedy", "picsl-greedy==1.4.0.3"),
    "convexadam": ("convexAdam", "convexAdam==0.2.0"),
}
"""What each method imports, and how to install it."""
HU = (-200.0, 300.0)
"""What the methods get to see: gas and bone beyond would outweigh the liver."""
REACH_MM = 30.0
"""How far round the liver's neighbourhood the methods look: more than a breath moves it."""
LEAST_SHOWN = 0.5
LEAST_LIKENESS = 0.1
MOST_FOLDED = 0.001
MOST_MM = 50.0


class Alignment(NamedTuple):
    """What became of a pair.

    Attributes:
        method: the method asked for, "rigid", or "none".
        field: (3, X, Y, Z) RAS mm on the lattice from fixed to moving places; None for "none".
        before: likeness of the two phases as they came (see `quality.local_correlation`).
        after: likeness of what was taken.
        said: in words, why that was taken.
        answered: False if the method did not get to its end, and might with more time.
    """

    method: str
    field: NDArray[np.float32] | None
    before: float
    after: float
    said: str
    answered: bool = True


class Target(NamedTuple):
    """The fixed phase as all others are compared with it.

    Attributes:
        lattice: the grid round the liver.
        image: (X, Y, Z) HU, clipped.
        near: (X, Y, Z) the liver's neighbourhood, or the whole body where no liver was found.
    """

    lattice: Grid
    image: NDArray[np.float32]
    near: NDArray[np.bool_]


def check_method(method: str) -> None:
    """Sees whether a method can be used here.

    Raises:
        CaseError: there is no such method, or its package is not installed.
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
    marked, reach = np.argwhere(near), round(REACH_MM / spacing)
    low = np.maximum(marked.min(0) - reach, 0)
    high = np.minimum(marked.max(0) + reach + 1, whole.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return Target(whole.crop(box), np.clip(hu[box], *HU), near[box])


def align_pair(target: Target, moving: Volume, *, method: str, limit_s: float) -> Alignment:
    """Finds how a phase has to be moved to fit another.

    Args:
        target: the other, from `make_target`.
        moving: HU and affine of the phase.
        method: see `PACKAGES`.
        limit_s: seconds after which the method is stopped.
    """
    lattice, spacing = target.lattice, float(target.lattice.spacing[0])
    seen = moving.grid.contains(lattice.points()).reshape(lattice.shape) & target.near
    image = np.clip(moving.resample(lattice, antialias=True, outside=None), *HU)
    before = local_correlation(target.image, image, seen)
    share = seen.sum() / target.near.sum()
    if share < LEAST_SHOWN:
        return Alignment("none", None, before, before, f"shows {share:.0%} of the liver's neighbourhood")
    if image[seen].std() < 1:
        return Alignment("none", None, before, before, "the image is constant")
    rigid, field, fault = _asked(target, image, method, limit_s)
    problem = fault or _unsound(field, spacing, target.near)
    ways: list[tuple[str, NDArray[np.float32] | None, float]] = [("none", None, before)]
    if rigid is not None:
        ways.append((
            "rigid",
            rigid,
            local_correlation(target.image, warp(image, rigid, spacing), seen),
        ))
    if field is not None and not problem:
        ways.append((
            method,
            field,
            local_correlation(target.image, warp(image, field, spacing), seen),
        ))
    name, taken, after = max(ways, key=lambda way: way[2])
    if after < LEAST_LIKENESS:
        name, taken, after = ways[0]
        problem = problem or "the phases are not alike, moved or not"
    elif name != method:
        problem = problem or f"{method} fitted worse than {'a rigid shift' if name == 'rigid' else 'nothing'}"
    said = problem or "fits better than before"
    return Alignment(name, taken, before, after, said, answered=not fault)


def _asked(
    target: Target, image: NDArray[np.float32], method: str, limit_s: float
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None, str]:
    """The rigid and the deformable displacement that the method's process gave, and what went wrong."""
    script = Path(__file__).with_name(f"run_{method}.py")
    lattice, fault = target.lattice, ""
    spacing = float(lattice.spacing[0])
    with tempfile.TemporaryDirectory(prefix="lidia_registration_") as place:
        np.savez(
            Path(place) / "task.npz",
            fixed=target.image,
            moving=image,
            near=target.near.astype(np.uint8),
            spacing=spacing,
        )
        alone = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        command = [sys.executable, "-P", str(script), place]
        try:
            done = subprocess.run(
                command, env={**os.environ, **alone}, capture_output=True, text=True, timeout=limit_s
            )
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
                fault = f"{method} ended with status {done.returncode} and said: {last[:200]}"
        except subprocess.TimeoutExpired:
            fault = f"{method} was stopped after {limit_s:g} s"
        matrix, field = _read(Path(place) / "rigid.npy"), _read(Path(place) / "field.npy")
    return _field_of(matrix, lattice), field, fault


def _read(path: Path) -> NDArray | None:
    return np.load(path) if path.is_file() else None


def _field_of(matrix: NDArray | None, lattice: Grid) -> NDArray[np.float32] | None:
    """Displacement (3, X, Y, Z) of a matrix (4, 4) that is in mm from the lattice's first voxel."""
    if matrix is None or not np.isfinite(matrix).all():
        return None
    places = lattice.points().reshape(3, *lattice.shape) - lattice.affine[:3, 3].reshape(3, 1, 1, 1)
    moved = np.tensordot(matrix[:3, :3], places, 1) + matrix[:3, 3].reshape(3, 1, 1, 1)
    field = (moved - places).astype(np.float32)
    return field if max_displacement(field, np.ones(lattice.shape, bool)) <= 2 * MOST_MM else None


def _unsound(field: NDArray[np.float32] | None, spacing: float, near: NDArray[np.bool_]) -> str:
    """What is wrong with a displacement; empty if nothing is."""
    if field is None:
        return "the method gave no displacement"
    if not np.isfinite(field).all():
        return "the displacement is not finite"
    far, folds = max_displacement(field, near), folded_fraction(field, spacing, near)
    if far > MOST_MM:
        return f"the displacement reaches {far:.0f} mm"
    return f"the displacement folds {folds:.1%} of the liver's neighbourhood" if folds > MOST_FOLDED else ""
