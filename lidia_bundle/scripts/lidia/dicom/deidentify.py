"""De-identifies SEG, SR, RTSTRUCT and PDF by PS3.15's Basic Application Confidentiality Profile, Table E.1-1.

The table comes from the package dicom-anonymizer and is applied at all nesting levels. Values that LIDIA
writes (series description, the network as a device, the report's content) are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from dicomanonymizer.simpledicomanonymizer import replace_element
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import generate_uid

from scripts.lidia.dicom import codes
from scripts.lidia.dicom.provenance import NAME, UNKNOWN_TIME

EDITION = "dicomfields_2026c"
OWN_ATTRIBUTES = (
    "SeriesDescription",
    "DeviceSerialNumber",
    "StructureSetLabel",
    "StructureSetDescription",
    "EncapsulatedDocument",
)
"""Attributes of the table that LIDIA writes at the top level; in nested items they are the scanner's."""
CONTENT = ("ContentSequence", "ROIName")
"""The content tree of a report, and the names of structures. LIDIA writes them, so they are kept; the items
of the tree are checked like all others."""
REPLACEMENTS = {
    "ContentDate": UNKNOWN_TIME[0],
    "ContentTime": UNKNOWN_TIME[1],
    "StructureSetDate": UNKNOWN_TIME[0],
    "StructureSetTime": UNKNOWN_TIME[1],
}
"""Values for attributes that must not be empty."""


def deidentify(dataset: Dataset, *, uids: Literal["keep", "replace"] = "keep") -> None:
    """Removes patient identity, and the time, place and staff of the scan, from an object, in place.

    Args:
        dataset: SEG, SR, RTSTRUCT, or Encapsulated PDF whose text has no identity.
        uids: "keep" leaves study, series, slices and segments connected (Retain UIDs Option);
            "replace" replaces every UID. An old UID gets the same new one in every object and every run.
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
    # a hash of the study's UID: a viewer does not join the studies of a patient, and the hash reveals no more
    # than the UID itself
    pseudonym = sha256(str(dataset.StudyInstanceUID).encode()).hexdigest()[:16]
    dataset.remove_private_tags()
    _clean(dataset, actions, own=OWN_ATTRIBUTES)
    dataset.PatientID = pseudonym
    dataset.PatientIdentityRemoved, dataset.LongitudinalTemporalInformationModified = "YES", "REMOVED"
    uid_option = [codes.KEEP_UIDS] if uids == "keep" else []
    dataset.DeidentificationMethodCodeSequence = [
        CodedConcept.from_code(code)
        for code in (codes.PROFILE, codes.CLEAN_CONTENT, codes.KEEP_DEVICE, *uid_option)
    ]
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID


def _clean(dataset: Dataset, actions: Mapping[tuple[int, ...], str], own: tuple[str, ...] = ()) -> None:
    for element in list(dataset):
        action = actions.get((element.tag.group, element.tag.element), "keep")
        action = "keep" if element.keyword in (*CONTENT, *own) else action
        if element.is_empty:
            continue
        if action == "remove":
            del dataset[element.tag]
        elif action == "empty":
            element.value = REPLACEMENTS.get(element.keyword, None if element.VR != "SQ" else [])
        elif action == "replace":
            replace_element(element)
        elif action == "rename":
            uids = element.value if isinstance(element.value, MultiValue) else [element.value]
            element.value = [generate_uid(entropy_srcs=[NAME, "deidentified", str(uid)]) for uid in uids]
        if element.VR == "SQ":
            for item in element.value:
                _clean(item, actions)
