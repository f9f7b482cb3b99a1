"""Derive lesions, liver mask and patient scores from the class map of one patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import SMALLEST_MM3
from scripts.lidia.postprocess.branch_scores import compute_branch_scores, split_branch
from scripts.lidia.postprocess.candidate_surroundings import FilteredCandidates, reject_outside_liver
from scripts.lidia.postprocess.class_map import (
    LESION_THRESHOLD,
    as_probabilities,
    classify_voxels,
    clear_lesions,
)
from scripts.lidia.postprocess.faint_candidates import add_faint_candidates
from scripts.lidia.postprocess.lesion_existence import ExistenceModel, add_existence
from scripts.lidia.postprocess.lesion_instances import Lesions, extract_lesions, select_lesions
from scripts.lidia.postprocess.liver_region import compute_liver_region, dilate
from scripts.lidia.postprocess.livermax import GROUPS, compute_livermax
from scripts.lidia.postprocess.narrow_parts import remove_narrow_parts
from scripts.lidia.postprocess.pixel_count import compute_pixel_count
from scripts.lidia.postprocess.type_scaling import TypeScaling
from scripts.lidia.vocabulary import BACKGROUND, LIVER

NO_LIVER = "no liver was found: every patient probability is 0 and has no meaning"
NAMED_SHARE = 0.02
"""Share of the liver from which a warning states the volume behind a narrow bridge that was dropped."""


class Diagnosis(NamedTuple):
    """Lesions, liver mask and patient scores of one patient."""

    classes: NDArray[np.uint8]
    """`(X, Y, Z)` lesion classes 2..9, 0 elsewhere."""
    instances: NDArray[np.uint16]
    """`(X, Y, Z)` lesion numbers 1..K, 0 elsewhere."""
    liver: NDArray[np.bool_]
    """`(X, Y, Z)` liver and lesions, not grown."""
    records: list[dict[str, Any]]
    """One record per lesion, see `extract_lesions` and `add_existence`."""
    livermax: dict[str, float]
    """Score by lesion type and group, 0..1."""
    pixelcount: dict[str, float]
    """Volume by lesion type and group, mm3."""
    warnings: list[str]
    branch: dict[str, float] | None = None
    """Scores of the network's patient branch, 0..1; None if the network has none."""
    left_out: Mapping[str, int] = MappingProxyType({})
    """Number of rejected candidates by reason: `doubtful`, `outside_liver`, `small`."""
    candidates: Lesions | None = None
    """All lesions before those below the operating point were removed; they differ in instance numbers."""


