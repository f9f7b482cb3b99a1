"""Draw a scan with liver, reference liver and reported lesions: six axial slices and a coronal one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from nibabel.orientations import apply_orientation, io_orientation
from numpy.typing import NDArray

from experiments.real_ct.run_inference import Result
from scripts.lidia.atomic import write_atomically
from scripts.lidia.report.palette import COLOURS
from scripts.lidia.vocabulary import CLASSES

LEVEL, WIDTH = 50.0, 350.0
"""Display window in HU."""
AXIAL = 6
MARGIN_MM = 25.0
"""Tissue shown around liver and lesions."""
APART_MM = 12.0
"""Smallest distance of two slices through lesions."""
OPACITY = 0.45
LIVER_COLOUR, REFERENCE_COLOUR, LABEL_COLOUR, OUTLINE_COLOUR = "#00e5ff", "#ffe100", "#ff2bd6", "#ff5a36"


def choose_slices(
    instances: NDArray[np.integer],
    tissue: NDArray[np.bool_],
    *,
    count: int = AXIAL,
    apart: int = 1,
    labels: NDArray[np.bool_] | None = None,
) -> list[int]:
    """Choose axial slices: through the largest lesions, then evenly through the liver.

    Args:
        instances: `(X, Y, Z)` numbers of the reported lesions.
        tissue: `(X, Y, Z)` liver that the even slices should cover.
        count: number of slices.
        apart: smallest distance in slices of a slice through a lesion from others, if the liver allows it.
        labels: `(X, Y, Z)` mask of labelled lesions; it counts as one more lesion.

    Returns:
        At most `count` different slice numbers in descending order: the slice of each lesion with its
        largest area, large lesions first, at most `count - 2`; the others divide the liver evenly. Without
        liver they divide the volume.
    """
    areas = np.zeros((int(instances.max(initial=0)) + 1, instances.shape[2]), np.int64)
    for level in range(instances.shape[2]):
        areas[:, level] = np.bincount(instances[:, :, level].ravel(), minlength=len(areas))
    areas = areas[1:]
    if labels is not None:
        areas = np.concatenate([areas, labels.sum(axis=(0, 1))[None]])
    chosen: list[int] = []
    for row in np.argsort(-areas.sum(axis=1), kind="stable"):
        level = int(areas[row].argmax())
        is_apart = all(abs(level - other) >= apart for other in chosen)
        if areas[row].any() and is_apart and len(chosen) < count - 2:
            chosen.append(level)
    levels = np.flatnonzero(tissue.any(axis=(0, 1)))
    low, high = (int(levels[0]), int(levels[-1])) if len(levels) else (0, instances.shape[2] - 1)
    free = [level for level in range(low, high + 1) if level not in chosen]
    remote = [level for level in free if all(abs(level - other) >= apart for other in chosen)]
    free = remote if len(remote) >= count - len(chosen) else free
    missing = min(count - len(chosen), len(free))
    even = [free[int((k + 0.5) * len(free) / missing)] for k in range(missing)]
    return sorted([*chosen, *even], reverse=True)


def draw_scan(
    path: Path,
    title: str,
    image: str,
    result: Result,
    reference: NDArray[np.bool_],
    labels: NDArray[np.bool_] | None = None,
    outlines: NDArray[np.bool_] | None = None,
) -> Path:
    """Draw one picture of a scan as PNG, about 1500 pixels wide.

    The liver is outlined in cyan, the reference liver in yellow, labelled lesions in magenta; reported
    lesions are filled with the colour of their type. Right of the patient is left in the picture.

    Args:
        path: the PNG file.
        title: heading.
        image: NIfTI file of the reference phase.
        result: result of inference on its grid.
        reference: `(X, Y, Z)` reference mask of the liver.
        labels: `(X, Y, Z)` mask of the labelled lesions; None if they are not labelled.
        outlines: `(X, Y, Z)` mask of rough outlines, drawn dotted in red; None if there are none.
    """
    orientation = io_orientation(result.affine)
    volumes = [np.asarray(nib.load(image).dataobj, np.float32), result.classes, result.liver, reference]
    volumes += [result.instances]
    voxels, classes, liver, mask, instances = (apply_orientation(v, orientation) for v in volumes)
    labelled, outlined = (
        None if v is None else apply_orientation(v, orientation) for v in (labels, outlines)
    )
    steps = [result.spacing[int(np.flatnonzero(orientation[:, 0] == axis)[0])] for axis in range(3)]
    box = _find_shown_box(liver | mask | (classes > 0), steps)
    figure = Figure(figsize=(15, 8.2), facecolor="white", layout="constrained")
    axes = figure.subplots(2, 4)
    layers = (classes, liver, mask, labelled, outlined)
    apart = max(round(APART_MM / steps[2]), 1)
    slices = choose_slices(instances, liver | mask, apart=apart, labels=labelled)
    for ax, level in zip(axes.flat, slices, strict=False):
        plane = (box[0], box[1], level)
        _draw_plane(ax, voxels[plane], [x if x is None else x[plane] for x in layers], steps[1] / steps[0])
        ax.set_title(f"axial slice {level} of {voxels.shape[2]}", fontsize=9)
    coronal = int((liver | mask | (classes > 0)).sum(axis=(0, 2)).argmax())
    section = (box[0], coronal, box[2])
    _draw_plane(
        axes.flat[6], voxels[section], [x if x is None else x[section] for x in layers], steps[2] / steps[0]
    )
    axes.flat[6].set_title(f"coronal slice {coronal} of {voxels.shape[1]}", fontsize=9)
    _draw_legend(axes.flat[7], result, labels is not None, outlines is not None)
    for ax in axes.flat[len(slices) : AXIAL]:
        ax.axis("off")
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100, pil_kwargs={"optimize": True})
    return path


def _find_shown_box(tissue: NDArray[np.bool_], steps: Sequence[float]) -> list[slice]:
    """Find the box of the tissue with a margin; the whole volume if there is none."""
    box = []
    for axis, step in enumerate(steps):
        line = np.flatnonzero(tissue.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = round(MARGIN_MM / step)
        whole = slice(0, tissue.shape[axis])
        box.append(slice(max(int(line[0]) - margin, 0), int(line[-1]) + margin + 1) if len(line) else whole)
    return box


def _draw_plane(ax: Axes, voxels: NDArray, layers: Sequence[NDArray | None], aspect: float) -> None:
    """Draw a plane; its first axis runs to the patient's right, its second upwards in the picture."""
    grey = np.clip((voxels - (LEVEL - WIDTH / 2)) / WIDTH, 0, 1)
    picture = np.repeat(grey[..., None], 3, axis=-1)
    classes, liver, reference, labelled, outlined = layers
    assert classes is not None
    for number, colour in COLOURS.items():
        inside = classes == number
        picture[inside] = (1 - OPACITY) * picture[inside] + OPACITY * np.asarray(to_rgb(colour))
    ax.imshow(picture[::-1].transpose(1, 0, 2), origin="lower", aspect=aspect, interpolation="nearest")
    outlines = ((reference, REFERENCE_COLOUR), (liver, LIVER_COLOUR), (labelled, LABEL_COLOUR))
    for mask, colour in outlines:
        if mask is not None and mask.any() and not mask.all():
            ax.contour(mask[::-1].T, [0.5], colors=colour, linewidths=0.9)
    if outlined is not None and outlined.any() and not outlined.all():
        ax.contour(outlined[::-1].T, [0.5], colors=OUTLINE_COLOUR, linewidths=0.9, linestyles="dotted")
    ax.set_xticks([])
    ax.set_yticks([])


def _draw_legend(ax: Axes, result: Result, has_labels: bool, has_outlines: bool) -> None:
    ax.axis("off")
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=LIVER_COLOUR, label="liver, reported"),
        Line2D([], [], color=REFERENCE_COLOUR, label="liver, reference mask"),
    ]
    if has_labels:
        handles.append(Line2D([], [], color=LABEL_COLOUR, label="lesions, labelled"))
    if has_outlines:
        label = "lesions, rough outlines"
        handles.append(Line2D([], [], color=OUTLINE_COLOUR, linestyle="dotted", label=label))
    kinds = [lesion["type"] for lesion in result.record["lesions"]]
    for number, colour in COLOURS.items():
        if CLASSES[number] in kinds:
            label = f"{CLASSES[number]} ({kinds.count(CLASSES[number])} reported)"
            handles.append(Patch(facecolor=colour, edgecolor="black", linewidth=0.3, label=label))
    ax.legend(handles=handles, loc="upper left", fontsize=10, frameon=False)
    ax.text(0.03, 0.05, "The patient's right is on the left.\nWindow 50/350 HU.", transform=ax.transAxes)
