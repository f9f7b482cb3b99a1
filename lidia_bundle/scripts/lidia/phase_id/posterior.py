"""Which acquisition is which phase: words, times, contrast tags and the image, weighed together.

Every acquisition i has a likelihood L_i(p) of what is seen of it, given that it is phase p: the product of
its pieces of evidence. A joint naming of all acquisitions has the weight

    prod_i L_i(p_i) * prod_(neighbours in time) G(p_i, p_j, gap),

where G says that phases follow one another in time at usual gaps, and rarely twice. Either the times tell the
truth (prior 0.95), or they are worth nothing (anonymisers shift them) and G is left out. The confidence of a
name is its marginal probability over all joint namings.
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
"""Reconstructions of one scan begin within so many seconds of one another."""
WORDS = {"description": 0.93, "protocol": 0.6}
"""Probability that a text which names one phase names the right one."""
TIMES_LIE = 0.05
TWICE = 0.15
"""Weight of two acquisitions of one phase beside two of two phases."""
GAPS = {
    ("nc", "arterial"): (15, 3600), ("nc", "venous"): (40, 3600), ("nc", "delayed"): (90, 3600),
    ("arterial", "venous"): (12, 90), ("arterial", "delayed"): (75, 1800), ("venous", "delayed"): (45, 1800),
}  # fmt: skip
"""Usual seconds between two phases that follow one another."""
AFTER_INJECTION = {"nc": (-3600, 8), "arterial": (12, 50), "venous": (48, 115), "delayed": (105, 1800)}
"""Seconds from the start of the injection to that of the scan."""
UNUSUAL = 0.05
"""Weight of a time outside the usual range."""


@dataclass
class Acquisition:
    """One scan with its reconstructions.

    Args:
        series: the reconstructions, the best for the liver first.
        likelihood: (4,) of the evidence given each phase.
        why: what was found, in words.
        named: the phase that the user named.
    """

    series: list[Series]
    likelihood: NDArray[np.float64] = field(default_factory=lambda: np.ones(len(PHASES)))
    why: list[str] = field(default_factory=list)
    named: str = ""

    @property
    def time(self) -> datetime | None:
        """When the scan began."""
        return min((s.time for s in self.series if s.time is not None), default=None)

    def weigh(self, likelihood: Mapping[str, float], why: str) -> None:
        """Takes up a piece of evidence: its likelihood given each phase."""
        self.likelihood = self.likelihood * np.array([likelihood[phase] for phase in PHASES])
        self.why.append(why)


def group_acquisitions(series: Sequence[Series]) -> list[Acquisition]:
    """Puts reconstructions of one scan together, in the order of their times.

    Args:
        series: those that may be a phase.
    """
    found: list[Acquisition] = []
    for one in sorted(series, key=lambda s: (s.time or datetime.max, s.name)):
        last = found[-1].time if found else None
        if one.time and last and (one.time - last).total_seconds() <= SAME_SCAN_S:
            found[-1].series.append(one)
        else:
            found.append(Acquisition([one]))
    for scan in found:
        scan.series.sort(key=rate_reconstruction, reverse=True)
    return found


def rate_reconstruction(series: Series) -> tuple[bool, bool, float, float]:
    """How good a reconstruction is for the liver; compare by >.

    A soft kernel, all of the liver rather than a part, then the thinnest slices from 1 mm on: thinner ones
    have more noise than the network's 2.5 mm need.
    """
    thick = series.spacing[2]
    return not series.sharp, series.extent >= 120, -abs(np.log(max(thick, 0.1) / 1.5)), -series.spacing[0]


def weigh_tags(scans: Sequence[Acquisition]) -> None:
    """Weighs words, seconds after injection and contrast tags of all acquisitions."""
    for scan in scans:
        for source, trust in WORDS.items():
            said: dict[str, str] = {}
            for series in scan.series:
                said |= find_phases(getattr(series, source))
            if len(said) == 1:
                [(phase, word)] = said.items()
                rest = (1 - trust) / (len(PHASES) - 1)
                scan.weigh({p: trust if p == phase else rest for p in PHASES}, f"{source} says '{word}'")
        delay = _delay(scan)
        if delay is not None:
            fits = {p: 1.0 if low <= delay <= high else UNUSUAL for p, (low, high) in AFTER_INJECTION.items()}
            scan.weigh(fits, f"{delay:.0f} s after the injection began")
    given = [any(series.contrast.strip() for series in scan.series) for scan in scans]
    if any(given) and not all(given):  # copied to all series, or to none, it says nothing
        for scan, contrast in zip(scans, given, strict=True):
            likely = dict.fromkeys(PHASES, 0.75 if contrast else 0.25) | {"nc": 0.25 if contrast else 0.75}
            scan.weigh(likely, f"{'a' if contrast else 'no'} contrast agent in its tags")


def _delay(scan: Acquisition) -> float | None:
    for series in scan.series:
        if series.injected and series.time:
            seconds = (series.time - series.injected).total_seconds()
            if -3600 < seconds <= 1800 and seconds != 0:
                return seconds
    return None


def posterior(scans: Sequence[Acquisition]) -> NDArray[np.float64]:
    """Probability of each phase for each acquisition, all weighed together.

    Args:
        scans: in the order of their times.

    Returns:
        (scans, 4), rows sum to 1.
    """
    single = np.array([_likelihood(scan) for scan in scans]).reshape(len(scans), len(PHASES))
    result = single / single.sum(1, keepdims=True)
    times = {number: scan.time for number, scan in enumerate(scans) if scan.time is not None}
    if len(times) < 2:
        return result
    known = list(times)
    steps = [_follows((stop - start).total_seconds()) for start, stop in itertools.pairwise(times.values())]
    weights, ordered = _chain(single[known], steps)
    prior, _ = _chain(np.ones((len(known), len(PHASES))), steps)
    truth = (1 - TIMES_LIE) * weights / prior
    lies = TIMES_LIE * float(np.prod(single[known].mean(1)))
    result[known] = (truth * ordered + lies * result[known]) / (truth + lies)
    return result


def _likelihood(scan: Acquisition) -> NDArray[np.float64]:
    if scan.named:
        return np.array([float(phase == scan.named) for phase in PHASES])
    return np.maximum(scan.likelihood / scan.likelihood.max(), 1e-6)


def _follows(gap: float) -> NDArray[np.float64]:
    """(4, 4): weight of a phase (row) that is followed by another (column) after so many seconds."""
    step = TWICE * np.eye(len(PHASES))
    for (early, late), (low, high) in GAPS.items():
        step[PHASES.index(early), PHASES.index(late)] = 1.0 if low <= gap <= high else UNUSUAL
    return step


def _chain(
    likelihood: NDArray[np.float64], steps: Sequence[NDArray[np.float64]]
) -> tuple[float, NDArray[np.float64]]:
    """Sum of the weights of all joint namings, and the marginals (n, 4): the forward-backward algorithm."""
    forward, backward = [likelihood[0]], [np.ones(len(PHASES))]
    for step, here in zip(steps, likelihood[1:], strict=True):
        forward.append(forward[-1] @ step * here)
    for step, after in zip(reversed(steps), likelihood[:0:-1], strict=True):
        backward.append(step @ (after * backward[-1]))
    marginals = np.array(forward) * np.array(backward[::-1])
    total = float(marginals[0].sum())
    return total, marginals / total if total > 0 else marginals


def choose_naming(scans: Sequence[Acquisition], odds: NDArray[np.float64]) -> dict[str, int]:
    """The acquisition that stands for each phase, where there is one.

    Of several scans of one phase the surest is taken, and of equally sure ones the later: the late arterial
    scan shows more of a lesion than the early one.

    Args:
        scans: in the order of their times.
        odds: (scans, 4) of `posterior`.
    """
    taken: dict[str, int] = {}
    for number, row in enumerate(odds):
        phase = scans[number].named or PHASES[int(row.argmax())]
        other = taken.get(phase)
        if other is None:
            taken[phase] = number
            continue
        column = PHASES.index(phase)
        ranks = [(bool(scans[i].named), round(float(odds[i, column]), 1), i) for i in (other, number)]
        taken[phase] = max(ranks)[2]
    return taken