def diagnose(
    probabilities: ArrayLike,
    spacing: Sequence[float],
    affine: ArrayLike,
    *,
    user_liver: ArrayLike | None = None,
    grow_mm: float = 3.0,
    smooth: bool = False,
    smallest_mm3: float = SMALLEST_MM3,
    lesion_threshold: float = LESION_THRESHOLD,
    faint_threshold: float = 1.0,
    opening_mm: float = 0.0,
    shell_mm: float = 3.0,
    liver_share: float = 0.5,
    attached_cm2: float = 10.0,
    given_share: float = 0.1,
    existence: ExistenceModel | None = None,
    min_existence: float = 0.0,
    type_scaling: TypeScaling | None = None,
    groups: Mapping[str, Sequence[int]] = GROUPS,
) -> Diagnosis:
    """Compute the diagnosis of one patient from the class map.

    Args:
        probabilities: `(C, X, Y, Z)`, classes in the order of the vocabulary; the score maps of a patient
            branch follow if the network has one (see `split_branch`).
        spacing: mm per voxel along X, Y, Z.
        affine: `(4, 4)` from voxel indices to RAS mm.
        user_liver: `(X, Y, Z)` liver mask of the user; it replaces class 1.
        grow_mm: margin in mm by which the liver region extends beyond the liver.
        smooth: whether LiverMax uses the mean over 3x3x3 voxels.
        smallest_mm3: minimum volume of a lesion.
        lesion_threshold: lesion probability from which a voxel is a lesion, see `classify_voxels`.
        faint_threshold: lesion probability from which a voxel belongs to a faint candidate, see
            `add_faint_candidates`; from `lesion_threshold` on there are none.
        opening_mm: half the width of a bridge behind which a part of the liver is dropped, see
            `remove_narrow_parts`; 0 keeps all parts. Not used with `user_liver`.
        shell_mm: thickness of the shell around a candidate, see `reject_outside_liver`.
        liver_share: minimum share of liver in the shell; 0 disables the filter.
        attached_cm2: contact area with the liver from which a candidate is kept despite a smaller share.
        given_share: share of a candidate in `user_liver` from which it is kept despite a smaller share.
        existence: coefficients of the probability that a lesion exists; None uses the uncalibrated value.
        min_existence: minimum probability of existence of a reported lesion.
        type_scaling: calibration of the type probabilities of lesions; None leaves them as they are.
        groups: names of group scores and their classes.

    Raises:
        ValueError: the shapes do not fit, or the class map is not finite.
    """
    class_map, branch_maps = split_branch(probabilities)
    maps = as_probabilities(class_map)
    voxel_classes = classify_voxels(maps, lesion_threshold)
    if faint_threshold < lesion_threshold:
        voxel_classes = add_faint_candidates(voxel_classes, maps, faint_threshold)
    attached = voxel_classes
    notes: list[str] = []
    if user_liver is None and opening_mm > 0:
        attached, notes = _drop_narrow_parts(voxel_classes, maps, spacing, opening_mm)
    candidates = reject_outside_liver(
        attached,
        spacing,
        user_liver=user_liver,
        shell_mm=shell_mm,
        liver_share=liver_share,
        attached_cm2=attached_cm2,
        given_share=given_share,
        smallest_mm3=smallest_mm3,
    )
    filtered = candidates.classes
    liver, region = _find_region(candidates, filtered, spacing, grow_mm, user_liver)
    extracted = extract_lesions(
        maps,
        spacing,
        affine,
        classes=filtered,
        region=region,
        smallest_mm3=smallest_mm3,
        type_scaling=type_scaling,
    )
    extracted = extracted._replace(records=add_existence(extracted.records, existence))
    is_kept = [record["existence"] >= min_existence for record in extracted.records]
    lesions = extracted
    if not all(is_kept):
        lesions = select_lesions(extracted, is_kept)
        doubtful = (extracted.instances > 0) & (lesions.instances == 0)
        filtered = clear_lesions(filtered, maps, doubtful)
        liver, region = _find_region(candidates, filtered, spacing, grow_mm, user_liver)
    warnings = notes if region.any() else [NO_LIVER]
    if candidates.volumes_mm3:
        warnings.append(_describe_rejected(candidates.volumes_mm3, liver_share))
    return Diagnosis(
        lesions.classes,
        lesions.instances,
        # Lesions separated from the liver by a gap of less than `grow_mm` belong to the liver mask too.
        liver | (lesions.classes > 0),
        lesions.records,
        compute_livermax(maps, region, smooth=smooth, groups=groups),
        compute_pixel_count(lesions.classes, spacing, groups=groups),
        warnings,
        None if branch_maps is None else compute_branch_scores(branch_maps, lesions.classes),
        {
            "doubtful": is_kept.count(False),
            "outside_liver": len(candidates.volumes_mm3) + lesions.outside,
            "small": lesions.small,
        },
        extracted,
    )


def _find_region(
    candidates: FilteredCandidates,
    classes: NDArray[np.uint8],
    spacing: Sequence[float],
    grow_mm: float,
    user_liver: ArrayLike | None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the liver and the region that contains lesions, `(X, Y, Z)` each."""
    liver = compute_liver_region(classes, spacing, grow_mm=0.0, user_liver=user_liver)
    return liver, dilate(liver, spacing, grow_mm) & ~(candidates.rejected & ~liver)


def _drop_narrow_parts(
    classes: NDArray[np.uint8], maps: NDArray[np.floating], spacing: Sequence[float], opening_mm: float
) -> tuple[NDArray[np.uint8], list[str]]:
    """Reassign the liver voxels of parts behind a narrow bridge to background.

    Returns:
        The classes, and a warning if the parts are at least `NAMED_SHARE` of the liver.
    """
    liver = compute_liver_region(classes, spacing, grow_mm=0.0)
    is_dropped = (classes == LIVER) & ~remove_narrow_parts(liver, maps[BACKGROUND], spacing, opening_mm)
    count, whole = int((is_dropped & liver).sum()), int(liver.sum())
    share = count / max(whole, 1)
    warnings = []
    if share >= NAMED_SHARE:
        warnings.append(
            f"{count * float(np.prod(spacing)) / 1000:.0f} ml ({share:.0%} of what the network called liver) "
            f"were left out of the liver mask, because a bridge narrower than {2 * opening_mm:g} mm connects "
            "them with it: check that no part of the liver is missing"
        )
    return np.where(is_dropped, np.uint8(BACKGROUND), classes), warnings


def _describe_rejected(volumes_mm3: Sequence[float], liver_share: float) -> str:
    count = len(volumes_mm3)
    subject = "1 candidate lesion was" if count == 1 else f"{count} candidate lesions were"
    return (
        f"{subject} left out ({sum(volumes_mm3) / 1000:.1f} ml): less than {liver_share:.0%} of the tissue "
        "around a candidate is liver"
    )
