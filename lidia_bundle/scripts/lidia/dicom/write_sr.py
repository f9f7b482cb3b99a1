"""Makes a DICOM SR (TID 1500) of the patient's probabilities and the measurements of each lesion.

It has a group for the patient (TID 1501), and groups for the liver and each lesion (TID 1411) that refer to
their segments of the SEG. The report is PRELIMINARY and UNVERIFIED, since no person has read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from highdicom import sr
from highdicom.seg import Segmentation
from pydicom import Dataset
from pydicom.sr.coding import Code

from scripts.lidia.dicom import codes
from scripts.lidia.dicom.provenance import MAKER, NAME, NOTE, Origin, complete_object, silence_warnings
from scripts.lidia.dicom.write_seg import get_segment_number, make_tracking_id, make_tracking_uid

DECIMALS = 9
"""Decimals that a DICOM decimal string (16 characters) holds for numbers below a million."""


def make_report(
    result: Mapping[str, Any], liver_mm3: float, segmentation: Segmentation, origin: Origin
) -> sr.Comprehensive3DSR:
    """Makes the SR of a patient.

    Args:
        result: content of `ID.json`.
        liver_mm3: volume of the liver with its lesions; the liver has no group where it is 0.
        segmentation: the SEG that holds the segments, see `make_segmentation`.
        origin: from `make_origin`.
    """
    groups = [_make_patient_group(result, origin)]
    if liver_mm3 > 0:
        tracking = sr.TrackingIdentifier(origin.make_uid("liver"), f"{NAME} liver")
        measures = [_make_measure(codes.VOLUME, liver_mm3, codes.MM3)]
        groups.append(_make_region_group(tracking, 1, codes.LIVER, measures, segmentation, origin))
    for record in result["lesions"]:
        tracking = sr.TrackingIdentifier(make_tracking_uid(record, origin), make_tracking_id(record))
        measures = [
            _make_measure(codes.VOLUME, record["volume_mm3"], codes.MM3),
            _make_measure(codes.LONG_AXIS, record["diameter_mm"], codes.MM),
            *_make_probability_measures(record["probabilities"]),
        ]
        if "existence" in record:
            measures.append(_make_measure(codes.EXISTENCE, record["existence"], codes.NO_UNITS))
        if "short_mm" in record:
            measures.insert(2, _make_measure(codes.SHORT_AXIS, record["short_mm"], codes.MM))
        kind, segment = codes.TYPES[record["type"]], get_segment_number(record)
        evaluations = _make_lirads_evaluations(record.get("lirads") or {})
        groups.append(
            _make_region_group(tracking, segment, kind, measures, segmentation, origin, evaluations)
        )
    observer = sr.ObserverContext(
        observer_type=codes.DEVICE,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=origin.make_uid("device"), name=NAME, manufacturer_name=MAKER, model_name=origin.version
        ),
    )
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.PROCEDURE,
        imaging_measurements=groups,
        title=codes.REPORT,
    )
    report[0].ContentSequence.append(_make_comments([NOTE, *result["warnings"]]))
    with silence_warnings():
        dataset = sr.Comprehensive3DSR(
            evidence=[segmentation, *origin.source],
            content=report,
            is_complete=True,
            **origin.make_common_arguments("SR", 2),
        )
    dataset.CodingSchemeIdentificationSequence = [_make_own_scheme()]
    return complete_object(dataset, origin)


def _make_patient_group(
    result: Mapping[str, Any], origin: Origin
) -> sr.MeasurementsAndQualitativeEvaluations:
    scores = {**result["probabilities"], "malignant": result["malignant"], "benign": result["benign"]}
    parameters = [
        f"weights SHA-256 {origin.weights}",
        f"grid phase {result['grid_phase']}",
        f"phases used {', '.join(result['phases_used'])}",
    ]
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(origin.make_uid("patient"), f"{NAME} patient"),
        finding_type=codes.TYPES["others"],
        finding_sites=[sr.FindingSite(codes.LIVER)],
        algorithm_id=sr.AlgorithmIdentification(NAME, origin.version, parameters=parameters),
        measurements=_make_probability_measures(scores),
        qualitative_evaluations=_make_patient_evaluations(result),
    )


def _make_patient_evaluations(result: Mapping[str, Any]) -> list[sr.QualitativeEvaluation]:
    evaluations = [
        sr.QualitativeEvaluation(codes.CALIBRATED, codes.YES if result["calibrated"] else codes.NO)
    ]
    point = (result.get("operating_point") or {}).get("name")
    if "trust" in result:
        answer = codes.YES if result["trust"]["trusted"] else codes.NO
        evaluations.append(sr.QualitativeEvaluation(codes.TRUSTED, answer))
    if point is not None:
        evaluations.append(sr.QualitativeEvaluation(codes.OPERATING_POINT, codes.POINTS[point]))
    return evaluations


def _make_region_group(
    tracking: sr.TrackingIdentifier,
    segment: int,
    kind: Code,
    measures: list[sr.Measurement],
    segmentation: Segmentation,
    origin: Origin,
    evaluations: list[sr.QualitativeEvaluation] | None = None,
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        finding_type=kind,
        finding_sites=[sr.FindingSite(codes.LIVER)],
        algorithm_id=sr.AlgorithmIdentification(NAME, origin.version),
        measurements=measures,
        qualitative_evaluations=evaluations or None,
        referenced_segment=sr.ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            segment,
            source_series=sr.SourceSeriesForSegmentation(origin.source[0].SeriesInstanceUID),
        ),
    )


def _make_lirads_evaluations(evidence: Mapping[str, Any]) -> list[sr.QualitativeEvaluation]:
    """Makes evaluations of the LI-RADS features, of contradictions, and of a suggested category."""
    features = evidence.get("features") or {}
    evaluations = [
        sr.QualitativeEvaluation(code, codes.STATES[features[name]["state"]])
        for name, code in codes.LIRADS_FEATURES.items()
        if name in features
    ]
    if "contradictions" in evidence:
        answer = codes.YES if evidence["contradictions"] else codes.NO
        evaluations.append(sr.QualitativeEvaluation(codes.CONTRADICTED, answer))
    category = (evidence.get("suggestion") or {}).get("category")
    if category is not None:
        evaluations.append(sr.QualitativeEvaluation(codes.LIRADS_CATEGORY, codes.CATEGORIES[category]))
    return evaluations


def _make_probability_measures(probabilities: Mapping[str, float]) -> list[sr.Measurement]:
    return [_make_measure(codes.PROBABILITIES[name], p, codes.NO_UNITS) for name, p in probabilities.items()]


def _make_measure(name: Code, value: float, unit: Code) -> sr.Measurement:
    return sr.Measurement(name=name, value=round(float(value), DECIMALS), unit=unit)


def _make_own_scheme() -> Dataset:
    """Identifies the private coding scheme."""
    scheme = Dataset()
    scheme.CodingSchemeDesignator = codes.OWN_SCHEME
    scheme.CodingSchemeName = scheme.CodingSchemeResponsibleOrganization = MAKER
    return scheme


def _make_comments(texts: list[str]) -> sr.ContainerContentItem:
    """Makes the text comments of the report (TID 1500, row 12)."""
    container = sr.ContainerContentItem(
        name=codes.EVALUATIONS, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )
    container.ContentSequence = sr.ContentSequence([
        sr.TextContentItem(
            name=codes.COMMENT, value=text, relationship_type=sr.RelationshipTypeValues.CONTAINS
        )
        for text in texts
    ])
    return container
