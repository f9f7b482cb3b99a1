"""Compute the diagnosis on the native grid from the network's probabilities."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, InvertibleTransform, Transform
from numpy.typing import NDArray

from scripts.lidia.inference.calibration import (
    CalibrationSource,
    get_calibration,
    get_lesion_calibration,
)
from scripts.lidia.inference.header_contradictions import check_header_orientation
from scripts.lidia.inference.input_checks import (
    check_liver,
    check_phase_order,
    check_region_border,
    check_unseen_liver,
    find_reached_ends,
)
from scripts.lidia.inference.lesion_calibration import LESION_POINTS, select_operating_point
from scripts.lidia.inference.native_grid import NativeMaps, to_native_grid
from scripts.lidia.inference.summarize_patient import summarize
from scripts.lidia.inference.trust_gate import TrustGate, describe_distrust
from scripts.lidia.inference.type_sets import add_type_sets
from scripts.lidia.postprocess.branch_scores import split_branch
from scripts.lidia.postprocess.class_map import LESION_THRESHOLD, classify_voxels
from scripts.lidia.postprocess.diagnosis import diagnose
from scripts.lidia.postprocess.lesion_instances import Lesions
from scripts.lidia.postprocess.liver_region import compute_liver_region
from scripts.lidia.postprocess.restrict_types import check_types, restrict_to_types
from scripts.lidia.vocabulary import BACKGROUND, CLASSES, LESION_TYPES, LIVER


class Diagnosed(Transform):
    """Computes lesions, liver and patient scores on the native grid from the probabilities.

    Takes `pred` (C, X, Y, Z) on the network's grid with the image's metadata, see `copy_metadata`.
    Adds `diagnosis` (see `postprocess.diagnosis.diagnose`) and `result` (JSON-ready: patient probabilities
    and lesions) to the data, and replaces `pred` by one channel of labels on the native grid, uint8: 1
    liver, 2-9 lesion types.

    Args:
        grow_mm: margin in mm by which the liver region extends beyond the liver.
        smooth: whether LiverMax uses the mean over 3x3x3 voxels.
        smallest_mm3: minimum volume of a lesion.
        lesion_threshold: lesion probability from which a voxel is a lesion, see `classify_voxels`.
        faint_threshold: lesion probability from which a voxel belongs to a faint candidate.
        opening_mm: half the width of a bridge behind which a part of the liver is dropped, see
            `remove_narrow_parts`; 0 keeps all parts.
        shell_mm: thickness of the shell around a component.
        liver_share: minimum share of liver in the shell, see `reject_outside_liver`.
        attached_cm2: contact area with the liver from which a component is kept despite a smaller share.
        given_share: share of a component in the user's liver mask from which it is kept despite a smaller
            share.
        keep_probabilities: stores the map in `probabilities`, (C, X, Y, Z) float32.
        calibration: of patient probabilities, of the existence of lesions and of their types; the map and the
            scores of `diagnosis` are not changed.
        types: lesion types that can occur, see `restrict_to_types`; `result` names only these. None is all.
        operating_point: name of an operating point, see `select_operating_point`; None reports every
            candidate.
        lesion_points: threshold of each operating point without a calibration of lesions.
        coverage: coverage of the sets of types, one that the calibration has.
        keep_candidates: `diagnosis` keeps the lesions below the operating point in `candidates`.
        trust: decides whether the result can be trusted; None omits `trust` in `result`.
        window: HU that are scaled to -1 and 1; with it the phase order and the header are checked.
        contact_cm2: minimum contact area of the liver with a side of the examined region for a warning.

    Raises:
        ValueError: `types` contains a name that is not a lesion type.
    """

    def __init__(
        self,
        *,
        grow_mm: float = 3.0,
        smooth: bool = False,
        smallest_mm3: float = 25.0,
        lesion_threshold: float = LESION_THRESHOLD,
        faint_threshold: float = 1.0,
        opening_mm: float = 0.0,
        shell_mm: float = 3.0,
        liver_share: float = 0.5,
        attached_cm2: float = 10.0,
        given_share: float = 0.1,
        keep_probabilities: bool = False,
        calibration: CalibrationSource = None,
        operating_point: str | None = None,
        lesion_points: Mapping[str, float] = LESION_POINTS,
        coverage: float = 0.9,
        keep_candidates: bool = False,
        trust: TrustGate | None = None,
        types: Sequence[str] | None = None,
        window: Sequence[float] | None = None,
        contact_cm2: float = 2.0,
    ) -> None:
        self.window, self.contact_cm2 = window, contact_cm2
        self.choices: dict[str, Any] = {
            "grow_mm": grow_mm,
            "smooth": smooth,
            "smallest_mm3": smallest_mm3,
            "lesion_threshold": lesion_threshold,
            "faint_threshold": faint_threshold,
            "opening_mm": opening_mm,
            "shell_mm": shell_mm,
            "liver_share": liver_share,
            "attached_cm2": attached_cm2,
            "given_share": given_share,
        }
        self.keep_probabilities = keep_probabilities
        self.calibration = calibration
        self.operating_point, self.lesion_points = operating_point, dict(lesion_points)
        self.coverage, self.keep_candidates, self.trust = coverage, keep_candidates, trust
        self.types = LESION_TYPES if types is None else check_types(types)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the data with `diagnosis`, `result` and labels in `pred`."""
        output = dict(data)
        pred: Any = (
            output["pred"] if self.types == LESION_TYPES else restrict_to_types(output["pred"], self.types)
        )
        user_liver = output.get("liver")
        user_liver = (
            None
            if user_liver is None or not isinstance(user_liver, torch.Tensor)
            else np.asarray(user_liver)[0]
        )
        reach = None if self.keep_probabilities else max(self.choices["grow_mm"], self.choices["shell_mm"])
        native_maps = to_native_grid(
            pred,
            user_liver,
            reach_mm=reach,
            lesion_threshold=min(self.choices["lesion_threshold"], self.choices["faint_threshold"]),
        )
        spacing = np.linalg.norm(native_maps.affine[:3, :3], axis=0).tolist()
        cropped_user_liver = None if user_liver is None else user_liver[native_maps.box]
        lesion_calibration = get_lesion_calibration(self.calibration)
        point = select_operating_point(self.operating_point, self.lesion_points, lesion_calibration)
        cropped = diagnose(
            native_maps.maps,
            spacing,
            native_maps.affine,
            user_liver=cropped_user_liver,
            existence=None if lesion_calibration is None else lesion_calibration.existence,
            min_existence=point["threshold"],
            type_scaling=None if lesion_calibration is None else lesion_calibration.types,
            **self.choices,
        )
        unseen_warnings = (
            []
            if cropped_user_liver is None
            else check_unseen_liver(cropped_user_liver, native_maps.maps[BACKGROUND], float(np.prod(spacing)))
        )
        if self.keep_probabilities:
            output["probabilities"] = native_maps.to_meta_tensor(
                split_branch(native_maps.full_maps())[0], pred.meta
            )
        native_maps = native_maps.drop_maps()
        diagnosis = cropped._replace(
            classes=native_maps.to_full_volume(cropped.classes),
            instances=native_maps.to_full_volume(cropped.instances),
            liver=native_maps.to_full_volume(cropped.liver),
            candidates=self._place_candidates(cropped.candidates, native_maps),
        )
        warnings, trust = self.check_plausibility(
            pred, output.get("image"), user_liver, diagnosis.liver, native_maps.native
        )
        diagnosis.warnings.extend([*warnings, *unseen_warnings])
        labels = np.maximum(
            cropped.classes, cropped.liver.view(np.uint8) * np.uint8(LIVER)
        )  # 1, below all lesions
        output["pred"] = native_maps.to_meta_tensor(native_maps.to_full_volume(labels)[None], pred.meta)
        output["diagnosis"] = diagnosis
        result = summarize(output, diagnosis, get_calibration(self.calibration), self.types)
        sets = None if lesion_calibration is None else lesion_calibration.sets
        output["result"] = add_type_sets(result, diagnosis.livermax, sets, self.coverage)
        output["result"]["operating_point"] = point
        if trust is not None:
            listed = [*describe_distrust(trust), *output["result"]["warnings"]]
            output["result"] |= {"trust": trust, "warnings": listed}
        return output

    def _place_candidates(self, candidates: Lesions | None, native_maps: NativeMaps) -> Lesions | None:
        """Places the maps of the candidates on the native grid; None if they are not kept."""
        if candidates is None or not self.keep_candidates:
            return None
        return candidates._replace(
            classes=native_maps.to_full_volume(candidates.classes),
            instances=native_maps.to_full_volume(candidates.instances),
        )

    def check_plausibility(
        self,
        pred: MetaTensor,
        image: Any,
        user_liver: NDArray[Any] | None,
        liver: NDArray[np.bool_],
        native: NDArray[np.float64],
    ) -> tuple[list[str], dict[str, Any] | None]:
        """Collects warnings about an unusual input or result, and decides whether to trust it.

        Args:
            pred: (C, X, Y, Z) on the network's grid.
            image: (4, X, Y, Z) on the same grid, or None.
            user_liver: (X, Y, Z) liver mask of the user on the native grid.
            liver: (X, Y, Z) predicted liver on the native grid.
            native: (4, 4) affine of that grid.

        Returns:
            The warnings, and the decision of the gate; None without a gate, `window` or `image`.
        """
        affine = pred.affine.cpu().numpy().astype(np.float64)
        maps, steps = pred.as_tensor()[: len(CLASSES)].cpu().numpy(), np.linalg.norm(affine[:3, :3], axis=0)
        classes = classify_voxels(maps, self.choices["lesion_threshold"])
        liver_on_network_grid = compute_liver_region(classes, steps.tolist(), grow_mm=0.0)
        if user_liver is None:
            warnings = check_liver(liver, native, find_reached_ends(liver_on_network_grid, affine))
            warnings += check_region_border(liver_on_network_grid, maps[BACKGROUND], affine, self.contact_cm2)
        else:
            warnings = check_liver(liver, native)
        if self.window is None or not isinstance(image, torch.Tensor):
            return warnings, None
        phases = np.asarray(image)
        warnings += check_phase_order(phases, classes == LIVER, self.window)
        contradictions = check_header_orientation(phases, classes >= LIVER, self.window, steps.tolist())
        trust = (
            None
            if self.trust is None
            else self.trust.assess(
                liver_on_network_grid, maps, phases, steps.tolist(), self.window, contradictions
            )
        )
        return [*warnings, *contradictions], trust


