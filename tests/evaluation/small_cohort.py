"""Five patients with cubes as lesions, and the scores of their predictions."""

from __future__ import annotations

import numpy as np
from monai.data import MetaTensor

from scripts.lidia.components import label_components
from scripts.lidia.evaluation.patient_metrics import PatientScores

AFFINE = np.diag([-2.0, -2.0, 2.0, 1.0])
SHAPE = (40, 20, 16)
PLACES = ((5, 5, 5), (15, 5, 5), (25, 5, 5))


def drawing(*kinds: int) -> np.ndarray:
    """A liver with cubes of 512 mm3, one a class."""
    classes = np.zeros(SHAPE, np.int64)
    classes[2:38, 2:18, 2:14] = 1
    for kind, (x, y, z) in zip(kinds, PLACES, strict=False):
        classes[x : x + 4, y : y + 4, z : z + 4] = kind or 1
    return classes


def patient(
    name: str, predicted: tuple[int, ...], true: tuple[int, ...], sure: float = 0.8, **more: object
) -> dict:
    """A decollated patient whose prediction gives `sure` to the classes of `predicted`."""
    maps = np.full((10, *SHAPE), (1 - sure) / 9, np.float32)
    np.put_along_axis(maps, drawing(*predicted)[None], sure, axis=0)
    truth = drawing(*true)
    label = np.stack([truth, label_components(np.where(truth > 1, truth, 0))]).astype(np.int16)
    tensors = {"pred": maps, "label": label}
    return {
        "id": name,
        **{key: MetaTensor(value, affine=AFFINE.copy()) for key, value in tensors.items()},
        **more,
    }


def cohort() -> list[dict]:
    """An HCC found, a cyst called hemangioma, a false ICC, a missed HCC, a haemangioma found."""
    return [
        patient("d", (2,), (2,), 0.9, phases_used=["nc", "venous"]),
        patient("a", (5,), (7,), 0.7, phases_used=["venous"]),
        patient("c", (3,), (), 0.6),
        patient("b", (), (2,), 0.8),
        patient("e", (5,), (5, 9), 0.8, malignant={"2": True}),
    ]


def filled(patients: list[dict]) -> PatientScores:
    scores = PatientScores()
    for entry in patients:
        scores([entry])
    return scores
