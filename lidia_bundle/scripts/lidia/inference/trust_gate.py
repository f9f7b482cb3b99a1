"""Decide whether a scan is so unlike the training data that its result must not be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.morphometry.scan_features import measure_scan_features
from scripts.lidia.vocabulary import BACKGROUND, GRID_ORDER, PHASES

REASONS: Mapping[str, str] = {
    "scan_height_mm": "the scan is {value:.0f} mm high",
    "fat_hu": "the fat has {value:.0f} HU",
    "fat_share": "only {value:.1%} of the body has the HU of fat",
    "liver_ml": "the liver found has {value:.0f} ml",
    "liver_height_mm": "the liver found is {value:.0f} mm high",
    "liver_sureness": "the mean probability in the liver found is {value:.2f}",
    "liver_hu": "the liver found has {value:.0f} HU in the {phase} phase",
    "liver_sd_hu": "the HU in the liver found scatter by {value:.1f}",
}
"""Text of each feature that lies outside its limits."""
NO_LIVER_SEEN = "no liver was found"
PREFIX = "DO NOT TRUST THIS RESULT. The scan is unlike the training data"

Limits = Sequence[float | None]
"""Lowest and highest usual value; None for no limit."""


class TrustGate:
    """Compares features of a scan with the limits of usual scans.

    Args:
        limits: limits of each feature of `measure_scan_features`; a feature without limits is not compared.
        liver_hu: limits of the liver's median HU by phase.

    Raises:
        ValueError: a limit belongs to no feature or phase.
    """

    def __init__(self, limits: Mapping[str, Limits], liver_hu: Mapping[str, Limits]) -> None:
        unknown = [*(set(limits) - set(REASONS)), *(set(liver_hu) - set(PHASES))]
        if unknown:
            raise ValueError(f"trust has limits of {sorted(unknown)}: known are {[*REASONS]} and {[*PHASES]}")
        self.limits, self.liver_hu = dict(limits), dict(liver_hu)

    def assess(
        self,
        liver: NDArray[np.bool_],
        maps: NDArray[Any],
        phases: NDArray[Any],
        spacing: Sequence[float],
        window: Sequence[float],
        contradictions: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Assesses a patient on the network's grid.

        Args:
            liver: (X, Y, Z), the liver found.
            maps: (C, X, Y, Z) probabilities.
            phases: (4, X, Y, Z), HU scaled by `window` to -1..1, absent phases NaN.
            spacing: mm per voxel along X, Y, Z.
            window: HU that are scaled to -1 and 1.
            contradictions: what contradicts the orientation of the header, see `check_header_orientation`.

        Returns:
            JSON-ready `trusted`, `reasons` (texts) and `features`.
        """
        channels = [PHASES.index(phase) for phase in GRID_ORDER]
        channel = next(number for number in channels if not np.isnan(phases[number, 0, 0, 0]))
        low, high = window
        hu = (phases[channel] + 1) / 2 * (high - low) + low
        features = measure_scan_features(hu, liver, 1 - maps[BACKGROUND], spacing)
        reasons = [*contradictions, *self.compare(features, PHASES[channel])]
        rounded = {name: round(value, 4) for name, value in features.items()}
        return {"trusted": not reasons, "reasons": reasons, "features": rounded}

    def compare(self, features: Mapping[str, float], phase: str) -> list[str]:
        """Lists the features outside their limits as texts.

        Args:
            features: from `measure_scan_features`.
            phase: the phase that was measured.
        """
        limits = {**self.limits, "liver_hu": self.liver_hu.get(phase, (None, None))}
        reasons = [] if "liver_hu" in features else [NO_LIVER_SEEN]
        for name, (low, high) in limits.items():
            value = features.get(name)
            if value is None or (name == "liver_ml" and reasons[:1] == [NO_LIVER_SEEN]):
                continue
            if (low is not None and value < low) or (high is not None and value > high):
                span = "to".join(f" {end:g} " if end is not None else " any " for end in (low, high)).strip()
                text = REASONS[name].format(value=value, phase=phase)
                reasons.append(f"{text} (usual: {span})")
        return reasons


def describe_distrust(trust: Mapping[str, Any]) -> list[str]:
    """Describes why a result must not be trusted, as one warning; empty for a trusted one."""
    return [] if trust["trusted"] else [f"{PREFIX}: {'; '.join(trust['reasons'])}"]
