"""Read each phase of a date once, for registration, contrasts and pictures."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.lidia.data.compact_scan import compact_scan
from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.geometry.volume import Volume


class StudyScans:
    """Phases of one date, read when they are first needed and then kept in memory.

    That they hold HU was checked when they were read for the network.

    Args:
        paths: NIfTI file or DICOM folder by phase.
        case: id of the date, for messages.
    """

    def __init__(self, paths: Mapping[str, str], case: str) -> None:
        self.paths, self.case = paths, case
        self._volumes: dict[str, Volume] = {}

    def read(self, phase: str) -> Volume:
        """Reads a phase in HU.

        Raises:
            CaseError: if the file cannot be read.
        """
        if phase not in self._volumes:
            voxels, affine, _ = read_phase(self.paths[phase], self.case, check_hu=False)
            self._volumes[phase] = compact_scan(voxels, affine)
        return self._volumes[phase]
