"""Taking the patient out of a SEG or SR: PS3.15's Basic Application Confidentiality Profile, Table E.1-1.

The table is that of the package dicom-anonymizer; it is applied to all levels of nesting here. What our own
objects say of themselves (description of the series, the network as a device, the report's content) stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from dicomanonymizer.simpledicomanonymizer import replace_element
from highdicom.sr import CodedConcept
from pydicom import DataElement, Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID, generate_uid

from scripts.lidia.dicom import codes
from scripts.lidia.dicom.provenance import EPOCH, NAME

EDITION = "dicomfields_2026c"
OWN = ("SeriesDescription", "DeviceSerialNumber")
"""Attributes of the table that are ours at the top of the object; further down they are the scanner's."""
CONTENT = "ContentSequence"
"""A report's tree, written by us throughout; what stands in it is looked at like everything else."""
NEEDED = {"ContentDate": EPOCH[0], "ContentTime": EPOCH[1]}
"""May not be empty: what stands there instead."""


def deidentify(made: Dataset, *, uids: Literal["keep", "replace"] = "keep") -> None:
    """Removes who the patient is, and when, where and by whom he was scanned, from an object, in place.

    Args:
        made: SEG or SR.
        uids: "keep" leaves study, series, slices and segments connected (Retain UIDs Option); "replace" gives
            all of them new identifiers, the same for the same old one in every object and every run.
    """
    table = dicom_anonymization_database_selector(EDITION)
    actions: dict[tuple[int, ...], str] = {}
    for group, action in (
        ("D_TAGS", "replace"),
        ("Z_TAGS", "empty"),
        ("Z_D_TAGS", "empty"),
        ("X_TAGS", "remove"),
        ("X_Z_TAGS", "remove"),
        ("X_D_TAGS", "remove"),
        ("X_Z_D_TAGS", "remove"),
        ("U_TAGS", "rename" if uids == "replace" else "keep"),
    ):
        actions.update(dict.fromkeys(table[group], action))
    # one patient's studies stay apart in a viewer; a kept study UID is told anyway
    pseudonym = sha256(str(made.StudyInstanceUID).encode()).hexdigest()[:16]
    made.remove_private_tags()
    _clean(made, actions, own=OWN)
    made.PatientID = pseudonym
    made.PatientIdentityRemoved, made.LongitudinalTemporalInformationModified = "YES", "REMOVED"
    kept = [codes.KEEP_UIDS] if uids == "keep" else []
    made.DeidentificationMethodCodeSequence = [
        CodedConcept.from_code(code)
        for code in (codes.PROFILE, codes.CLEAN_CONTENT, codes.KEEP_DEVICE, *kept)
    ]
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID


def _clean(dataset: Dataset, actions: Mapping[tuple[int, ...], str], own: tuple[str, ...] = ()) -> None:
    for element in list(dataset):
        action = actions.get((element.tag.group, element.tag.element), "keep")
        action = "keep" if element.keyword in (CONTENT, *own) else action
        if element.is_empty:
            continue
        if action == "remove":
            del dataset[element.tag]
        elif action == "empty":
            element.value = NEEDED.get(element.keyword, None if element.VR != "SQ" else [])
        elif action == "replace":
            replace_element(element)
        elif action == "rename":
            _rename(element)
        if element.VR == "SQ":
            for item in element.value:
                _clean(item, actions)


def _rename(element: DataElement) -> None:
    old = element.value
    element.value = [_other(uid) for uid in old] if isinstance(old, MultiValue) else _other(old)


def _other(uid: str) -> UID:
    return generate_uid(entropy_srcs=[NAME, "deidentified", str(uid)])
