"""One registration by convexAdam, in a process of its own: `python convexadam.py FOLDER`.

It imports nothing of ours and is run by its path, as greedy.py. convexAdam (Siebert, H. et al., TMI 2024,
github.com/multimodallearning/convexAdam) needs torch alone: MIND features, a coupled convex search over
displacements, then Adam. Its search is global and needs no rigid part before; the rigid part that is given is
the one that fits its displacement best near the liver.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

SETTINGS = {"mind_r": 2, "mind_d": 2, "grid_sp": 4, "disp_hw": 4, "selected_niter": 80, "selected_smooth": 7}
SEEN = {"lambda_weight": 1.25, "grid_sp_adam": 2}
MULTIPLE = 8
"""Both grids have to divide the image: it is padded by its edge."""


def main(folder: str) -> None:
    """Registers the images of a task.

    Args:
        folder: holds `task.npz`, and gets `field.npy` and `rigid.npy`, as greedy.py says.
    """
    import torch
    from convexAdam.convex_adam_MIND import convex_adam_pt

    place = Path(folder)
    task = np.load(place / "task.npz")
    spacing = float(task["spacing"])
    shape = task["fixed"].shape
    pads = [(0, -n % MULTIPLE) for n in shape]
    images = [torch.from_numpy(np.pad(task[name], pads, mode="edge")) for name in ("fixed", "moving")]
    torch.manual_seed(0)
    found = convex_adam_pt(*images, **SETTINGS, **SEEN, dtype=torch.float32, device=torch.device("cpu"))
    inner = tuple(slice(0, n) for n in shape)
    field = np.moveaxis(found, -1, 0)[(slice(None), *inner)] * spacing
    _put(place / "rigid.npy", _rigid(field, task["near"] > 0, spacing))
    _put(place / "field.npy", field.astype(np.float32))


def _rigid(field: np.ndarray, near: np.ndarray, spacing: float) -> np.ndarray:
    """The rotation and shift (4, 4) nearest to a displacement where `near` (Kabsch 1976)."""
    start = np.argwhere(near).T * spacing
    end = start + field[:, near]
    middle, goal = start.mean(1, keepdims=True), end.mean(1, keepdims=True)
    left, _, right = np.linalg.svd((end - goal) @ (start - middle).T)
    turn = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3:] = turn, goal - turn @ middle
    return matrix


def _put(path: Path, array: np.ndarray) -> None:
    """Writes whole or not at all: the process may be killed at any time."""
    beside = path.with_suffix(".part.npy")
    np.save(beside, array)
    os.replace(beside, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
