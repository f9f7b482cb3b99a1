"""Draw pictures of the phantom: every look in four phases, and axial sections of patients."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.lidia.phantom.case import Case, sample_case
from scripts.lidia.phantom.patient import LOOKS
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

WINDOW = (-100, 240)
"""Display window in HU."""
ABDOMENS = (("internal", 2), ("internal", 18), ("external", 0), ("external", 3))
SEEDS = range(8)
DPI = 70


def draw_gallery(
    *, output_dir: str | os.PathLike[str], looks: Sequence[str] | None = None, columns: int = 3
) -> list[Path]:
    """Draw `abdomens.png` and `looks.png`.

    Args:
        output_dir: folder of the pictures.
        looks: names of looks to show, one lesion each; by default all.
        columns: looks per row.

    Returns:
        Paths of the pictures.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    looks = looks or [look.name for look in LOOKS]
    rows = -(-len(looks) // columns)
    figure = Figure(figsize=(columns * 4 * 1.25, rows * 1.42), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns * 4, squeeze=False).reshape(-1, 4)
    for row in axes.ravel():
        row.axis("off")
    for row, look in zip(axes, looks, strict=False):
        case = _draw_case_with_lesion(look)
        number = case.lesions[0]["instance"]
        centre, reach = (
            _find_centre(case.instances == number, case),
            max(26.0, 0.85 * case.lesions[0]["diameter_mm"]),
        )
        for ax, phase in zip(row, PHASES, strict=True):
            _draw_plane(ax, cut_section(case, phase, centre, reach))
        row[0].set_title(f"{look}, {case.lesions[0]['diameter_mm']:.0f} mm", fontsize=7, loc="left", pad=2)
    paths = [folder / "looks.png", folder / "abdomens.png"]
    figure.savefig(paths[0], dpi=DPI, pil_kwargs={"optimize": True})
    _draw_abdomens().savefig(paths[1], dpi=DPI, pil_kwargs={"optimize": True})
    return paths


def _draw_abdomens() -> Figure:
    figure = Figure(figsize=(14, 2.75 * len(ABDOMENS)), layout="constrained", facecolor="white")
    axes = figure.subplots(len(ABDOMENS), 5)
    for row, (cohort, number) in zip(axes, ABDOMENS, strict=True):
        case = sample_case(0, number, cohort)
        centre = _find_centre(case.instances > 0, case)
        for ax in row:
            ax.axis("off")
        for ax, phase in zip(row, PHASES, strict=False):
            if phase in case.volumes:
                _draw_plane(ax, cut_section(case, phase, centre, None))
                ax.set_title(phase, fontsize=8, pad=2)
        truth = _orient_to_ras(case.label, case.affine)[0][:, :, _find_slice(case.affine, centre)]
        row[4].imshow(truth[::-1].T, origin="lower", cmap="tab10", vmin=0, vmax=9, interpolation="nearest")
        types = sorted({lesion["type"] for lesion in case.lesions}, key=LESION_TYPES.index)
        row[4].set_title(f"{cohort}, {case.patient.kind}: {', '.join(types)}", fontsize=8, pad=2)
    return figure


def _draw_case_with_lesion(look: str) -> Case:
    for seed in SEEDS:
        case = sample_case(seed, 0, looks=[look])
        if case.lesions:
            break
    return case


def cut_section(case: Case, phase: str, centre: NDArray, reach: float | None) -> NDArray:
    """Cut the axial section of a phase through `centre` (mm), limited to `reach` mm around it if given."""
    volume = case.volumes[phase]
    data, affine = _orient_to_ras(volume.data, volume.affine)
    plane = data[:, :, min(_find_slice(affine, centre), data.shape[2] - 1)]
    if reach is None:
        return plane
    position = [int(round((centre[i] - affine[i, 3]) / affine[i, i])) for i in (0, 1)]
    half = int(round(reach / affine[0, 0]))
    return plane[tuple(slice(max(a - half, 0), a + half) for a in position)]


def _orient_to_ras(data: NDArray, affine: NDArray) -> tuple[NDArray, NDArray]:
    """Flip array and affine so that x points right and y to the front."""
    if affine[0, 0] > 0:
        return data, affine
    turned = affine.copy()
    for axis in (0, 1):
        turned[axis, 3] += affine[axis, axis] * (data.shape[axis] - 1)
        turned[axis, axis] *= -1
    return data[::-1, ::-1], turned


def _find_slice(affine: NDArray, centre: NDArray) -> int:
    return max(0, int(round((centre[2] - affine[2, 3]) / affine[2, 2])))


def _find_centre(mask: NDArray[np.bool_], case: Case) -> NDArray:
    """Find the centre in mm of the largest axial section of a mask."""
    best = int(mask.sum((0, 1)).argmax())
    at = np.argwhere(mask[:, :, best]).mean(0)
    return case.affine[:3, :3] @ np.array([*at, best]) + case.affine[:3, 3]


def _draw_plane(ax: Axes, plane: NDArray) -> None:
    ax.imshow(
        plane[::-1].T, origin="lower", cmap="gray", vmin=WINDOW[0], vmax=WINDOW[1], interpolation="nearest"
    )
