"""How often the anatomy is said to contradict a header that is right, and how often one that is wrong.

    PYTHONPATH=lidia_bundle:tests python tests/morphometry/orientation_errors.py 20 505

Looks at all phases of so many phantom patients of either cohort and a seed, as they are and flipped along
each axis; the outline of the liver is the true one. Prints a table in Markdown;
synthetic.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter

import nibabel as nib
import numpy as np
from scipy import ndimage

from scripts.lidia.inference.header_contradictions import check_header_orientation
from scripts.lidia.phantom.case import Case, Volume, sample_case
from scripts.lidia.vocabulary import PHASES

STEP_MM, WINDOW = 2.5, (-200.0, 400.0)
FLIPS = [axes for count in range(2) for axes in itertools.combinations(range(3), count)]
NAMES = {0: "left and right", 1: "front and back", 2: "head and feet"}


def upright(voxels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """A volume in RAS order at the network's spacing."""
    turns = nib.io_orientation(affine)
    turned = nib.apply_orientation(voxels.astype(np.float32), turns)
    step = np.linalg.norm(affine @ nib.orientations.inv_ornt_aff(turns, voxels.shape), axis=0)[:3]
    return ndimage.zoom(turned, step / STEP_MM, order=1)


def looked_at(case: Case, volume: Volume, phase: str) -> tuple[np.ndarray, np.ndarray]:
    """The image (4, X, Y, Z) as the network gets it, and the liver on its grid."""
    hu = np.clip(upright(volume.data, volume.affine), *WINDOW)
    image = np.full((len(PHASES), *hu.shape), np.nan, np.float32)
    image[PHASES.index(phase)] = (hu - WINDOW[0]) / (WINDOW[1] - WINDOW[0]) * 2 - 1
    between = np.linalg.inv(case.affine) @ volume.affine
    liver = ndimage.affine_transform(case.liver.astype(np.float32), between[:3, :3], between[:3, 3],
                                     output_shape=volume.data.shape, order=0)  # fmt: skip
    return image, upright(liver, volume.affine) > 0.5


def main(patients: int, seed: int) -> None:
    counts, volumes = Counter(), 0
    for cohort in ("internal", "external"):
        for index in range(patients):
            case = sample_case(seed, index, cohort)
            for phase, volume in case.volumes.items():
                image, liver = looked_at(case, volume, phase)
                volumes += 1
                for axes in FLIPS:
                    flipped = np.flip(image, [axis + 1 for axis in axes]), np.flip(liver, axes)
                    warnings = check_header_orientation(*flipped, WINDOW, (STEP_MM,) * 3)
                    counts[axes] += bool(warnings)
    lines = ["| flipped | warned |", "|---|---|"]
    for axes in FLIPS:
        name = "; ".join(NAMES[axis] for axis in axes) or "nothing"
        lines.append(f"| {name} | {counts[axes]} of {volumes} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
