"""Describe the response of one patient by RECIST 1.1, liver only, for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.lidia.followup.comparison import MERGED, Comparison
from scripts.lidia.followup.recist import (
    ABSENT,
    NOT_COVERED,
    PRESENT,
    Observation,
    assess_response,
    choose_targets,
)


def describe_response(comparison: Comparison) -> dict[str, Any]:
    """Describes the response by RECIST 1.1, liver only."""
    limits, tracks, studies = comparison.settings.recist, comparison.tracks, comparison.studies
    baseline = {
        track.lesion: (studies[0].types[track.instances[0]], studies[0].sizes[track.instances[0]].longest_mm)
        for track in tracks
        if 0 in track.instances
    }
    targets = choose_targets(baseline, limits)
    disease = [lesion for lesion, (kind, _) in baseline.items() if kind in limits.target_types]
    observations = [
        {lesion: _observe(comparison, lesion, number, targets) for lesion in disease}
        for number in range(len(studies))
    ]
    new_lesions: list[list[int]] = [[] for _ in studies]
    for track in tracks:
        kind = studies[track.first].types[track.instances[track.first]]
        is_new = track.first > 0 and track.split_from is None and kind in limits.target_types
        if is_new and all(comparison.state(track, number) == ABSENT for number in range(track.first)):
            new_lesions[track.first].append(track.lesion)
    others = [lesion for lesion in disease if lesion not in targets]
    rows = assess_response(targets, others, observations, new_lesions, limits)
    return {
        "targets": targets,
        "non_targets": others,
        "dates": [{"id": study.id, **row} for study, row in zip(studies, rows, strict=True)],
    }


def _observe(comparison: Comparison, lesion: int, number: int, targets: Sequence[int]) -> Observation:
    """Observes a lesion of the baseline at a date (RECIST 1.1, section 4.3.2, merging and fragments)."""
    tracks = {track.lesion: track for track in comparison.tracks}
    track, state = tracks[lesion], comparison.state(tracks[lesion], number)
    if state == MERGED and track.merged_into is not None:
        other = track.merged_into[0]
        if other in targets:
            return Observation(PRESENT, 0.0)
        return _observe(comparison, other, number, [*targets, lesion])
    parts = [track] + [t for t in comparison.tracks if t.split_from and t.split_from[0] == lesion]
    sizes = [
        comparison.studies[number].sizes[part.instances[number]].longest_mm
        for part in parts
        if number in part.instances
    ]
    if not sizes:
        return Observation(state)
    shown_at = track.last_before(number)
    if shown_at is not None and not comparison.is_covered(track, shown_at, number):
        return Observation(NOT_COVERED)
    return Observation(PRESENT, float(sum(sizes)))
