"""Draw liver masks on slices of their CT, and write a page to look through many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray

from scripts.lidia.report.contours import trace_outline
from scripts.lidia.report.html_page import build_section, write_page
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.scan_layout import encode_jpeg

PIXEL_MM = 1.4
"""Finest pixel of a picture; the outline keeps the mask's voxels."""
LEVELS = (0.2, 0.5, 0.8)
"""Axial slices, as shares of the liver's volume below them."""


class MaskCard(NamedTuple):
    """What the page shows of one scan.

    Attributes:
        id: of the scan.
        details: line under the id, such as the phase.
        accepted: whether the mask is in the datalist.
        reasons: why the mask was refused, or who accepted it.
        notes: remarks that do not decide.
        quantities: rows of title, value and accepted range.
        pictures: from `draw_mask`.
    """

    id: str
    details: str
    accepted: bool
    reasons: Sequence[str]
    notes: Sequence[str]
    quantities: Sequence[tuple[str, str, str]]
    pictures: Sequence[Mapping[str, str]]


def draw_mask(
    hu: NDArray[np.floating], mask: NDArray[np.bool_], affine: NDArray[np.float64]
) -> list[dict[str, str]]:
    """Draw three axial slices and a coronal one with the outline of a mask.

    Args:
        hu: `(X, Y, Z)` HU in any orientation.
        mask: `(X, Y, Z)` on the same grid; where it is empty, the slices are spread over the scan.
        affine: `(4, 4)` from voxel indices to RAS mm.

    Returns:
        Pictures, each with `title`, `image` (data URI), `outline` (SVG path), `box` (of the path) and `ratio`
        (width by height).
    """
    to_ras = io_orientation(affine)
    upright_affine = affine @ inv_ornt_aff(to_ras, hu.shape)
    spacing = np.linalg.norm(upright_affine[:3, :3], axis=0).tolist()
    volume, inside = apply_orientation(hu, to_ras), apply_orientation(mask, to_ras)
    levels = [_find_level(inside, 2, share) for share in LEVELS]
    row = _find_level(inside, 1, 0.5)
    across, along = (spacing[0], spacing[1]), (spacing[0], spacing[2])
    pictures = [
        _draw_plane(volume[:, :, level], inside[:, :, level], across, f"axial, slice {level + 1}")
        for level in levels
    ]
    return [*pictures, _draw_plane(volume[:, row], inside[:, row], along, f"coronal, row {row + 1}")]


def _find_level(mask: NDArray[np.bool_], axis: int, share: float) -> int:
    """Find the slice along an axis below which a share of a mask lies; of the scan for an empty mask."""
    areas = mask.sum(axis=tuple(other for other in range(3) if other != axis)).cumsum()
    if not areas[-1]:
        return int(share * (mask.shape[axis] - 1))
    return int(np.searchsorted(areas, share * areas[-1]))


def _draw_plane(
    plane: NDArray, mask: NDArray[np.bool_], pixel_mm: tuple[float, float], title: str
) -> dict[str, str]:
    steps = [max(1, round(PIXEL_MM / size)) for size in pixel_mm]
    return {
        "title": title,
        "image": encode_jpeg(plane[:: steps[0], :: steps[1]]),
        "outline": trace_outline(mask),
        "box": f"0 0 {2 * plane.shape[0]} {2 * plane.shape[1]}",
        "ratio": f"{plane.shape[0] * pixel_mm[0]:.1f}/{plane.shape[1] * pixel_mm[1]:.1f}",
    }


def write_mask_page(path: Path, cards: Sequence[MaskCard], title: str, explanation: Sequence[str]) -> Path:
    """Write the page: refused masks first, then accepted ones, each in the order given.

    Args:
        path: the file.
        cards: one per scan.
        title: heading of the page.
        explanation: sentences above the scans.

    Returns:
        The absolute path.
    """
    parts: list[tuple[str, str, list[Any]]] = [
        ("refused", "Refused", [card for card in cards if not card.accepted]),
        ("accepted", "Accepted", [card for card in cards if card.accepted]),
    ]
    sections = [
        render_template("navigation", links={key: f"{name} ({len(part)})" for key, name, part in parts}),
        build_section("How to use this page", render_template("mask_notes", notes=explanation)),
    ]
    for key, name, part in parts:
        blocks = [render_template("mask_card", card=card) for card in part]
        sections.append(build_section(f"{name} ({len(part)})", *blocks, name=key))
    return write_page(path, title, sections, synthetic=False)