def copy_metadata(data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
    """Copies the affine and the native grid of `image` to `pred`, which an inferer may return without them.

    Args:
        data: `image` (4, X, Y, Z), a MetaTensor, and `pred` (C, X, Y, Z) on its grid.

    Raises:
        ValueError: the image has no metadata, or the prediction is not on its grid.
    """
    pred, image = data["pred"], data["image"]
    if not isinstance(image, MetaTensor) or not image.applied_operations:
        raise ValueError("`image` has no metadata: it must be the MetaTensor from `preprocessing`")
    if not isinstance(pred, torch.Tensor) or pred.shape[1:] != image.shape[1:]:
        raise ValueError(f"`pred` must be on the grid of `image`, {tuple(image.shape[1:])}")
    plain = pred.as_tensor() if isinstance(pred, MetaTensor) else pred
    return {**data, "pred": MetaTensor(plain, meta=image.meta, applied_operations=image.applied_operations)}


def postprocessing(*, transform: Compose, **choices: Any) -> Compose:
    """Builds the transform that resamples probabilities to the native grid and computes the diagnosis.

    Probabilities are resampled linearly before classes are decided; resampled labels would be less accurate.

    Args:
        transform: the preprocessing that produced the image; it records the native grid.
        **choices: arguments of `Diagnosed`.

    Raises:
        ValueError: no step of `transform` is invertible, so the native grid is unknown.
    """
    if not any(isinstance(step, InvertibleTransform) for step in transform.transforms):
        raise ValueError("`transform` must be the invertible preprocessing that produced the image")
    settings = getattr(transform, "settings", {})
    return Compose([copy_metadata, Diagnosed(**{"window": settings.get("window"), **choices})])
