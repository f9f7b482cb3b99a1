"""Makes a DICOM RT Structure Set of liver and lesions (PS3.3 A.19), with one closed contour a plane.

ROI 1 is the liver, ROI n + 1 lesion n, as in the SEG. It is UNAPPROVED, since no person has read it. Lesions
are not called targets of a treatment: their interpreted type is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import RTStructureSetStorage

from scripts.lidia.dicom import codes
from scripts.lidia.dicom.multiframe import is_multiframe
from scripts.lidia.dicom.plane_contours import trace_contours
from scripts.lidia.dicom.provenance import NAME, NOTE, Origin, make_object
from scripts.lidia.dicom.source_series import Stack, make_stack
from scripts.lidia.dicom.write_seg import get_segment_label, get_segment_number

STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management, the retired class by which PS3.3 C.8.8.5 refers to a study."""
COLOURS = ((221, 130, 101), (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48))
"""Display colours: the liver's, then those of the lesions in turn."""
DECIMALS = 3
"""Decimals of a position in mm; a decimal string has 16 characters."""


def make_structure_set(
    liver: NDArray[Any], instances: NDArray[Any], records: Sequence[Mapping[str, Any]], origin: Origin
) -> Dataset:
    """Makes the RT Structure Set of a patient.

    Args:
        liver: (X, Y, Z) mask on the grid of `make_stack(origin.source)`, lesions included.
        instances: (X, Y, Z) lesion numbers on the same grid.
        records: lesions of `ID.json`.
        origin: from `make_origin`.
    """
    stack, source = make_stack(origin.source), origin.source
    dataset, date, time = make_object(origin, RTStructureSetStorage, "RTSTRUCT", "RTSTRUCT", 3)
    dataset.StructureSetDate, dataset.StructureSetTime = date, time
    dataset.OperatorsName = ""
    dataset.StructureSetLabel, dataset.StructureSetDescription = NAME, NOTE
    dataset.ApprovalStatus = "UNAPPROVED"
    dataset.FrameOfReferenceUID = source[0].FrameOfReferenceUID
    dataset.PositionReferenceIndicator = ""
    dataset.ReferencedFrameOfReferenceSequence = [_make_frame_of_reference(origin)]
    images = _make_image_references(source, stack)
    regions = [(1, "liver", codes.LIVER, liver > 0)]
    regions += [
        (
            get_segment_number(record),
            get_segment_label(record),
            codes.TYPES[record["type"]],
            instances == record["instance"],
        )
        for record in records
    ]
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    dataset.RTROIObservationsSequence = []
    for number, name, code, mask in regions:
        dataset.StructureSetROISequence.append(_make_region(number, name, source[0].FrameOfReferenceUID))
        dataset.ROIContourSequence.append(_make_contours(number, mask, stack, images))
        dataset.RTROIObservationsSequence.append(_make_observation(number, code))
    return dataset


def _make_frame_of_reference(origin: Origin) -> Dataset:
    """Refers to the series and its slices (PS3.3 C.8.8.5)."""
    first = origin.source[0]
    series = Dataset()
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ContourImageSequence = [_make_reference(header) for header in origin.source]
    study = Dataset()
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = STUDY_CLASS, first.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _make_reference(header: Dataset, frame: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def _make_image_references(source: Sequence[Dataset], stack: Stack) -> dict[int, Dataset]:
    """Makes a reference to the image of each slice of the stack."""
    if is_multiframe(source[0]):
        return {number: _make_reference(source[0], frame + 1) for frame, number in enumerate(stack.order)}
    return {number: _make_reference(header) for header, number in zip(source, stack.order, strict=True)}


def _make_region(number: int, name: str, frame_of_reference: str) -> Dataset:
    item = Dataset()
    item.ROINumber, item.ROIName = number, name
    item.ReferencedFrameOfReferenceUID = frame_of_reference
    item.ROIGenerationAlgorithm = "AUTOMATIC"
    return item


def _make_contours(
    number: int, mask: NDArray[np.bool_], stack: Stack, images: Mapping[int, Dataset]
) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = number
    lesion = COLOURS[1:][(number - 2) % (len(COLOURS) - 1)]
    item.ROIDisplayColor = list(COLOURS[0] if number == 1 else lesion)
    item.ContourSequence = []
    to_patient = np.diag([-1.0, -1.0, 1.0, 1.0]) @ stack.affine
    for level in np.flatnonzero(mask.any(axis=(0, 1))).tolist():
        for points in trace_contours(mask[:, :, level]):
            index = np.column_stack([points, np.full(len(points), level), np.ones(len(points))])
            positions = (index @ to_patient.T)[:, :3]
            contour = Dataset()
            contour.ContourImageSequence = [images[level]]
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{value:.{DECIMALS}f}" for value in positions.ravel()]
            item.ContourSequence.append(contour)
    return item


def _make_observation(number: int, code: Code) -> Dataset:
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.RTROIInterpretedType = "ORGAN" if number == 1 else ""
    item.ROIInterpreter = ""
    item.RTROIIdentificationCodeSequence = [CodedConcept.from_code(code)]
    return item
