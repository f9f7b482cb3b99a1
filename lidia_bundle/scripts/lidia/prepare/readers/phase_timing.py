"""Which scan of a study is which phase: by the words of its description, else by the order and gaps in time.

The rule is for archives whose scans follow one protocol: what no word names is taken for the scans after one
injection, in the order of their time. It never guesses: what does not fit stays without a phase.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from scripts.lidia.prepare.foreign_names import normalize_name
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.readers.dicom_stacks import Stack

SAME_SCAN_S = 3.0
"""Reconstructions of one scan begin within so many seconds of one another."""
AFTER_ARTERIAL_S = {"venous": (12.0, 90.0), "delayed": (90.0, 1800.0)}
"""Seconds from the start of the arterial scan to that of a later phase."""


def phases_of(stacks: Sequence[Stack], layout: Layout, first: Stack | None = None) -> dict[str, Stack]:
    """The scan of each phase of one study.

    The user's `phase_map` comes first, by SeriesInstanceUID, by description, or by description and
    acquisition ("LIVER#2"); then words in the description; then time. Of several
    reconstructions of a phase `first` is taken, else the one with the most slices.

    Args:
        stacks: of one study.
        layout: the words and the user's.
        first: the scan that was drawn on.
    """
    named: dict[str, list[Stack]] = {}
    rest: list[Stack] = []
    for stack in stacks:
        phase = _told(stack, layout)
        named.setdefault(phase, []).append(stack) if phase else rest.append(stack)
    for phase, scan in _in_time(_scans(rest), named.get("arterial", [])).items():
        named.setdefault(phase, []).extend(scan)
    return {phase: first if first in found else max(found, key=_slices) for phase, found in named.items()}


def in_words(stack: Stack) -> str:
    """A scan by its description, acquisition and size."""
    number = f", acquisition {stack.acquisition}" if stack.acquisition else ""
    return f"{stack.description!r}{number}, {len(stack.paths)} slices"


def _told(stack: Stack, layout: Layout) -> str | None:
    given = {normalize_name(key): str(phase) for key, phase in layout.phase_map.items()}
    for name in (stack.series, f"{stack.description}#{stack.acquisition}", stack.description):
        if normalize_name(name) in given:
            return layout.phase(given[normalize_name(name)], stack.paths[0].parent)
    words = layout.words.phases
    tokens = re.findall(r"[a-z]+", stack.description.lower().replace("w/o", "wo"))
    found = {words[token] for token in tokens if token in words}
    return found.pop() if len(found) == 1 else None


def _scans(stacks: Sequence[Stack]) -> list[list[Stack]]:
    """Reconstructions of one scan together, in the order of time; those without a time are left out."""
    scans: list[list[Stack]] = []
    for stack in sorted((s for s in stacks if s.seconds is not None), key=_start):
        if scans and _start(stack) - _start(scans[-1][0]) <= SAME_SCAN_S:
            scans[-1].append(stack)
        else:
            scans.append([stack])
    return scans


def _in_time(scans: Sequence[list[Stack]], arterial: Sequence[Stack]) -> dict[str, list[Stack]]:
    """Phases of scans that no word names, after the arterial one, which may be the first of them."""
    found: dict[str, list[Stack]] = {}
    starts = [_start(stack) for stack in arterial if stack.seconds is not None]
    left = list(scans)
    if not starts:
        low, high = AFTER_ARTERIAL_S["venous"]
        if len(left) < 2 or not low <= _start(left[1][0]) - _start(left[0][0]) <= high:
            return {}
        found["arterial"] = left.pop(0)
        starts = [_start(found["arterial"][0])]
    for scan in left:
        gap = _start(scan[0]) - min(starts)
        for phase, (low, high) in AFTER_ARTERIAL_S.items():
            if low <= gap <= high:
                found.setdefault(phase, scan)
                break
    return found


def _start(stack: Stack) -> float:
    return stack.seconds or 0.0


def _slices(stack: Stack) -> int:
    return len(stack.paths)
