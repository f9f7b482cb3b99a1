"""Class maps of a block of liver, for the tests of post-processing."""

from __future__ import annotations

import numpy as np

AFFINE = np.array([[-2.0, 0, 0, 50], [0, 2, 0, -20], [0, 0, 2, 7], [0, 0, 0, 1]])
SPACING = (2.0, 2.0, 2.0)


def one_hot(classes: np.ndarray, sure: float = 0.82) -> np.ndarray:
    """Probabilities of `sure` for the class, the rest shared out evenly."""
    maps = np.full((10, *classes.shape), (1 - sure) / 9, np.float32)
    np.put_along_axis(maps, classes[None].astype(np.int64), sure, axis=0)
    return maps


def liver() -> np.ndarray:
    classes = np.zeros((30, 24, 20), np.uint8)
    classes[4:24, 4:20, 4:16] = 1
    return classes
