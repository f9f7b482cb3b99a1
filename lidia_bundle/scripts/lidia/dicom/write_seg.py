"""Makes a DICOM SEG of liver and lesions that refers to the source series; segment 1 is the liver."""

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

MAX_LABEL_LENGTH = 64
"""Characters of a DICOM long string (LO); highdicom accepts more."""


def make_segmentation(
    liver: NDArray[Any], instances: NDArray[Any], records: Sequence[Mapping[str, Any]], origin: Origin
) -> Segmentation:
    """Makes the BINARY SEG of a patient; without findings the liver segment is empty.

    Args:
        liver: (X, Y, Z) mask on the grid of `make_stack(origin.source)`, lesions included.
        instances: (X, Y, Z) lesion numbers on the same grid.
        records: lesions of `ID.json`.
        origin: from `make_origin`.
    """
    stack = make_stack(origin.source)
    masks = [np.transpose(liver, (2, 1, 0))[stack.order] > 0]
    numbers = np.transpose(instances, (2, 1, 0))[stack.order]
    masks += [numbers == record["instance"] for record in records]
    source, further = list(origin.source), None
    has_finding = masks[0].any(axis=(1, 2)) | (numbers > 0).any(axis=(1, 2))
    if has_finding.any() and len(source) > 1:
        # Slices without a finding would take memory in every segment, and get no frame anyway.
        further = [source[number] for number in np.flatnonzero(~has_finding)] or None
        source = [source[number] for number in np.flatnonzero(has_finding)]
        masks = [mask[has_finding] for mask in masks]
    with silence_warnings():
        segmentation = Segmentation(
            source_images=source,
            pixel_array=np.stack(masks, axis=-1).astype(np.uint8),
            segmentation_type="BINARY",
            segment_descriptions=_make_descriptions(records, origin),
            content_label=NAME,
            content_description=NOTE,
            further_source_images=further,
            **origin.make_common_arguments("SEG", 1),
        )
    segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = _make_pixel_measures(stack)
    return complete_object(segmentation, origin)


def _make_pixel_measures(stack: Stack) -> PixelMeasuresSequence:
    """Computes the spacing from positions: headers may be wrong; highdicom writes 1 mm for one slice."""
    columns, rows, slices = (float(step) for step in np.linalg.norm(stack.affine[:3, :3], axis=0))
    return PixelMeasuresSequence((rows, columns), slice_thickness=slices, spacing_between_slices=slices)


def _make_descriptions(records: Sequence[Mapping[str, Any]], origin: Origin) -> list[SegmentDescription]:
    choices: dict[str, Any] = {
        "algorithm_type": "AUTOMATIC",
        "algorithm_identification": origin.make_algorithm(),
        "anatomic_regions": [codes.LIVER],
    }
    liver = SegmentDescription(1, "liver", codes.ORGAN, codes.LIVER, **{**choices, "anatomic_regions": None})
    return [
        liver,
        *(
            SegmentDescription(
                get_segment_number(record),
                get_segment_label(record),
                codes.LESION,
                codes.TYPES[record["type"]],
                tracking_id=make_tracking_id(record),
                tracking_uid=make_tracking_uid(record, origin),
                **choices,
            )
            for record in records
        ),
    ]


def get_segment_number(record: Mapping[str, Any]) -> int:
    """Returns the segment number of a lesion."""
    return int(record["instance"]) + 1


def get_segment_label(record: Mapping[str, Any]) -> str:
    """Returns the label of a lesion's segment."""
    return f"lesion {record['instance']}: {record['type']}"[:MAX_LABEL_LENGTH]


def make_tracking_id(record: Mapping[str, Any]) -> str:
    """Returns the name of a lesion, equal in SEG and SR, without patient data.

    A follow-up gives `tracking_id`, equal at all dates; otherwise the name is that of the series.
    """
    return str(record.get("tracking_id") or f"{NAME} lesion {record['instance']}")


def make_tracking_uid(record: Mapping[str, Any], origin: Origin) -> str:
    """Returns the globally unique identifier of a lesion, equal in SEG and SR (and at all dates)."""
    return str(record.get("tracking_uid") or origin.make_uid(make_tracking_id(record)))
