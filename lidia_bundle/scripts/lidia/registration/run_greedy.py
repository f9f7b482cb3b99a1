"""Runs one registration by Greedy in a separate process: `python run_greedy.py FOLDER`.

The script imports no module of LIDIA and is run by its path, since Greedy can hang or crash the
interpreter. Greedy (Yushkevich, P. A. et al., https://github.com/pyushkevich/greedy) reports no failure, so
the caller must check the result.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

RIGID = "-a -dof 6 -m NCC 4x4x4 -n 60x30x0 -ia-identity -seed 1 -threads 1"
DEFORMABLE = "-m WNCC 3x3x3 -n 100x40x10 -s 4vox 2vox -e 0.5 -seed 1 -threads 1"
"""A seed and one thread are needed for equal bytes in two runs."""
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Converts between RAS, used by Greedy's matrices, and LPS, used by its images and fields (ITK)."""


def main(folder: str) -> None:
    """Registers the images of a task.

    Args:
        folder: holds `task.npz` with `fixed` and `moving` (X, Y, Z) float32, `near` (X, Y, Z) uint8, the
            mask of the rigid step, and `spacing` in mm. The script writes `rigid.npy` (4, 4) and `field.npy`
            (3, X, Y, Z) float32, both in mm along the array axes, from points of the fixed image to those
            of the moving one.
    """
    import SimpleITK
    from picsl_greedy import Greedy3D

    task_folder = Path(folder)
    task = np.load(task_folder / "task.npz")
    spacing = float(task["spacing"])
    images = {}
    for name in ("fixed", "moving", "near"):
        images[name] = SimpleITK.GetImageFromArray(np.ascontiguousarray(task[name].T))
        images[name].SetSpacing([spacing] * 3)
    greedy = Greedy3D()
    matrix_file = task_folder / "rigid.mat"  # Greedy does not accept a matrix in memory for -it
    greedy.execute(f"{RIGID} -i fixed moving -gm near -o {matrix_file}", **images)
    matrix = np.loadtxt(matrix_file)
    rigid = FLIP @ matrix @ FLIP
    _save_array(task_folder / "rigid.npy", rigid)
    greedy.execute(f"{DEFORMABLE} -i fixed moving -it {matrix_file} -o warp", **images, warp=None)
    warp = SimpleITK.GetArrayFromImage(greedy["warp"]).T.astype(np.float64)
    points = np.indices(warp.shape[1:], dtype=np.float64) * spacing
    targets = np.tensordot(rigid[:3, :3], points + warp, 1) + rigid[:3, 3].reshape(3, 1, 1, 1)
    _save_array(task_folder / "field.npy", (targets - points).astype(np.float32))


def _save_array(path: Path, array: np.ndarray) -> None:
    """Writes a file atomically, since the process may be killed at any time."""
    beside = path.with_suffix(".part.npy")
    np.save(beside, array)
    os.replace(beside, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
