"""Follow each lesion over all dates of a patient: one track a lesion, with merging and splitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.followup.match_lesions import Links, MatchLimits, match_lesions


@dataclass
class Track:
    """One lesion over all dates.

    Attributes:
        lesion: number of the lesion in the patient, from 1.
        instances: date number -> lesion number in that date's result, for the dates that show it.
        merged_into: the track into which it merged, and the date; it ends there.
        split_from: the track of which it was a part, and the date of the separation.
    """

    lesion: int
    instances: dict[int, int] = field(default_factory=dict)
    merged_into: tuple[int, int] | None = None
    split_from: tuple[int, int] | None = None

    @property
    def first(self) -> int:
        """First date that shows it."""
        return min(self.instances)

    def last_before(self, number: int) -> int | None:
        """Returns the last date before a date that shows it; None if there is none."""
        earlier = [other for other in self.instances if other < number]
        return max(earlier) if earlier else None


def build_tracks(maps: Sequence[NDArray[np.uint16]], spacing: float, limits: MatchLimits) -> list[Track]:
    """Build the tracks of a patient.

    Args:
        maps: (X, Y, Z) lesion numbers of each date on one grid, in order of the dates.
        spacing: mm of the grid, the same along all axes.
        limits: limits of the matching.
    """
    tracks: list[Track] = []
    for number, numbers in enumerate(maps):
        earlier = paint_last_seen(tracks, maps, number)
        links = match_lesions(earlier, numbers, spacing, limits)
        _extend(tracks, links, [int(n) for n in np.unique(numbers) if n], number)
    return tracks


def paint_last_seen(
    tracks: Sequence[Track], maps: Sequence[NDArray[np.uint16]], number: int
) -> NDArray[np.uint16]:
    """Paint each track's last mask before a date, with the track's number; merged tracks are left out."""
    painted = np.zeros(maps[0].shape, np.uint16)
    for date_number in range(number):
        for track in tracks:
            if track.merged_into is None and track.last_before(number) == date_number:
                painted[maps[date_number] == track.instances[date_number]] = track.lesion
    return painted


def _extend(tracks: list[Track], links: Links, instances: Sequence[int], number: int) -> None:
    by_lesion = {track.lesion: track for track in tracks}
    owner: dict[int, Track] = {}
    for lesion, instance in links.pairs.items():
        by_lesion[lesion].instances[number] = instance
        owner[instance] = by_lesion[lesion]
    for instance in instances:
        if instance not in owner:
            track = Track(len(tracks) + 1, {number: instance})
            if instance in links.split:
                track.split_from = (links.split[instance], number)
            tracks.append(track)
            owner[instance] = track
    for lesion, instance in links.merged.items():
        by_lesion[lesion].merged_into = (owner[instance].lesion, number)
