"""Draw lesions implanted into a real CT: the original and the four phases, one type per row."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nibabel.orientations import apply_orientation, io_orientation, ornt_transform
from numpy.typing import NDArray

from scripts.lidia.data.read_background import read_background
from scripts.lidia.implant.anatomy import Anatomy, measure_anatomy
from scripts.lidia.implant.background import RAS
from scripts.lidia.implant.implant_case import implant_case
from scripts.lidia.vocabulary import PHASES

TYPES = (
    "HCC_typical", "ICC", "metastasis_colorectal", "hemangioma_typical", "FNH", "cyst",
    "calcification_granuloma", "pyogenic_abscess",
)  # fmt: skip
"""One look of each of the eight types."""
WINDOW = (-60, 220)
"""Display window in HU."""
REACH = 48.0
"""Half width in mm of the section around a lesion's centre."""
DPI = 68


def draw_implants(
    *,
    background: str | Path,
    liver: str | Path,
    background_phase: str = "venous",
    output_dir: str | os.PathLike[str],
    looks: Sequence[str] | None = None,
    seed: int = 28,
) -> Path:
    """Draw `implants.png`.

    Args:
        background: a CT (NIfTI, or folder of one DICOM series).
        liver: its liver mask (NIfTI).
        background_phase: its phase.
        output_dir: folder of the picture.
        looks: names of looks, one row each; by default one of each type.
        seed: of the draws.

    Returns:
        Path of the picture.
    """
    anatomy = measure_anatomy(read_background("background", {background_phase: background}, liver))
    looks = looks or TYPES
    figure = Figure(figsize=(5 * 1.2, 1.28 * len(looks)), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots(len(looks), 5, squeeze=False)
    for ax, title in zip(axes[0], (f"{background_phase}, as scanned", *PHASES), strict=True):
        ax.set_title(title, fontsize=7, pad=2)
    for number, (row, look) in enumerate(zip(axes, looks, strict=True)):
        _draw_row(row, anatomy, look, seed, number)
    path = Path(output_dir) / "implants.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, pil_kwargs={"optimize": True})
    return path


def _draw_row(row: Sequence[Axes], anatomy: Anatomy, look: str, seed: int, number: int) -> None:
    case, source = implant_case(anatomy, seed, number, looks=[look]), anatomy.source
    turn = ornt_transform(io_orientation(case.affine), RAS)
    truth = apply_orientation(case.instances, turn) > 0
    slice_ = int(truth.sum((0, 1)).argmax())
    place = np.argwhere(truth[:, :, slice_]).mean(0)
    cut = tuple(
        slice(max(int(at - REACH / step), 0), int(at + REACH / step))
        for at, step in zip(place, source.spacing, strict=False)
    )
    planes = [source.phases[source.reference][:, :, slice_][cut]]
    planes += [apply_orientation(case.volumes[p].data, turn)[:, :, slice_][cut] for p in PHASES]
    for ax, plane in zip(row, planes, strict=True):
        _draw_plane(ax, plane)
    row[0].contour(truth[:, :, slice_][cut][::-1].T, [0.5], colors="yellow", linewidths=0.6)
    row[0].set_ylabel(f"{look}\n{case.lesions[0]['diameter_mm']:.0f} mm", fontsize=6)


def _draw_plane(ax: Axes, plane: NDArray) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.imshow(plane[::-1].T, origin="lower", cmap="gray", vmin=WINDOW[0], vmax=WINDOW[1])
