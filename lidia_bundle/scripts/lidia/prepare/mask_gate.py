"""Refuses predicted liver masks whose measured quantities are unlike a liver's, with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scripts.lidia.prepare.mask_quality import UNLIKE_HU


class Limit(NamedTuple):
    """The range of one quantity.

    Attributes:
        title: name for readers.
        unit: unit behind the number; `%` for a share.
        low: smallest value that is accepted; None is no limit.
        high: largest value that is accepted; None is no limit.
    """

    title: str
    unit: str
    low: float | None
    high: float | None

    def format(self, value: float | None) -> str:
        """Formats a value of this quantity."""
        if value is None:
            return "-"
        if self.unit == "%":
            return f"{100 * value:.1f} %"
        return f"{value:.3f}" if not self.unit else f"{value:.0f} {self.unit}"

    def find_problem(self, value: float | None) -> str | None:
        """Returns why a value is outside the range; None if it is inside."""
        if value is None:
            return f"{self.title}: not measured"
        if self.low is not None and value < self.low:
            return f"{self.title}: {self.format(value)} is below {self.format(self.low)}"
        if self.high is not None and value > self.high:
            return f"{self.title}: {self.format(value)} is above {self.format(self.high)}"
        return None


class MaskGate:
    """Judges the quantities of a mask, see `mask_quality.measure_mask`.

    The defaults were chosen on real CT with reference masks and on phantoms, see docs/prepare.md.

    Args:
        volume_ml: range of the volume.
        largest_part: smallest share of the largest component.
        holes: largest share of holes.
        median_hu: range of the median of the interior.
        spread_hu: largest spread of the smoothed interior.
        unlike: largest share of the smoothed interior that differs from the median by more than 30 HU.
        right_left_mm: range of the box's side from right to left.
        front_back_mm: range of the box's side from front to back.
        height_mm: range of the box's side from inferior to superior.
        sphericity: smallest sphericity.
        flat_side_cm2: largest flat side inside the scan.
        agreement: smallest Dice between the two passes.
    """

    def __init__(
        self,
        *,
        volume_ml: Sequence[float] = (400.0, 4000.0),
        largest_part: float = 0.9,
        holes: float = 0.02,
        median_hu: Sequence[float] = (-20.0, 180.0),
        spread_hu: float = 20.0,
        unlike: float = 0.15,
        right_left_mm: Sequence[float] = (100.0, 300.0),
        front_back_mm: Sequence[float] = (80.0, 260.0),
        height_mm: Sequence[float] = (60.0, 300.0),
        sphericity: float = 0.5,
        flat_side_cm2: float = 80.0,
        agreement: float = 0.92,
    ) -> None:
        self.limits = {
            "volume_ml": Limit("volume", "ml", *volume_ml),
            "largest_part": Limit("largest connected part", "%", largest_part, None),
            "holes": Limit("holes", "%", None, holes),
            "median_hu": Limit("median inside", "HU", *median_hu),
            "spread_hu": Limit("spread inside", "HU", None, spread_hu),
            "unlike": Limit(f"tissue more than {UNLIKE_HU:.0f} HU from the median", "%", None, unlike),
            "right_left_mm": Limit("length from right to left", "mm", *right_left_mm),
            "front_back_mm": Limit("length from front to back", "mm", *front_back_mm),
            "height_mm": Limit("height", "mm", *height_mm),
            "sphericity": Limit("sphericity", "", sphericity, None),
            "flat_side_cm2": Limit("flat side inside the scan", "cm2", None, flat_side_cm2),
            "agreement": Limit("agreement of the two passes (Dice)", "", agreement, None),
        }

    def find_reasons(self, quantities: Mapping[str, Any]) -> list[str]:
        """Returns why a mask is refused; empty if it is accepted.

        Args:
            quantities: from `measure_mask`.
        """
        if not quantities["volume_ml"]:
            return ["no liver was found"]
        problems = [limit.find_problem(quantities[name]) for name, limit in self.limits.items()]
        return [problem for problem in problems if problem is not None]

    def format_quantities(self, quantities: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """Formats the quantities for a table: title, value, accepted range."""
        return [
            (limit.title, limit.format(quantities[name]), _format_range(limit))
            for name, limit in self.limits.items()
        ]


def _format_range(limit: Limit) -> str:
    if limit.low is not None and limit.high is not None:
        return f"{limit.format(limit.low)} to {limit.format(limit.high)}"
    if limit.low is not None:
        return f"at least {limit.format(limit.low)}"
    return f"at most {limit.format(limit.high)}"
