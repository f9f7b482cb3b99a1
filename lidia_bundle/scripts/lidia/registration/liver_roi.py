"""Where the liver roughly is on a CT of any phase, without a network: the part that registration is for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

from scripts.lidia.components import label_components

TISSUE_HU = (10.0, 220.0)
"""Liver in all phases, fatty ones but the worst included; not fat, not bone."""
NECK_MM = 9.0
"""What is thinner than twice this parts organs that touch."""
LEAST_ML = 300.0
MARGIN_MM = 15.0


def guess_liver(hu: NDArray[np.float32], spacing: float) -> NDArray[np.bool_] | None:
    """The largest compact piece of soft tissue on the patient's right.

    Args:
        hu: (X, Y, Z) with axes along R, A, S.
        spacing: mm, the same along all axes.

    Returns:
        Mask (X, Y, Z), or None if there is no such piece of 0.3 l or more.
    """
    body = hu > -300
    if not body.any():
        return None
    middle = int(np.median(np.nonzero(body.any(axis=(1, 2)))[0]))
    smooth = gaussian_filter(hu, 1.0)
    tissue = (smooth > TISSUE_HU[0]) & (smooth < TISSUE_HU[1])
    tissue[: middle - round(30 / spacing)] = False  # the left lobe reaches over; spleen and heart do not
    steps = round(NECK_MM / spacing)
    pieces = label_components(binary_erosion(tissue, iterations=steps).astype(np.uint8), 6)
    counts = np.bincount(pieces.ravel())
    counts[0] = 0
    if len(counts) < 2:
        return None
    guess = binary_dilation(pieces == counts.argmax(), iterations=steps) & tissue
    return guess if guess.sum() * spacing**3 > LEAST_ML * 1000 else None


def find_liver_roi(hu: NDArray[np.float32], spacing: float) -> NDArray[np.bool_]:
    """The liver as guessed and 15 mm round it; the whole body, or all there is, where none is found.

    Args:
        hu: (X, Y, Z) with axes along R, A, S.
        spacing: mm, the same along all axes.
    """
    guess = guess_liver(hu, spacing)
    if guess is not None:
        return binary_dilation(guess, iterations=round(MARGIN_MM / spacing))
    body = hu > -300
    return body if body.any() else np.ones(hu.shape, bool)
