"""Makes the truth of one date of a phantom patient, and the truth of the changes between two dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.components import join_components, measure_components
from scripts.lidia.diameter import measure_diameter_mm
from scripts.lidia.phantom.lesion_course import Course, name_change
from scripts.lidia.phantom.liver import Liver
from scripts.lidia.phantom.shapes import Field, Frame
from scripts.lidia.vocabulary import CLASSES, LIVER, OTHERS

AXIAL = 2


class DrawnLesions(NamedTuple):
    """Lesions of one date, measured where they are drawn, and what the scan shows of the drawing.

    Attributes:
        groups: instance number -> the lesions that it consists of; more than one where lesions have merged.
        longest_mm: instance number -> longest axial diameter.
        volume_mm3: instance number -> volume.
        spans: lesion -> x, y of its centre and lowest and highest z, mm.
        x: (X,) mm of the scan's voxels.
        y: (Y,) mm of the scan's voxels.
        visible: lowest and highest z of the drawing that the scan shows, (X, Y) mm each.
    """

    groups: dict[int, tuple[int, ...]]
    longest_mm: dict[int, float]
    volume_mm3: dict[int, float]
    spans: dict[int, tuple[float, float, float, float]]
    x: Field
    y: Field
    visible: tuple[Field, Field]

    def covers(self, span: tuple[float, float, float, float]) -> bool:
        """Returns whether the scan shows a span (see `spans`) completely."""
        x, y, low, high = span
        column = (
            min(int(np.searchsorted(self.x, x)), len(self.x) - 1),
            min(int(np.searchsorted(self.y, y)), len(self.y) - 1),
        )
        return bool(self.visible[0][column] <= low and high <= self.visible[1][column])


class Truth(NamedTuple):
    """Truth of one date on the grid of the scan.

    Attributes:
        label: (X, Y, Z) uint8 classes.
        instances: (X, Y, Z) uint16; merged lesions have one number.
        liver: (X, Y, Z) uint8, liver and lesions.
        records: one for each instance.
        malignant: see `Case.malignant`.
        lesions: measured on the drawing.
    """

    label: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    liver: NDArray[np.uint8]
    records: list[dict[str, Any]]
    malignant: dict[str, bool]
    lesions: DrawnLesions


def make_truth(
    frame: Frame,
    liver: Liver,
    numbers: NDArray[np.uint16],
    courses: Sequence[Course],
    scan: Frame,
    shift: tuple[Field, Field, Field],
) -> Truth:
    """Makes the truth of one date.

    Args:
        frame: frame of the drawing.
        liver: box and mask of the liver.
        numbers: lesion numbers over the liver's box.
        courses: all lesions of the patient.
        scan: frame of the scan.
        shift: displacement in mm from a point of the scan to that of the drawing, along x, y and z.
    """
    looks = {course.lesion: course.look for course in courses}
    groups = _group_merged(numbers, looks)
    table = np.arange(int(numbers.max(initial=0)) + 1, dtype=np.uint16)
    for instance, members in groups.items():
        table[list(members)] = instance
    joined = table[numbers]
    whole = np.zeros((2, *frame.shape), np.uint16)
    whole[0][liver.box], whole[1][liver.box] = joined, liver.mask
    index = []
    for axis, positions, part in zip(frame, scan.open(), shift, strict=True):
        step = float(axis[1] - axis[0])
        index.append(np.clip(np.rint((positions + part - axis[0]) / step), 0, len(axis) - 1).astype(np.intp))
    instances, tissue = whole[0][tuple(index)], whole[1][tuple(index)]
    group_of = np.zeros(len(table), np.uint8)
    for instance in groups:
        group_of[instance] = looks[instance].group
    label = np.where(instances > 0, group_of[instances], (tissue > 0).astype(np.uint8) * np.uint8(LIVER))
    counts, voxel = np.bincount(instances.ravel(), minlength=len(table)), float(np.prod(scan.spacing))
    lesions = _measure(frame, liver, joined, numbers, groups, scan, shift)
    records, malignant = [], {}
    for instance, members in groups.items():
        look, volume = looks[instance], float(counts[instance]) * voxel
        if not volume:
            continue
        records.append({
            "instance": instance,
            "lesions": list(members),
            "type": CLASSES[look.group],
            "look": look.name,
            "diameter_mm": round(float((6 * volume / np.pi) ** (1 / 3)), 1),
            "volume_mm3": round(volume, 1),
            "longest_mm": lesions.longest_mm[instance],
        })
        if look.group == OTHERS and look.side != "?":
            malignant[str(instance)] = look.side == "M"
    return Truth(label, instances, (label > 0).astype(np.uint8), records, malignant, lesions)


def _group_merged(numbers: NDArray[np.uint16], looks: dict[int, Any]) -> dict[int, tuple[int, ...]]:
    """Groups the lesions of one look that touch each other; the smallest number is that of the group."""
    present = [int(number) for number in np.unique(numbers) if number]
    leader = {number: number for number in present}
    components = join_components(numbers > 0)
    for part in measure_components(components, (1, 1, 1)):
        inside = numbers[part.box][components[part.box] == part.instance]
        touching = [int(number) for number in np.unique(inside)]
        for name in {looks[number].name for number in touching}:
            alike = [number for number in touching if looks[number].name == name]
            leaders = {leader[number] for number in alike}
            for number in present:
                if leader[number] in leaders:
                    leader[number] = min(leaders)
    return {
        first: tuple(number for number in present if leader[number] == first)
        for first in sorted(set(leader.values()))
    }


def _measure(
    frame: Frame,
    liver: Liver,
    joined: NDArray[np.uint16],
    numbers: NDArray[np.uint16],
    groups: dict[int, tuple[int, ...]],
    scan: Frame,
    shift: tuple[Field, Field, Field],
) -> DrawnLesions:
    spacing = frame.spacing
    longest, volumes, spans = {}, {}, {}
    for part in measure_components(joined, spacing):
        mask = joined[part.box] == part.instance
        longest[part.instance] = round(measure_diameter_mm(mask, spacing, AXIAL), 2)
        volumes[part.instance] = round(part.volume_mm3, 1)
    axes = [axis[cut] for axis, cut in zip(frame, liver.box, strict=True)]
    for part in measure_components(numbers, spacing):
        x, y, z = part.box
        spans[part.instance] = (
            float(axes[0][(x.start + x.stop) // 2]),
            float(axes[1][(y.start + y.stop) // 2]),
            float(axes[2][z.start]),
            float(axes[2][z.stop - 1]),
        )
    half = scan.spacing[2] / 2
    visible = (scan.z[0] - half + shift[2][..., 0], scan.z[-1] + half + shift[2][..., -1])
    return DrawnLesions(groups, longest, volumes, spans, scan.x, scan.y, visible)


def describe_changes(
    before: DrawnLesions, after: DrawnLesions, treated: Sequence[int]
) -> list[dict[str, Any]]:
    """Describes the change of every lesion between two dates.

    Args:
        before: lesions of the earlier date.
        after: lesions of the later date.
        treated: lesions that were treated between the dates.

    Returns:
        One entry for each lesion, or for the lesions that merge or separate: `lesions` (their numbers),
        `change` (`new`, `gone`, `stable`, `grown`, `shrunk`, `merged`, `split` or `not covered`), `treated`,
        `instances`, `longest_mm` and `volume_mm3` (lists for the earlier and the later date), and `covered`
        (whether each scan shows them completely).
    """
    entries = []
    for lesions in _connect(before, after):
        parts = [
            [i for i, members in date.groups.items() if set(members) & lesions] for date in (before, after)
        ]
        spans = [{**after.spans, **before.spans}, {**before.spans, **after.spans}]
        covered = [
            all(date.covers(span[lesion]) for lesion in lesions)
            for date, span in zip((before, after), spans, strict=True)
        ]
        entries.append({
            "lesions": sorted(lesions),
            "change": _name(parts, before, after) if all(covered) else "not covered",
            "treated": bool(lesions & set(treated)),
            "instances": parts,
            "longest_mm": [
                [date.longest_mm[i] for i in side] for date, side in zip((before, after), parts, strict=True)
            ],
            "volume_mm3": [
                [date.volume_mm3[i] for i in side] for date, side in zip((before, after), parts, strict=True)
            ],
            "covered": covered,
        })
    return entries


def _connect(before: DrawnLesions, after: DrawnLesions) -> list[set[int]]:
    """Connects the lesions that share an instance at either date."""
    connected: list[set[int]] = []
    for members in (*before.groups.values(), *after.groups.values()):
        joined, rest = set(members), []
        for other in connected:
            if other & joined:
                joined |= other
            else:
                rest.append(other)
        connected = [*rest, joined]
    return sorted(connected, key=min)


def _name(parts: list[list[int]], before: DrawnLesions, after: DrawnLesions) -> str:
    earlier, later = parts
    if not earlier or not later:
        return "gone" if earlier else "new"
    if len(earlier) != len(later):
        return "merged" if len(earlier) > len(later) else "split"
    return name_change(sum(before.longest_mm[i] for i in earlier), sum(after.longest_mm[i] for i in later))
