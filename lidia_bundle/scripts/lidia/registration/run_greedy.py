"""One registration by Greedy, in a process of its own: `python greedy.py FOLDER`.

It imports nothing of ours and is run by its path: what it calls can hang or crash an interpreter. Greedy
(Yushkevich, P. A. et al., https://github.com/pyushkevich/greedy) never says that it failed: who reads the
answer has to judge it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

RIGID = "-a -dof 6 -m NCC 4x4x4 -n 60x30x0 -ia-identity -seed 1 -threads 1"
DEFORMABLE = "-m WNCC 3x3x3 -n 100x40x10 -s 4vox 2vox -e 0.5 -seed 1 -threads 1"
"""Seeded and on one thread: only so do two runs give the same bytes."""
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Greedy's matrices are in RAS, its images and fields in ITK's LPS."""


def main(folder: str) -> None:
    """Registers the images of a task.

    Args:
        folder: holds `task.npz` with `fixed` and `moving` (X, Y, Z) float32, `near` (X, Y, Z) uint8, where
            the rigid part looks, and `spacing` in mm. Written are `rigid.npy` (4, 4), then `field.npy`
            (3, X, Y, Z) float32, both in mm along the axes of the arrays, from places of the fixed image to
            places of the moving one.
    """
    import SimpleITK
    from picsl_greedy import Greedy3D

    place = Path(folder)
    task = np.load(place / "task.npz")
    spacing = float(task["spacing"])
    images = {}
    for name in ("fixed", "moving", "near"):
        images[name] = SimpleITK.GetImageFromArray(np.ascontiguousarray(task[name].T))
        images[name].SetSpacing([spacing] * 3)
    greedy = Greedy3D()
    matrix_file = place / "rigid.mat"  # a matrix in memory is not taken as -it
    greedy.execute(f"{RIGID} -i fixed moving -gm near -o {matrix_file}", **images)
    matrix = np.loadtxt(matrix_file)
    rigid = FLIP @ matrix @ FLIP
    _put(place / "rigid.npy", rigid)
    greedy.execute(f"{DEFORMABLE} -i fixed moving -it {matrix_file} -o warp", **images, warp=None)
    warp = SimpleITK.GetArrayFromImage(greedy["warp"]).T.astype(np.float64)
    places = np.indices(warp.shape[1:], dtype=np.float64) * spacing
    reached = np.tensordot(rigid[:3, :3], places + warp, 1) + rigid[:3, 3].reshape(3, 1, 1, 1)
    _put(place / "field.npy", (reached - places).astype(np.float32))


def _put(path: Path, array: np.ndarray) -> None:
    """Writes whole or not at all: the process may be killed at any time."""
    beside = path.with_suffix(".part.npy")
    np.save(beside, array)
    os.replace(beside, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
