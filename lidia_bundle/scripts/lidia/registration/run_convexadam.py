"""Runs one registration by convexAdam in a separate process: `python run_convexadam.py FOLDER`.

The script imports no module of LIDIA and is run by its path, like run_greedy.py.
convexAdam (Siebert, H. et al., TMI 2024, github.com/multimodallearning/convexAdam) needs only torch. It uses
MIND features, a coupled convex search over displacements, then Adam. The search is global and needs no rigid
step before it; the rigid transform that the script writes is the best fit to its displacement near the liver.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

ALGORITHM_SETTINGS = {
    "mind_r": 2,
    "mind_d": 2,
    "grid_sp": 4,
    "disp_hw": 4,
    "selected_niter": 80,
    "selected_smooth": 7,
}
ADAM_SETTINGS = {"lambda_weight": 1.25, "grid_sp_adam": 2}
MULTIPLE = 8
"""Both grids must divide the image shape, so it is padded with its edge values."""


def main(folder: str) -> None:
    """Registers the images of a task.

    Args:
        folder: holds `task.npz`; `field.npy` and `rigid.npy` are written there, see run_greedy.py.
    """
    import torch
    from convexAdam.convex_adam_MIND import convex_adam_pt

    task_folder = Path(folder)
    task = np.load(task_folder / "task.npz")
    spacing = float(task["spacing"])
    shape = task["fixed"].shape
    pads = [(0, -n % MULTIPLE) for n in shape]
    images = [torch.from_numpy(np.pad(task[name], pads, mode="edge")) for name in ("fixed", "moving")]
    torch.manual_seed(0)
    displacement = convex_adam_pt(
        *images, **ALGORITHM_SETTINGS, **ADAM_SETTINGS, dtype=torch.float32, device=torch.device("cpu")
    )
    inner = tuple(slice(0, n) for n in shape)
    field = np.moveaxis(displacement, -1, 0)[(slice(None), *inner)] * spacing
    _save_array(task_folder / "rigid.npy", _fit_rigid(field, task["near"] > 0, spacing))
    _save_array(task_folder / "field.npy", field.astype(np.float32))


def _fit_rigid(field: np.ndarray, near: np.ndarray, spacing: float) -> np.ndarray:
    """Fits a rotation and shift (4, 4) to a displacement in the mask `near` (Kabsch 1976)."""
    start = np.argwhere(near).T * spacing
    end = start + field[:, near]
    middle, goal = start.mean(1, keepdims=True), end.mean(1, keepdims=True)
    u, _, vt = np.linalg.svd((end - goal) @ (start - middle).T)
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3:] = rotation, goal - rotation @ middle
    return matrix


def _save_array(path: Path, array: np.ndarray) -> None:
    """Writes a file atomically, since the process may be killed at any time."""
    beside = path.with_suffix(".part.npy")
    np.save(beside, array)
    os.replace(beside, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
