"""Assigns scans of a study to phases, by terms in their description, else by acquisition times.

The rule is for archives whose scans follow one protocol: scans without a known term are taken as the scans
after one injection, in the order of time. Scans whose times do not fit get no phase.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from scripts.lidia.prepare.foreign_names import normalize_name
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.readers.dicom_stacks import Stack

SAME_SCAN_S = 3.0
"""Reconstructions of one scan start within this number of seconds."""
AFTER_ARTERIAL_S = {"venous": (12.0, 90.0), "delayed": (90.0, 1800.0)}
"""Range of seconds from the start of the arterial scan to that of a later phase."""


def assign_phases(stacks: Sequence[Stack], layout: Layout, first: Stack | None = None) -> dict[str, Stack]:
    """Returns the scan of each phase of one study.

    The user's `phase_map` has priority, by SeriesInstanceUID, by description, or by description and
    acquisition ("LIVER#2"); then terms in the description; then time. Of several
    reconstructions of a phase `first` is used, else the one with the most slices.

    Args:
        stacks: scans of one study.
        layout: the terms of the data set and the user's mappings.
        first: the annotated scan.
    """
    candidates: dict[str, list[Stack]] = {}
    rest: list[Stack] = []
    for stack in stacks:
        phase = _find_phase_by_name(stack, layout)
        candidates.setdefault(phase, []).append(stack) if phase else rest.append(stack)
    for phase, scan in _assign_phases_by_time(_group_scans(rest), candidates.get("arterial", [])).items():
        candidates.setdefault(phase, []).extend(scan)
    return {
        phase: first if first in scans else max(scans, key=lambda stack: len(stack.paths))
        for phase, scans in candidates.items()
    }


def describe_scan(stack: Stack) -> str:
    """Describes a scan by its description, acquisition and size."""
    number = f", acquisition {stack.acquisition}" if stack.acquisition else ""
    return f"{stack.description!r}{number}, {len(stack.paths)} slices"


def _find_phase_by_name(stack: Stack, layout: Layout) -> str | None:
    mapping = {normalize_name(key): str(phase) for key, phase in layout.phase_map.items()}
    for name in (stack.series, f"{stack.description}#{stack.acquisition}", stack.description):
        if normalize_name(name) in mapping:
            return layout.to_phase(mapping[normalize_name(name)], stack.paths[0].parent)
    terms = layout.terms.phases
    tokens = re.findall(r"[a-z]+", stack.description.lower().replace("w/o", "wo"))
    matches = {terms[token] for token in tokens if token in terms}
    return matches.pop() if len(matches) == 1 else None


def _group_scans(stacks: Sequence[Stack]) -> list[list[Stack]]:
    """Groups reconstructions of one scan, in the order of time; stacks without a time are left out."""
    scans: list[list[Stack]] = []
    for stack in sorted((s for s in stacks if s.seconds is not None), key=_get_start):
        if scans and _get_start(stack) - _get_start(scans[-1][0]) <= SAME_SCAN_S:
            scans[-1].append(stack)
        else:
            scans.append([stack])
    return scans


def _assign_phases_by_time(scans: Sequence[list[Stack]], arterial: Sequence[Stack]) -> dict[str, list[Stack]]:
    """Assigns phases by time after the arterial scan, which may be the first of the scans."""
    assigned: dict[str, list[Stack]] = {}
    starts = [_get_start(stack) for stack in arterial if stack.seconds is not None]
    remaining = list(scans)
    if not starts:
        low, high = AFTER_ARTERIAL_S["venous"]
        if len(remaining) < 2 or not low <= _get_start(remaining[1][0]) - _get_start(remaining[0][0]) <= high:
            return {}
        assigned["arterial"] = remaining.pop(0)
        starts = [_get_start(assigned["arterial"][0])]
    for scan in remaining:
        gap = _get_start(scan[0]) - min(starts)
        for phase, (low, high) in AFTER_ARTERIAL_S.items():
            if low <= gap <= high:
                assigned.setdefault(phase, scan)
                break
    return assigned


def _get_start(stack: Stack) -> float:
    return stack.seconds or 0.0
