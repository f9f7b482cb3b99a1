"""From the network's probabilities to a diagnosis on the grid that the patient came on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, InvertibleTransform, Transform
from numpy.typing import NDArray

from scripts.lidia.data.prediction import RequireMeta
from scripts.lidia.inference.calibration import apply_calibration, describe_certainty
from scripts.lidia.inference.header_contradictions import check_header_orientation
from scripts.lidia.inference.input_checks import (
    check_liver,
    check_phase_order,
    check_region_border,
    check_unseen_liver,
    find_reached_ends,
)
from scripts.lidia.inference.native_grid import to_native_grid
from scripts.lidia.metrics.platt_scaling import Calibration
from scripts.lidia.postprocess.branch_scores import split_branch
from scripts.lidia.postprocess.diagnosis import NO_LIVER, Diagnosis, diagnose
from scripts.lidia.postprocess.liver_region import liver_region
from scripts.lidia.postprocess.restrict_types import check_types, restrict_to_types
from scripts.lidia.vocabulary import BACKGROUND, CLASSES, LESION_TYPES, LIVER


class Diagnosed(Transform):
    """Reads lesions, liver and patient scores from the probabilities, on the native grid.

    Takes `pred` (C, X, Y, Z) on the network's grid with the image's meta, see `RequireMeta`.
    Puts `diagnosis` (see `postprocess.diagnose`) and `result` (JSON-ready: patient probabilities and lesions)
    into the data, and leaves in `pred` one channel of labels on the native grid, uint8: 1 liver, 2-9 lesion
    types.

    Args:
        grow_mm: how far 'inside the liver' reaches beyond it.
        smooth: LiverMax over the mean of 3x3x3 voxels.
        smallest_mm3: volume from which on a component is a lesion.
        confidence: probability of being a lesion that a component has to reach somewhere.
        shell_mm: thickness of what surrounds a component.
        liver_share: share of it that has to be liver for a lesion, see `reject_outside_liver`.
        attached_cm2: contact with the liver by which a component is kept with a smaller share.
        given_share: share of a component in the user's liver mask by which it is kept with a smaller share.
        keep_probabilities: leaves the map in `probabilities`, (C, X, Y, Z) float32.
        calibration: a line a score (see `read_calibration`) that patient probabilities go through, and how
            far to trust them; lesions, map and the scores in `diagnosis` stay as they are.
        types: lesion types that can occur, see `restrict_to_types`; `result` names these alone. None is all.
        window: HU that became -1 and 1 in the image; with it the result warns of phases that look swapped.
        contact_cm2: area by which the liver has to lie on a side of the examined region for a warning.

    Raises:
        ValueError: `types` names something else than lesion types.
    """

    def __init__(
        self,
        *,
        grow_mm: float = 3.0,
        smooth: bool = False,
        smallest_mm3: float = 25.0,
        confidence: float = 0.0,
        shell_mm: float = 3.0,
        liver_share: float = 0.5,
        attached_cm2: float = 10.0,
        given_share: float = 0.1,
        keep_probabilities: bool = False,
        calibration: Calibration | None = None,
        types: Sequence[str] | None = None,
        window: Sequence[float] | None = None,
        contact_cm2: float = 2.0,
    ) -> None:
        self.window, self.contact_cm2 = window, contact_cm2
        self.choices: dict[str, Any] = {
            "grow_mm": grow_mm,
            "smooth": smooth,
            "smallest_mm3": smallest_mm3,
            "confidence": confidence,
            "shell_mm": shell_mm,
            "liver_share": liver_share,
            "attached_cm2": attached_cm2,
            "given_share": given_share,
        }
        self.keep_probabilities = keep_probabilities
        self.calibration = calibration
        self.types = LESION_TYPES if types is None else check_types(types)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the data with `diagnosis`, `result` and labels in `pred`."""
        found = dict(data)
        pred: Any = (
            found["pred"] if self.types == LESION_TYPES else restrict_to_types(found["pred"], self.types)
        )
        user_liver = found.get("liver")
        user_liver = (
            None
            if user_liver is None or not isinstance(user_liver, torch.Tensor)
            else np.asarray(user_liver)[0]
        )
        reach = None if self.keep_probabilities else max(self.choices["grow_mm"], self.choices["shell_mm"])
        part = to_native_grid(pred, user_liver, reach_mm=reach)
        spacing = np.linalg.norm(part.affine[:3, :3], axis=0).tolist()
        inside = None if user_liver is None else user_liver[part.box]
        seen = diagnose(part.maps, spacing, part.affine, user_liver=inside, **self.choices)
        unseen = (
            []
            if inside is None
            else check_unseen_liver(inside, part.maps[BACKGROUND], float(np.prod(spacing)))
        )
        if self.keep_probabilities:
            found["probabilities"] = part.to_meta_tensor(split_branch(part.full_maps())[0], pred.meta)
        part = part.drop_maps()
        diagnosis = seen._replace(
            classes=part.to_full_volume(seen.classes),
            instances=part.to_full_volume(seen.instances),
            liver=part.to_full_volume(seen.liver),
        )
        diagnosis.warnings.extend(
            self.collect_warnings(pred, found.get("image"), user_liver, diagnosis.liver, part.native)
        )
        diagnosis.warnings.extend(unseen)
        labels = np.maximum(seen.classes, seen.liver.view(np.uint8) * np.uint8(LIVER))  # 1, below all lesions
        found["pred"] = part.to_meta_tensor(part.to_full_volume(labels)[None], pred.meta)
        found["diagnosis"] = diagnosis
        found["result"] = summarize(found, diagnosis, self.calibration, self.types)
        return found

    def collect_warnings(
        self,
        pred: MetaTensor,
        image: Any,
        user_liver: NDArray[Any] | None,
        liver: NDArray[np.bool_],
        native: NDArray[np.float64],
    ) -> list[str]:
        """What of a patient or their answer is unusual, in words.

        Args:
            pred: (C, X, Y, Z) on the network's grid.
            image: (4, X, Y, Z) there, if there is one.
            user_liver: (X, Y, Z) liver mask of the user on the native grid.
            liver: (X, Y, Z) of the answer on the native grid.
            native: (4, 4) of that grid.
        """
        maps, affine = pred.as_tensor()[: len(CLASSES)].cpu(), pred.affine.cpu().numpy().astype(np.float64)
        classes = maps.argmax(dim=0).numpy()
        if user_liver is None:
            seen = liver_region(classes, np.linalg.norm(affine[:3, :3], axis=0).tolist(), grow_mm=0.0)
            remarks = check_liver(liver, native, find_reached_ends(seen, affine))
            remarks += check_region_border(seen, maps[BACKGROUND].numpy(), affine, self.contact_cm2)
        else:
            remarks = check_liver(liver, native)
        if self.window is not None and isinstance(image, torch.Tensor):
            remarks += check_phase_order(np.asarray(image), classes == LIVER, self.window)
            steps = np.linalg.norm(affine[:3, :3], axis=0).tolist()
            remarks += check_header_orientation(np.asarray(image), classes >= LIVER, self.window, steps)
        return remarks


