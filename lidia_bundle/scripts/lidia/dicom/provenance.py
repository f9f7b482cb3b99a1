"""Defines the attributes that SEG and SR share: source, software, and reproducible UIDs and times."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.base import SOPClass
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from scripts.lidia.dicom.codes import FAMILY

MAKER = "LIDIA for MONAI"
NAME = "LIDIA"
NOTE = "Research only. Not a medical device, not for diagnosis."
UNKNOWN_TIME = ("19000101", "000000")
"""Date and time for a source without any."""
RESULT_KEYS = (
    "grid_phase",
    "phases_used",
    "probabilities",
    "malignant",
    "benign",
    "calibrated",
    "lesions",
    "warnings",
)
"""Keys of `ID.json` that the objects depend on; others, such as the seconds of a registration, change."""


FRAMES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
"""Elements of an enhanced multi-frame source, which no object copies."""


class Origin(NamedTuple):
    """The source series and the software that a DICOM object was made from."""

    source: Sequence[Dataset]
    """Headers of the series, see `read_source`."""
    version: str
    """Version of the bundle."""
    weights: str
    """SHA-256 of the weights."""
    content: str
    """SHA-256 of the findings; other findings make another object."""

    def make_uid(self, what: str, *, content: bool = True) -> UID:
        """Makes a UID from the series, the purpose `what` and, if `content`, the findings."""
        series = str(self.source[0].SeriesInstanceUID)
        return generate_uid(entropy_srcs=[series, NAME, what, self.content if content else ""])

    def make_common_arguments(self, kind: str, number: int) -> dict[str, Any]:
        """Makes the arguments that highdicom's classes share; the content time is that of the source.

        Args:
            kind: kind of the object, e.g. "SEG".
            number: 1 to 9, added to ten times the series number of the source.
        """
        date, time = _find_content_time(self.source[0])
        return {
            "series_instance_uid": self.make_uid(f"{kind} series", content=False),
            "sop_instance_uid": self.make_uid(kind),
            "series_number": 10 * int(self.source[0].get("SeriesNumber") or 0) + number,
            "instance_number": 1,
            "manufacturer": MAKER,
            "manufacturer_model_name": NAME,
            "software_versions": self.version,
            "device_serial_number": self.weights[:16],
            "series_description": f"{NAME} {kind} (research only)",
            "content_date": date,
            "content_time": time,
        }

    def make_algorithm(self) -> AlgorithmIdentificationSequence:
        """Describes the network and its weights."""
        return AlgorithmIdentificationSequence(
            name=NAME, family=FAMILY, version=self.version, parameters={"weights_sha256": self.weights}
        )


def make_origin(
    source: Sequence[Dataset], liver: NDArray[Any], instances: NDArray[Any], result: Mapping[str, Any]
) -> Origin:
    """Makes the origin of the findings of a patient.

    Args:
        source: headers of the series.
        liver: (X, Y, Z) mask.
        instances: (X, Y, Z) lesion numbers.
        result: content of `ID.json`.
    """
    entries, versions = [result[key] for key in RESULT_KEYS], result["versions"]
    content = sha256(repr((entries, versions)).encode())
    content.update(np.packbits(liver > 0).tobytes() + np.ascontiguousarray(instances, np.uint16).tobytes())
    weights = versions["weights_sha256"]  # a list for an ensemble
    weights_text = weights if isinstance(weights, str) else ", ".join(weights)
    return Origin(source, versions["bundle"], weights_text, content.hexdigest())


def complete_object(dataset: Dataset, origin: Origin) -> Dataset:
    """Removes random and clock-dependent values, and copies the elements that are shared with the source.

    highdicom adds the patient's and the study's elements of the source themselves to an object, and those of
    a SEG to its SR. Without copies, a change of one object (`deidentify`) would change the others.
    """
    for element in list(dataset):
        if element.tag in origin.source[0] and element.keyword not in FRAMES:
            dataset[element.tag] = deepcopy(element)
    for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
        delattr(dataset, keyword)
    for equipment in dataset.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in equipment:
            del equipment.ContributionDateTime
    dimensions = origin.make_uid("dimensions")
    for element in dataset.iterall():
        if element.keyword == "DimensionOrganizationUID":
            element.value = dimensions
    return dataset


def make_object(
    origin: Origin, storage: UID, modality: str, kind: str, number: int
) -> tuple[Dataset, str, str]:
    """Makes an object with patient, study and equipment, which highdicom has no class for.

    Args:
        origin: from `make_origin`.
        storage: SOP class.
        modality: of its series.
        kind: kind of the object, see `Origin.make_common_arguments`.
        number: 1 to 9, see there.

    Returns:
        The object, and date and time of the content, which are those of the source.
    """
    source, arguments = origin.source[0], origin.make_common_arguments(kind, number)
    date, time = arguments.pop("content_date"), arguments.pop("content_time")
    with silence_warnings():
        dataset = SOPClass(
            study_instance_uid=source.StudyInstanceUID,
            sop_class_uid=storage,
            modality=modality,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            **arguments,
        )
        dataset.copy_patient_and_study_information(source)
    return complete_object(dataset, origin), date, time


def _find_content_time(source: Dataset) -> tuple[str, str]:
    """Returns date and time of content, else of acquisition, series or study."""
    times = [
        (str(source.get(f"{kind}Date") or ""), str(source.get(f"{kind}Time") or "000000"))
        for kind in ("Content", "Acquisition", "Series", "Study")
    ]
    return next((moment for moment in times if moment[0]), UNKNOWN_TIME)


@contextmanager
def silence_warnings() -> Iterator[None]:
    """Silences highdicom's messages on copied attributes and on names without a caret."""
    log = logging.getLogger("highdicom")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The string .* is unlikely to represent")
            yield
    finally:
        log.setLevel(before)
