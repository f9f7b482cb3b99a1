"""Estimates the liver region on CT of any phase without a network; registration is optimized there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

from scripts.lidia.components import label_components

TISSUE_HU = (10.0, 220.0)
"""HU of the liver in all phases, also with moderate steatosis; excludes fat and bone."""
EROSION_MM = 9.0
"""Erosion that separates touching organs: connections thinner than twice this value are cut."""
MIN_LIVER_ML = 300.0
MARGIN_MM = 15.0


def estimate_liver(hu: NDArray[np.float32], spacing: float) -> NDArray[np.bool_] | None:
    """Finds the largest compact region of soft tissue on the right side of the patient.

    Args:
        hu: (X, Y, Z) with axes along R, A, S.
        spacing: mm, the same along all axes.

    Returns:
        Mask (X, Y, Z); None if the region is smaller than 0.3 l.
    """
    body = hu > -300
    if not body.any():
        return None
    middle = int(np.median(np.nonzero(body.any(axis=(1, 2)))[0]))
    smooth = gaussian_filter(hu, 1.0)
    tissue = (smooth > TISSUE_HU[0]) & (smooth < TISSUE_HU[1])
    tissue[: middle - round(30 / spacing)] = False  # keeps the left lobe, cuts spleen and heart
    steps = round(EROSION_MM / spacing)
    pieces = label_components(binary_erosion(tissue, iterations=steps).astype(np.uint8), 6)
    counts = np.bincount(pieces.ravel())
    counts[0] = 0
    if len(counts) < 2:
        return None
    guess = binary_dilation(pieces == counts.argmax(), iterations=steps) & tissue
    return guess if guess.sum() * spacing**3 > MIN_LIVER_ML * 1000 else None


def find_liver_roi(hu: NDArray[np.float32], spacing: float) -> NDArray[np.bool_]:
    """Returns the estimated liver with a margin of 15 mm; the body, or the whole volume, if it is not found.

    Args:
        hu: (X, Y, Z) with axes along R, A, S.
        spacing: mm, the same along all axes.
    """
    guess = estimate_liver(hu, spacing)
    if guess is not None:
        return binary_dilation(guess, iterations=round(MARGIN_MM / spacing))
    body = hu > -300
    return body if body.any() else np.ones(hu.shape, bool)
