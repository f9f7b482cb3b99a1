"""Read the label, the prediction and the native grid of a patient that is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from scripts.lidia.metrics.patient_rows import Prediction
from scripts.lidia.postprocess.diagnosis import Diagnosis
from scripts.lidia.postprocess.lesion_instances import Lesions
from scripts.lidia.vocabulary import IGNORED

Maps = TypeVar("Maps", Prediction, Lesions)


def to_prediction(diagnosis: Diagnosis) -> Prediction:
    """Returns the part of a diagnosis that is measured."""
    return Prediction(
        diagnosis.classes,
        diagnosis.instances,
        diagnosis.liver,
        diagnosis.livermax,
        diagnosis.pixelcount,
        diagnosis.branch,
    )


def get_candidates(diagnosis: Diagnosis) -> Lesions:
    """Returns the candidates; a diagnosis without them has only its lesions."""
    if diagnosis.candidates is not None:
        return diagnosis.candidates
    return Lesions(diagnosis.classes, diagnosis.instances, diagnosis.records, 0, 0)


def blank_unannotated(maps: Maps, annotated: NDArray[np.bool_]) -> Maps:
    """Clears lesions where the label is not annotated."""
    return maps._replace(classes=maps.classes * annotated, instances=maps.instances * annotated)


def find_unannotated(classes: NDArray[np.int16]) -> NDArray[np.bool_] | None:
    """Finds the voxels that are not annotated, where a prediction is neither right nor wrong.

    Args:
        classes: `(X, Y, Z)` classes of the label.

    Returns:
        `(X, Y, Z)`, None if all are annotated.
    """
    unannotated = classes == IGNORED
    return unannotated if unannotated.any() else None


def read_native_grid(patient: Mapping[str, Any]) -> tuple[NDArray[np.float64], list[float]]:
    """Reads affine and spacing of the native grid.

    Raises:
        ValueError: no volume has an affine, or the affines differ.
    """
    volumes = [patient[key] for key in ("label", "pred") if isinstance(patient.get(key), MetaTensor)]
    if not volumes:
        raise ValueError("Neither `label` nor `pred` has an affine: evaluation needs MetaTensors.")
    affines = [np.asarray(volume.affine, dtype=np.float64) for volume in volumes]
    if len(affines) == 2 and not np.allclose(affines[0], affines[1], atol=1e-3):
        raise ValueError("`pred` and `label` lie on different grids: invert the preprocessing first.")
    return affines[0], np.linalg.norm(affines[0][:3, :3], axis=0).tolist()


def split_label(label: torch.Tensor) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Splits a label into classes and instances, `(X, Y, Z)` each.

    Raises:
        ValueError: the label does not have two channels.
    """
    if label.ndim != 4 or label.shape[0] != 2:
        raise ValueError(
            f"A label has shape (2, X, Y, Z), class and instance; this one has {tuple(label.shape)}."
        )
    plain = np.rint(label.detach().cpu().as_subclass(torch.Tensor).numpy()).astype(np.int16)
    return plain[0], plain[1]
