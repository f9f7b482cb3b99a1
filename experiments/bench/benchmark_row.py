"""A line of the page: a ratio with its spread, what it was measured against, and what it has to reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from experiments.bench.paired_timing import summarise_spread


class BenchmarkRow(NamedTuple):
    """One claim and what became of it."""

    what: str
    """The work."""
    against: str
    """What it is compared with."""
    unit: str
    """What the ratio is a ratio of."""
    ratio: float | None
    """Median over rounds; None where nothing could be measured."""
    low: float | None = None
    high: float | None = None
    wanted: float | None = None
    """What the median has to reach; None for a figure without a claim."""
    better: Literal["more", "less"] = "more"
    figures: Mapping[str, float] = {}
    """Absolute figures behind it by what they are."""
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the median reaches what is wanted; None without a claim or a figure."""
        if self.ratio is None or self.wanted is None:
            return None
        return self.ratio >= self.wanted if self.better == "more" else self.ratio <= self.wanted

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**self._asdict(), "figures": dict(self.figures), "holds": self.holds}


def make_row(values: Sequence[float], **about: Any) -> BenchmarkRow:
    """The line of a ratio's values, one a round."""
    middle, low, high = summarise_spread(values)
    return BenchmarkRow(ratio=middle, low=low, high=high, **about)


def read_row(told: Mapping[str, Any]) -> BenchmarkRow:
    """The line that `as_dict` told of."""
    return BenchmarkRow(**{key: told[key] for key in BenchmarkRow._fields})
