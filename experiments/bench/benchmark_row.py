"""Define a line of the page: a ratio with its spread, its reference and its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from experiments.bench.paired_timing import summarise_spread


class BenchmarkRow(NamedTuple):
    """One measured claim."""

    what: str
    """The work."""
    against: str
    """The reference."""
    unit: str
    """Quantity of the ratio."""
    ratio: float | None
    """Median over rounds; None if nothing could be measured."""
    low: float | None = None
    high: float | None = None
    wanted: float | None = None
    """Target of the median; None for a figure without a claim."""
    better: Literal["more", "less"] = "more"
    figures: Mapping[str, float] = {}
    """Absolute figures by name."""
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the median reaches the target; None without a target or a figure."""
        if self.ratio is None or self.wanted is None:
            return None
        return self.ratio >= self.wanted if self.better == "more" else self.ratio <= self.wanted

    def as_dict(self) -> dict[str, Any]:
        """Return the row as a dict for JSON."""
        return {**self._asdict(), "figures": dict(self.figures), "holds": self.holds}


def make_row(values: Sequence[float], **description: Any) -> BenchmarkRow:
    """Make a line from the ratios of all rounds."""
    middle, low, high = summarise_spread(values)
    return BenchmarkRow(ratio=middle, low=low, high=high, **description)


def read_row(record: Mapping[str, Any]) -> BenchmarkRow:
    """Make a line from the dict that `as_dict` returned."""
    return BenchmarkRow(**{key: record[key] for key in BenchmarkRow._fields})