def summarize(
    data: Mapping[Hashable, Any],
    diagnosis: Diagnosis,
    calibration: Calibration | None = None,
    types: Sequence[str] = LESION_TYPES,
) -> dict[str, Any]:
    """Patient probabilities and lesions in plain types, the core of `ID.json`.

    A network with a patient branch adds `branch`: its own probabilities, uncalibrated. Of the lesion types
    those in `types` are named.
    """
    names = (*types, "malignant", "benign")
    known = None if NO_LIVER in diagnosis.warnings else calibration  # a 0 that says nothing stays one
    found, used = {name: diagnosis.livermax[name] for name in names}, tuple(data.get("phases_used") or ())
    scores, mended = apply_calibration(found, None if known is None else known.lines)
    branch = {} if diagnosis.branch is None else {"branch": {name: diagnosis.branch[name] for name in names}}
    lesions = [
        {**one, "probabilities": {name: one["probabilities"][name] for name in types}}
        for one in diagnosis.records
    ]
    return {
        "id": data.get("id"),
        "grid_phase": data.get("grid_phase"),
        "phases_used": list(used),
        "probabilities": {name: scores[name] for name in types},
        "malignant": scores["malignant"],
        "benign": scores["benign"],
        "calibrated": mended,
        **describe_certainty(found, used, known),
        **branch,
        "lesions": lesions,
        "left_out": dict(diagnosis.left_out),
        "warnings": [*(data.get("warnings") or ()), *diagnosis.warnings],
    }


def postprocessing(*, transform: Compose, **choices: Any) -> Compose:
    """Probabilities back onto the native grid, then the diagnosis.

    Probabilities are resampled linearly and voted upon afterwards; resampled labels would be rougher.

    Args:
        transform: the preprocessing that made the image; it keeps the image's place, which leads back.
        **choices: of `Diagnosed`.

    Raises:
        ValueError: `transform` keeps no place: none of its steps can be inverted.
    """
    if not any(isinstance(step, InvertibleTransform) for step in transform.transforms):
        raise ValueError("postprocessing takes the preprocessing that made the image, by which it finds back")
    known = getattr(transform, "settings", {})
    return Compose([RequireMeta(), Diagnosed(**{"window": known.get("window"), **choices})])
