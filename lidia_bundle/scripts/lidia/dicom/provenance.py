"""What SEG and SR have in common: their makers and origins, with identifiers and times equal in every run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID, generate_uid

from scripts.lidia.dicom.codes import FAMILY

MAKER = "LIDIA for MONAI"
NAME = "LIDIA"
NOTE = "Research only. Not a medical device, not for diagnosis."
EPOCH = ("19000101", "000000")
"""Date and time of a source that has none."""
TOLD = (
    "grid_phase",
    "phases_used",
    "probabilities",
    "malignant",
    "benign",
    "calibrated",
    "lesions",
    "warnings",
)
"""What SEG and SR take from `ID.json`; notes, such as a registration's seconds, are not in them."""


class Origin(NamedTuple):
    """Where an object comes from."""

    source: Sequence[Dataset]
    """Headers of the series, see `read_source`."""
    version: str
    """Of the bundle."""
    weights: str
    """SHA-256."""
    content: str
    """SHA-256 of all that was found: other findings are another object."""

    def uid(self, what: str, *, content: bool = True) -> UID:
        """An identifier by the series, by what it is for and, if `content`, by what was found."""
        series = str(self.source[0].SeriesInstanceUID)
        return generate_uid(entropy_srcs=[series, NAME, what, self.content if content else ""])

    def common(self, kind: str, number: int) -> dict[str, Any]:
        """Arguments that highdicom's classes share; a source's time stands for the time of making.

        Args:
            kind: what the object is, e.g. "SEG".
            number: 1 to 9, of the series beside the source's.
        """
        date, time = _moment(self.source[0])
        return {
            "series_instance_uid": self.uid(f"{kind} series", content=False),
            "sop_instance_uid": self.uid(kind),
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

    def algorithm(self) -> AlgorithmIdentificationSequence:
        """The network with its weights."""
        return AlgorithmIdentificationSequence(
            name=NAME, family=FAMILY, version=self.version, parameters={"weights_sha256": self.weights}
        )


def make_origin(
    source: Sequence[Dataset], liver: NDArray[Any], instances: NDArray[Any], result: Mapping[str, Any]
) -> Origin:
    """Makes the origin of what was found for a patient.

    Args:
        source: headers of the series.
        liver: (X, Y, Z) mask.
        instances: (X, Y, Z) lesion numbers.
        result: content of `ID.json`.
    """
    told, made = [result[key] for key in TOLD], result["versions"]
    content = sha256(repr((told, made)).encode())
    content.update(np.packbits(liver > 0).tobytes() + np.ascontiguousarray(instances, np.uint16).tobytes())
    weights = made["weights_sha256"]  # of an ensemble a list
    named = weights if isinstance(weights, str) else ", ".join(weights)
    return Origin(source, made["bundle"], named, content.hexdigest())


def complete_object(made: Dataset, origin: Origin) -> Dataset:
    """Takes out of an object what highdicom draws by chance or reads off the clock."""
    for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
        delattr(made, keyword)
    for equipment in made.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in equipment:
            del equipment.ContributionDateTime
    dimensions = origin.uid("dimensions")
    for element in made.iterall():
        if element.keyword == "DimensionOrganizationUID":
            element.value = dimensions
    return made


def _moment(source: Dataset) -> tuple[str, str]:
    """The latest known date of the series with its time."""
    known = [
        (str(source.get(f"{kind}Date") or ""), str(source.get(f"{kind}Time") or "000000"))
        for kind in ("Content", "Acquisition", "Series", "Study")
    ]
    return next((moment for moment in known if moment[0]), EPOCH)


@contextmanager
def silence_warnings() -> Iterator[None]:
    """Silences highdicom about what it copies, and about names without a caret: they are the hospital's."""
    log = logging.getLogger("highdicom")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The string .* is unlikely to represent")
            yield
    finally:
        log.setLevel(before)
