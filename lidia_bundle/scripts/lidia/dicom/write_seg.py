"""Liver and lesions as a DICOM SEG on the series they were found on: segment 1 is the liver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from highdicom import PixelMeasuresSequence
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray

from scripts.lidia.dicom import codes
from scripts.lidia.dicom.provenance import NAME, NOTE, Origin, complete_object, silence_warnings
from scripts.lidia.dicom.source_series import Stack, make_stack

LONGEST_LABEL = 64
"""Characters of DICOM's long string; highdicom takes more."""


def write_segments(
    liver: NDArray[Any], instances: NDArray[Any], records: Sequence[Mapping[str, Any]], origin: Origin
) -> Segmentation:
    """Makes the SEG of a patient, BINARY, which every viewer reads; without findings the liver is empty.

    Args:
        liver: (X, Y, Z) mask on the grid of `stack_of(origin.source)`, lesions included.
        instances: (X, Y, Z) lesion numbers on the same grid.
        records: lesions of `ID.json`.
        origin: see `origin_of`.

    Returns:
        The object, ready to be saved.
    """
    stack = make_stack(origin.source)
    masks = [np.transpose(liver, (2, 1, 0))[stack.order] > 0]
    numbers = np.transpose(instances, (2, 1, 0))[stack.order]
    masks += [numbers == record["instance"] for record in records]
    source, further = list(origin.source), None
    shown = masks[0].any(axis=(1, 2)) | (numbers > 0).any(axis=(1, 2))
    if shown.any() and len(source) > 1:
        # Slices without a finding take memory in every segment, and have no frame in the end.
        further = [source[number] for number in np.flatnonzero(~shown)] or None
        source = [source[number] for number in np.flatnonzero(shown)]
        masks = [mask[shown] for mask in masks]
    with silence_warnings():
        made = Segmentation(
            source_images=source,
            pixel_array=np.stack(masks, axis=-1).astype(np.uint8),
            segmentation_type="BINARY",
            segment_descriptions=_descriptions(records, origin),
            content_label=NAME,
            content_description=NOTE,
            further_source_images=further,
            **origin.common("SEG", 1),
        )
    made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = _pixel_measures(stack)
    return complete_object(made, origin)


def _pixel_measures(stack: Stack) -> PixelMeasuresSequence:
    """Spacing by positions: a scanner's own tag may be wrong, and of one slice highdicom says 1 mm."""
    columns, rows, slices = (float(step) for step in np.linalg.norm(stack.affine[:3, :3], axis=0))
    return PixelMeasuresSequence((rows, columns), slice_thickness=slices, spacing_between_slices=slices)


def _descriptions(records: Sequence[Mapping[str, Any]], origin: Origin) -> list[SegmentDescription]:
    choices: dict[str, Any] = {
        "algorithm_type": "AUTOMATIC",
        "algorithm_identification": origin.algorithm(),
        "anatomic_regions": [codes.LIVER],
    }
    liver = SegmentDescription(1, "liver", codes.ORGAN, codes.LIVER, **{**choices, "anatomic_regions": None})
    return [
        liver,
        *(
            SegmentDescription(
                segment_of(record),
                f"lesion {record['instance']}: {record['type']}"[:LONGEST_LABEL],
                codes.LESION,
                codes.TYPES[record["type"]],
                tracking_id=tracking_id(record),
                tracking_uid=tracking_uid(record, origin),
                **choices,
            )
            for record in records
        ),
    ]


def segment_of(record: Mapping[str, Any]) -> int:
    """Number of a lesion's segment."""
    return int(record["instance"]) + 1


def tracking_id(record: Mapping[str, Any]) -> str:
    """Name of a lesion within the series, the same in SEG and SR; it tells nothing of the patient."""
    return f"{NAME} lesion {record['instance']}"


def tracking_uid(record: Mapping[str, Any], origin: Origin) -> str:
    """Identifier of a lesion in the world, the same in SEG and SR."""
    return str(origin.uid(tracking_id(record)))
