"""Define the names of phases, classes and groups."""

from __future__ import annotations

PHASES = ("nc", "arterial", "venous", "delayed")
"""Contrast phases in temporal order: the channel order of every image and the order of Eq. 2."""

GRID_ORDER = ("venous", "delayed", "arterial", "nc")
"""The first of these phases that is present defines the grid of a case."""

CLASSES = (
    "background",
    "liver",
    "HCC",
    "ICC",
    "metastasis",
    "hemangioma",
    "FNH",
    "cyst",
    "calcification",
    "others",
)
"""Channel order of every probability map; lesion types 2-9 are in the order of the paper's Table 2."""

BACKGROUND, LIVER = 0, 1
FIRST_LESION = 2
CYST, CALCIFICATION, OTHERS = 7, 8, 9
LESION_CLASSES = range(FIRST_LESION, len(CLASSES))
LESION_TYPES = CLASSES[FIRST_LESION:]

MALIGNANT = (2, 3, 4)
BENIGN = (5, 6, 7, 8)
AUTHORS_BENIGN = (5, 6)
"""Benign group of the authors' earlier network, PLAN, without cyst and calcification."""

IGNORED = -1
"""Class value of voxels without target: not annotated, or part of a lesion too small to count."""

PRECISIONS = ("fp32", "bf16", "fp16")
"""Precisions in which a network can be trained and applied."""
