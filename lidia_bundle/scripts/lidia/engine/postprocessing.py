"""From the network's probabilities to a diagnosis on the grid that the patient came on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose, InvertibleTransform, Transform

from scripts.lidia.data import RequireMeta
from scripts.lidia.engine.calibrating import calibrated, certainty
from scripts.lidia.engine.restoring import restored
from scripts.lidia.engine.unusual import unusual_input, unusual_liver
from scripts.lidia.metrics.calibration import Calibration
from scripts.lidia.postprocess import NO_LIVER, Diagnosis, among, diagnose, known_types, split_branch
from scripts.lidia.vocabulary import CLASSES, LESION_TYPES, LIVER


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
        keep_probabilities: leaves the map in `probabilities`, (C, X, Y, Z) float32.
        calibration: a line a score (see `read_calibration`) that patient probabilities go through, and how
            far to trust them; lesions, map and the scores in `diagnosis` stay as they are.
        types: lesion types that can occur, see `among`; `result` names these alone. None is all.
        window: HU that became -1 and 1 in the image; with it the result warns of phases that look swapped.

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
        keep_probabilities: bool = False,
        calibration: Calibration | None = None,
        types: Sequence[str] | None = None,
        window: Sequence[float] | None = None,
    ) -> None:
        self.window = window
        self.choices: dict[str, Any] = {
            "grow_mm": grow_mm,
            "smooth": smooth,
            "smallest_mm3": smallest_mm3,
            "confidence": confidence,
        }
        self.keep_probabilities = keep_probabilities
        self.calibration = calibration
        self.types = LESION_TYPES if types is None else known_types(types)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the data with `diagnosis`, `result` and labels in `pred`."""
        found = dict(data)
        pred: Any = found["pred"] if self.types == LESION_TYPES else among(found["pred"], self.types)
        given = found.get("liver")
        given = None if given is None or not isinstance(given, torch.Tensor) else np.asarray(given)[0]
        reach = None if self.keep_probabilities else self.choices["grow_mm"]
        part = restored(pred, given, reach_mm=reach)
        spacing = np.linalg.norm(part.affine[:3, :3], axis=0).tolist()
        inside = None if given is None else given[part.box]
        seen = diagnose(part.maps, spacing, part.affine, given=inside, **self.choices)
        if self.keep_probabilities:
            found["probabilities"] = part.placed(split_branch(part.whole_maps())[0], pred.meta)
        part = part.without_maps()
        diagnosis = seen._replace(
            classes=part.whole(seen.classes),
            instances=part.whole(seen.instances),
            liver=part.whole(seen.liver),
        )
        odd = unusual_liver(diagnosis.liver, part.native)
        image = found.get("image")
        if self.window is not None and isinstance(image, torch.Tensor):
            liver = np.asarray(pred.as_tensor()[: len(CLASSES)].argmax(dim=0) == LIVER)
            odd += unusual_input(np.asarray(image), liver, self.window)
        diagnosis.warnings.extend(odd)
        labels = np.maximum(seen.classes, seen.liver.view(np.uint8) * np.uint8(LIVER))  # 1, below all lesions
        found["pred"] = part.placed(part.whole(labels)[None], pred.meta)
        found["diagnosis"] = diagnosis
        found["result"] = summary(found, diagnosis, self.calibration, self.types)
        return found


def summary(
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
    scores, mended = calibrated(found, None if known is None else known.lines)
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
        **certainty(found, used, known),
        **branch,
        "lesions": lesions,
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
