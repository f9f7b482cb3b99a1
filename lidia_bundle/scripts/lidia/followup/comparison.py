"""Align all dates of one patient, follow the lesions, and decide what each date shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.followup.align_studies import REFERENCE, StudyAlignment, align_study, sample_mask
from scripts.lidia.followup.coverage import compute_covered_share, lacks_phases
from scripts.lidia.followup.lesion_change import ChangeLimits, GrowthLimits
from scripts.lidia.followup.match_lesions import MatchLimits
from scripts.lidia.followup.read_study import Study
from scripts.lidia.followup.recist import ABSENT, NOT_COVERED, PRESENT, RecistLimits
from scripts.lidia.followup.tracks import Track, build_tracks
from scripts.lidia.geometry.grid import Grid, to_mm
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.registration.lattice import make_lattice

MERGED = "merged"


class Settings(NamedTuple):
    """Settings of a comparison, from the config.

    Attributes:
        registration: see `align_study`.
        matching: `min_overlap`, `contained`, `max_distance_mm`, `max_distance_unregistered_mm`,
            `min_covered`, `visible_hu` and `spacing` (mm of the grid of the matching).
        change: limits of grown and shrunk.
        growth: limits of threshold growth.
        recist: limits of the response.
        repeatability: limits of agreement of two scans of an unchanged patient.
    """

    registration: Mapping[str, Any]
    matching: Mapping[str, float]
    change: ChangeLimits
    growth: GrowthLimits
    recist: RecistLimits
    repeatability: Mapping[str, float]


class Comparison:
    """The dates of one patient on the grid of the latest one, and their tracks.

    Args:
        studies: at least two dates, in order.
        settings: settings of the comparison.
    """

    def __init__(self, studies: Sequence[Study], settings: Settings) -> None:
        self.studies, self.settings = list(studies), settings
        latest = self.studies[-1]
        self.alignments: list[StudyAlignment] = [
            align_study(latest, study, settings.registration) for study in self.studies[:-1]
        ] + [REFERENCE]
        self.grid = self._make_grid()
        self.maps = [
            sample_mask(study, study.content.predicted.numbers, self.grid, alignment)
            for study, alignment in zip(self.studies, self.alignments, strict=True)
        ]
        self.tracks = build_tracks(self.maps, float(settings.matching["spacing"]), self._make_limits())
        self._add_unmapped()
        self._states: dict[tuple[int, int], str] = {}

    def _make_grid(self) -> Grid:
        """Make the grid of the matching: around the latest liver, and all lesions of the other dates."""
        content = self.studies[-1].content
        whole = make_lattice(Volume(content.liver, content.affine), float(self.settings.matching["spacing"]))
        margin = round(60 / float(self.settings.matching["spacing"]))
        return whole.crop(tuple(slice(-margin, size + margin) for size in whole.shape))

    def _make_limits(self) -> MatchLimits:
        """Make the limits of the matching; without a registration of all dates the distance is larger."""
        matching = self.settings.matching
        registered = all(alignment.is_registered for alignment in self.alignments)
        distance = matching["max_distance_mm" if registered else "max_distance_unregistered_mm"]
        return MatchLimits(matching["min_overlap"], matching["contained"], distance)

    def _add_unmapped(self) -> None:
        """Add a track for each lesion without a voxel on the grid (smaller than its voxels, or far away)."""
        for number, study in enumerate(self.studies):
            followed = {track.instances.get(number) for track in self.tracks}
            for instance in study.sizes:
                if instance not in followed:
                    self.tracks.append(Track(len(self.tracks) + 1, {number: instance}))

    def points_of(self, track: Track, number: int) -> NDArray[np.float64]:
        """Returns the voxels of a track at a date that shows it, (3, N) RAS mm of the latest date."""
        index = np.argwhere(self.maps[number] == track.instances[number]).T
        return to_mm(self.grid.affine, index.astype(float))

    def is_covered(self, track: Track, shown_at: int, number: int) -> bool:
        """Checks whether a date's scan shows the whole place of a track at another date."""
        points = self.points_of(track, shown_at)
        share = compute_covered_share(points, self.studies[number], self.alignments[number])
        return share >= self.settings.matching["min_covered"]

    def are_both_covered(self, track: Track, first: int, second: int) -> bool:
        """Checks whether each of two dates shows the whole place of the lesion at the other one."""
        return self.is_covered(track, first, second) and self.is_covered(track, second, first)

    def state(self, track: Track, number: int) -> str:
        """Returns `present`, `absent`, `merged` or `not covered`."""
        key = (track.lesion, number)
        if key not in self._states:
            self._states[key] = self._find_state(track, number)
        return self._states[key]

    def _find_state(self, track: Track, number: int) -> str:
        if number in track.instances:
            return PRESENT
        if track.merged_into is not None and number >= track.merged_into[1]:
            return MERGED
        shown_at = track.last_before(number)
        shown_at = track.first if shown_at is None else shown_at
        if not self.is_covered(track, shown_at, number):
            return NOT_COVERED
        dates = (self.studies[number], self.studies[shown_at])
        missing = lacks_phases(*dates, track.instances[shown_at], self.settings.matching["visible_hu"])
        return NOT_COVERED if missing else ABSENT

    def compute_days(self, first: int, second: int) -> float | None:
        """Computes the days between two dates; None if one is unknown."""
        dates = self.studies[first].date, self.studies[second].date
        return None if dates[0] is None or dates[1] is None else float((dates[1] - dates[0]).days)
