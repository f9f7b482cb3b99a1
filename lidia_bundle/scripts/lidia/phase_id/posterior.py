"""Computes the probability of each phase for each acquisition from text, times, contrast tags and HU.

Every acquisition i has a likelihood L_i(p) of its evidence, given that it is phase p: the product over the
pieces of evidence. A joint assignment of phases to all acquisitions has the weight

    prod_i L_i(p_i) * prod_(neighbours in time) G(p_i, p_j, gap),

where G favours phases in their order at usual gaps, and is small for a repeated phase. The times are either
right (prior 0.95) or meaningless (anonymisers shift them); then G is left out. The confidence of a phase is
its marginal probability over all joint assignments.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.dicom.series_text import find_phases
from scripts.lidia.dicom.study import Series
from scripts.lidia.vocabulary import PHASES

SAME_SCAN_S = 3.0
"""Reconstructions of one scan begin within this number of seconds."""
TEXT_RELIABILITY = {"description": 0.93, "protocol": 0.6}
"""Probability that a text which names one phase names the right one."""
WRONG_TIMES_PROBABILITY = 0.05
REPEATED_PHASE_WEIGHT = 0.15
"""Weight of two successive acquisitions of one phase, relative to two of different phases."""
GAPS = {
    ("nc", "arterial"): (15, 3600), ("nc", "venous"): (40, 3600), ("nc", "delayed"): (90, 3600),
    ("arterial", "venous"): (12, 90), ("arterial", "delayed"): (75, 1800), ("venous", "delayed"): (45, 1800),
}  # fmt: skip
"""Usual seconds between two phases that follow one another."""
AFTER_INJECTION = {"nc": (-3600, 8), "arterial": (12, 50), "venous": (48, 115), "delayed": (105, 1800)}
"""Seconds from the start of the injection to that of the scan."""
UNUSUAL_TIME_WEIGHT = 0.05
"""Weight of a time outside the usual range."""


@dataclass
class Acquisition:
    """One scan with its reconstructions.

    Args:
        series: the reconstructions, the best for the liver first.
        likelihood: (4,) of the evidence, for each phase.
        why: the evidence, in words.
        user_phase: the phase that the user named for it; empty if none.
    """

    series: list[Series]
    likelihood: NDArray[np.float64] = field(default_factory=lambda: np.ones(len(PHASES)))
    why: list[str] = field(default_factory=list)
    user_phase: str = ""

    @property
    def time(self) -> datetime | None:
        """Start of the scan."""
        return min((s.time for s in self.series if s.time is not None), default=None)

    def weigh(self, likelihood: Mapping[str, float], why: str) -> None:
        """Multiplies the likelihood of a piece of evidence for each phase."""
        self.likelihood = self.likelihood * np.array([likelihood[phase] for phase in PHASES])
        self.why.append(why)


def group_acquisitions(series: Sequence[Series]) -> list[Acquisition]:
    """Groups reconstructions of one scan, in the order of their times.

    Args:
        series: all series that may be a phase.
    """
    scans: list[Acquisition] = []
    for item in sorted(series, key=lambda s: (s.time or datetime.max, s.name)):
        last = scans[-1].time if scans else None
        if item.time and last and (item.time - last).total_seconds() <= SAME_SCAN_S:
            scans[-1].series.append(item)
        else:
            scans.append(Acquisition([item]))
    for scan in scans:
        scan.series.sort(key=rate_reconstruction, reverse=True)
    return scans


def rate_reconstruction(series: Series) -> tuple[bool, bool, float, float]:
    """Rates a reconstruction for the liver; the larger tuple is better.

    First a soft kernel, then an extent that covers the liver, then slices near 1.5 mm: thinner ones have more
    noise, and the network needs 2.5 mm only.
    """
    thick = series.spacing[2]
    return not series.sharp, series.extent >= 120, -abs(np.log(max(thick, 0.1) / 1.5)), -series.spacing[0]


def weigh_tags(scans: Sequence[Acquisition]) -> None:
    """Weighs text, seconds after injection and contrast tags of all acquisitions."""
    for scan in scans:
        for source, trust in TEXT_RELIABILITY.items():
            phases: dict[str, str] = {}
            for series in scan.series:
                phases |= find_phases(getattr(series, source))
            if len(phases) == 1:
                [(phase, word)] = phases.items()
                rest = (1 - trust) / (len(PHASES) - 1)
                scan.weigh({p: trust if p == phase else rest for p in PHASES}, f"{source} says '{word}'")
        delay = _compute_seconds_after_injection(scan)
        if delay is not None:
            usual = [p for p, (low, high) in AFTER_INJECTION.items() if low <= delay <= high]
            likelihood = dict.fromkeys(PHASES, UNUSUAL_TIME_WEIGHT) | dict.fromkeys(usual, 1.0)
            scan.weigh(likelihood, f"{delay:.0f} s after the injection began")
    has_contrast = [any(series.contrast.strip() for series in scan.series) for scan in scans]
    if any(has_contrast) and not all(has_contrast):  # equal in all series, it holds no information
        for scan, contrast in zip(scans, has_contrast, strict=True):
            likely = dict.fromkeys(PHASES, 0.75 if contrast else 0.25) | {"nc": 0.25 if contrast else 0.75}
            scan.weigh(likely, f"{'a' if contrast else 'no'} contrast agent in its tags")


def _compute_seconds_after_injection(scan: Acquisition) -> float | None:
    for series in scan.series:
        if series.injected and series.time:
            seconds = (series.time - series.injected).total_seconds()
            if -3600 < seconds <= 1800 and seconds != 0:
                return seconds
    return None


def compute_posterior(scans: Sequence[Acquisition]) -> NDArray[np.float64]:
    """Computes the probability of each phase for each acquisition.

    Args:
        scans: in the order of their times.

    Returns:
        (scans, 4), rows sum to 1.
    """
    single = np.array([_compute_scan_likelihood(scan) for scan in scans]).reshape(len(scans), len(PHASES))
    result = single / single.sum(1, keepdims=True)
    times = {number: scan.time for number, scan in enumerate(scans) if scan.time is not None}
    if len(times) < 2:
        return result
    timed = list(times)
    gaps = [(stop - start).total_seconds() for start, stop in itertools.pairwise(times.values())]
    steps = [_compute_transition_weights(gap) for gap in gaps]
    weights, ordered = _forward_backward(single[timed], steps)
    prior, _ = _forward_backward(np.ones((len(timed), len(PHASES))), steps)
    right_times = (1 - WRONG_TIMES_PROBABILITY) * weights / prior
    wrong_times = WRONG_TIMES_PROBABILITY * float(np.prod(single[timed].mean(1)))
    result[timed] = (right_times * ordered + wrong_times * result[timed]) / (right_times + wrong_times)
    return result


def _compute_scan_likelihood(scan: Acquisition) -> NDArray[np.float64]:
    if scan.user_phase:
        return np.array([float(phase == scan.user_phase) for phase in PHASES])
    return np.maximum(scan.likelihood / scan.likelihood.max(), 1e-6)


def _compute_transition_weights(gap: float) -> NDArray[np.float64]:
    """Returns the weights (4, 4) of a phase (row) followed by another (column) after `gap` seconds."""
    step = REPEATED_PHASE_WEIGHT * np.eye(len(PHASES))
    for (early, late), (low, high) in GAPS.items():
        step[PHASES.index(early), PHASES.index(late)] = 1.0 if low <= gap <= high else UNUSUAL_TIME_WEIGHT
    return step


def _forward_backward(
    likelihood: NDArray[np.float64], steps: Sequence[NDArray[np.float64]]
) -> tuple[float, NDArray[np.float64]]:
    """Computes the sum over all assignments, and the marginals (n, 4), by the forward-backward algorithm."""
    forward, backward = [likelihood[0]], [np.ones(len(PHASES))]
    for step, here in zip(steps, likelihood[1:], strict=True):
        forward.append(forward[-1] @ step * here)
    for step, after in zip(reversed(steps), likelihood[:0:-1], strict=True):
        backward.append(step @ (after * backward[-1]))
    marginals = np.array(forward) * np.array(backward[::-1])
    total = float(marginals[0].sum())
    return total, marginals / total if total > 0 else marginals


def select_acquisitions(scans: Sequence[Acquisition], odds: NDArray[np.float64]) -> dict[str, int]:
    """Selects the acquisition of each phase, where there is one.

    Of several scans of one phase the most probable is selected, and of equally probable ones the later: the
    late arterial scan shows more of a lesion than the early one.

    Args:
        scans: in the order of their times.
        odds: (scans, 4) from `compute_posterior`.
    """
    selected: dict[str, int] = {}
    for number, row in enumerate(odds):
        phase = scans[number].user_phase or PHASES[int(row.argmax())]
        other = selected.get(phase)
        if other is None:
            selected[phase] = number
            continue
        column = PHASES.index(phase)
        ranks = [(bool(scans[i].user_phase), round(float(odds[i, column]), 1), i) for i in (other, number)]
        selected[phase] = max(ranks)[2]
    return selected
