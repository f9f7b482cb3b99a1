"""Replaces the planned lesions of a patient by several small ones."""

from __future__ import annotations

import numpy as np

from scripts.lidia.phantom.patient import Patient

DIAMETER = (7.0, 4.0, 12.0)
"""Median, smallest and largest diameter in mm."""
COUNT = (3, 10)
"""Smallest and largest number of lesions."""


def make_lesions_small(patient: Patient, rng: np.random.Generator) -> Patient:
    """Replaces the planned lesions by 3 to 10 lesions of the same looks with 4 to 12 mm.

    Tiny lesions in the training data raise the sensitivity for small ones most (Hu et al., "Label-free liver
    tumor segmentation", CVPR 2023, table 3).

    Args:
        patient: the patient; one without lesions is returned unchanged.
        rng: random generator.
    """
    if not patient.plan:
        return patient
    count = int(rng.integers(COUNT[0], COUNT[1] + 1))
    looks = [look._replace(diameter=DIAMETER) for look in patient.plan]
    return patient._replace(plan=tuple(looks[i % len(looks)] for i in range(count)))
