"""Derive the LI-RADS features of a phantom lesion from its look and the HU that were drawn for its parts.

The definitions are those of `morphometry.lirads_features`, on drawn values: no image, blur or noise is used.
A feature is None where the look does not settle it: the globules of a hemangioma are neither a rim nor its
absence, the scar of an FNH is progressive but no targetoid centre, a bright wall around necrosis may be a rim
or not, and a capsule that is drawn but hardly brighter than its sides counts neither way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.lidia.morphometry.lirads_thresholds import LiradsThresholds

Values = Mapping[str, Sequence[float]]
NC, ARTERIAL, VENOUS, DELAYED = range(4)
FAINT = 2.0
"""A drawn capsule counts as present from this multiple of the threshold, because blur halves thin layers."""
PATCHES = ("globules", "clumps", "spots", "artery", "wedge", "daughters", "septa")
"""Parts that are neither whole, rim nor centre."""


def derive_features(
    parts: Values, liver: Sequence[float], limits: LiradsThresholds | None = None
) -> dict[str, bool | None]:
    """Derive the features of a lesion.

    Args:
        parts: HU (4,) by kind of part, as in the records of `phantom.case.Case`.
        liver: HU (4,) of the parenchyma.
        limits: thresholds.

    Returns:
        Feature by name; None where the look does not settle it.
    """
    limits = limits or LiradsThresholds()
    body = parts.get("body")
    rim = next((parts[kind] for kind in ("rim", "band") if kind in parts), None)
    if body is None or "gas" in parts or "halo" in parts:
        return dict.fromkeys(
            ("nonrim_aphe", "rim_aphe", "nonperipheral_washout", "peripheral_washout", "enhancing_capsule",
             "delayed_central_enhancement")
        )  # fmt: skip
    wide = [parts[kind] for kind in ("body", "mosaic", "half") if kind in parts]
    hyper = [part[ARTERIAL] - liver[ARTERIAL] >= limits.hyperenhancement_hu for part in wide]
    has_bright_patch = any(
        parts[kind][ARTERIAL] - liver[ARTERIAL] >= limits.hyperenhancement_hu
        for kind in (*PATCHES, "core")
        if kind in parts
    )
    rim_hyper = rim is not None and (
        rim[ARTERIAL] - liver[ARTERIAL] >= limits.hyperenhancement_hu
        and rim[ARTERIAL] - body[ARTERIAL] >= limits.rim_hu
    )
    nonrim: bool | None = any(hyper)
    rim_like: bool | None = rim_hyper and not nonrim
    if not nonrim and has_bright_patch:
        nonrim = None
    if nonrim and "core" in parts and parts["core"][ARTERIAL] < liver[ARTERIAL]:
        nonrim = rim_like = None  # a bright wall around necrosis, whose thickness the record does not have
    central = any(_washes_out(part, liver, limits) for part in wide)
    peripheral = rim is not None and not central and _washes_out(rim, liver, limits)
    if "globules" in parts:
        nonrim_washout: bool | None = None
    else:
        nonrim_washout = central
    return {
        "nonrim_aphe": nonrim,
        "rim_aphe": None if "globules" in parts else rim_like,
        "nonperipheral_washout": nonrim_washout,
        "peripheral_washout": None if "globules" in parts else peripheral,
        "enhancing_capsule": _derive_capsule(parts, rim, liver, limits),
        "delayed_central_enhancement": _derive_central_enhancement(parts, rim, limits),
    }


def _washes_out(part: Sequence[float], liver: Sequence[float], limits: LiradsThresholds) -> bool:
    contrast = [hu - reference for hu, reference in zip(part, liver, strict=True)]
    for late in (VENOUS, DELAYED):
        early = max(range(ARTERIAL, late), key=lambda phase: contrast[phase])
        limit = max(limits.washout_hu, liver[late] * (1 - 1 / limits.washout_ratio))
        if (
            contrast[early] >= -limits.isodense_hu
            and part[early] - part[NC] >= limits.enhancement_hu / 2
            and contrast[late] <= -limit
            and contrast[early] - contrast[late] >= limits.drop_hu
        ):
            return True
    return False


def _derive_capsule(
    parts: Values, rim: Sequence[float] | None, liver: Sequence[float], limits: LiradsThresholds
) -> bool | None:
    shell = parts.get("shell", rim)
    if shell is None:
        return None if "globules" in parts else False
    above = max(shell[phase] - max(liver[phase], parts["body"][phase]) for phase in (VENOUS, DELAYED))
    if above < 0:
        return False
    return True if "shell" in parts and above >= FAINT * limits.capsule_hu else None


def _derive_central_enhancement(
    parts: Values, rim: Sequence[float] | None, limits: LiradsThresholds
) -> bool | None:
    if any(kind in parts for kind in ("globules", "half", "clumps", "scar")):
        return None
    centre = parts.get("core")
    centre, outer = (parts["body"], rim) if centre is None else (centre, rim or parts["body"])
    rise = centre[DELAYED] - centre[ARTERIAL]
    if outer is None or rise < limits.central_hu:
        return False
    gain = rise - (outer[DELAYED] - outer[ARTERIAL])
    return gain >= limits.rim_hu and centre[VENOUS] <= centre[DELAYED]
