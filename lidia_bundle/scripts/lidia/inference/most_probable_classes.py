"""Find the most probable class of each voxel of a class map, of all voxels or inside the liver."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from scripts.lidia.postprocess.liver_region import compute_liver_region
from scripts.lidia.vocabulary import CLASSES


def find_most_probable_classes(class_map: torch.Tensor) -> torch.Tensor:
    """Find the most probable class of each voxel.

    Args:
        class_map: (C, X, Y, Z) probabilities.

    Returns:
        (X, Y, Z) integers.
    """
    # On a CPU several times faster than argmax along the first axis.
    return class_map.max(dim=0).indices


def find_liver_classes(class_map: torch.Tensor) -> NDArray[np.uint8]:
    """Find the classes of liver and lesions in the liver.

    Args:
        class_map: (1, C, X, Y, Z) probabilities; channels after the classes are ignored.

    Returns:
        (X, Y, Z) classes, 0 outside the liver.
    """
    classes = find_most_probable_classes(class_map[0, : len(CLASSES)]).to(torch.uint8).cpu().numpy()
    return np.where(compute_liver_region(classes, (1.0, 1.0, 1.0), grow_mm=0.0), classes, np.uint8(0))
