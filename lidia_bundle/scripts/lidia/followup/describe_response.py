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
    merged = _group_merged(comparison, targets)
    observations = [
        {lesion: _observe_together(comparison, merged.get(lesion, [lesion]), number) for lesion in disease}
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


def _group_merged(comparison: Comparison, targets: Sequence[int]) -> dict[int, list[int]]:
    """Finds the lesions that merge with each target at any date, so that all dates sum the same lesions.

    If several targets merge with each other, the lesions that are no targets are added to one of them.
    """
    tracks = {track.lesion: track for track in comparison.tracks}
    wholes: dict[int, list[int]] = {}
    for lesion in tracks:
        whole = lesion
        while (place := tracks[whole].merged_into) is not None:
            whole = place[0]
        wholes.setdefault(whole, []).append(lesion)
    groups = {target: [target] for target in targets}
    for whole, lesions in wholes.items():
        merged_targets = [lesion for lesion in lesions if lesion in targets]
        if merged_targets:
            owner = whole if whole in targets else merged_targets[0]
            groups[owner] += [lesion for lesion in lesions if lesion not in targets]
    return groups


def _observe_together(comparison: Comparison, lesions: Sequence[int], number: int) -> Observation:
    """Adds the diameters of lesions at a date."""
    observed = [_observe(comparison, lesion, number) for lesion in lesions]
    states = {entry.state for entry in observed}
    if NOT_COVERED in states:
        return Observation(NOT_COVERED)
    if PRESENT not in states:
        return observed[0]
    return Observation(PRESENT, sum(entry.longest_mm for entry in observed))


def _observe(comparison: Comparison, lesion: int, number: int) -> Observation:
    """Observes a lesion at a date (RECIST 1.1, section 4.3.2, merging and fragments)."""
    tracks = {track.lesion: track for track in comparison.tracks}
    track, state = tracks[lesion], comparison.state(tracks[lesion], number)
    if state == MERGED:  # the whole is counted in the other lesion
        return Observation(PRESENT, 0.0)
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
