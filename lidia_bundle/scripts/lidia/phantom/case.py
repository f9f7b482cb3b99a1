"""Makes one patient from a seed: draws the body, paints the lesions and scans each phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.body import paint_great_vessels, paint_organs, paint_trunk
from scripts.lidia.phantom.breathing import LIMITS, Breathing
from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.lesions import Lesion, paint_lesions
from scripts.lidia.phantom.liver import Liver, paint_liver
from scripts.lidia.phantom.patient import Patient, sample_patient
from scripts.lidia.phantom.recipes import Recipe
from scripts.lidia.phantom.scanner import Scan, drawing_frame, expose, plan_scans, to_scan, to_slices
from scripts.lidia.phantom.shapes import Field, Frame, Grain
from scripts.lidia.phantom.tissues import NUMBER
from scripts.lidia.phantom.vessels import grow_trees, vessel_shares
from scripts.lidia.vocabulary import BACKGROUND, CLASSES, LIVER

GRAINS = {"fine": 1.3, "lump": 2.6, "nodule": 4.0, "clump": 5.5}
"""Correlation lengths (mm) of the texture tiles."""
TEXTURE = {"normal": 3.0, "mild_fat": 3.5, "severe_fat": 4.0, "cirrhotic": 6.5}
"""SD of the parenchyma in HU."""


class Volume(NamedTuple):
    """Scan of one phase.

    Attributes:
        data: (X, Y, Z) HU, int16.
        affine: (4, 4) voxel indices to RAS mm.
    """

    data: NDArray[np.int16]
    affine: NDArray[np.float64]


class Case(NamedTuple):
    """A phantom patient.

    Attributes:
        id: unique name.
        volumes: scans by phase.
        label: (X, Y, Z) uint8 classes on the venous grid.
        instances: (X, Y, Z) uint16 lesion numbers, 0 none.
        liver: (X, Y, Z) uint8, liver and lesions.
        affine: of the venous grid.
        lesions: records of the lesions that the label holds.
        malignant: whether a lesion of `others` is malignant, by instance number as text, if it is known.
        patient: the drawn patient.
        moved: largest displacement in the liver in mm, by phase.
    """

    id: str
    volumes: dict[str, Volume]
    label: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    liver: NDArray[np.uint8]
    affine: NDArray[np.float64]
    lesions: list[dict[str, Any]]
    malignant: dict[str, bool]
    patient: Patient
    moved: dict[str, float]


def sample_case(
    seed: int,
    index: int,
    cohort: str = "internal",
    *,
    breathing: str = "residual",
    spacing: Sequence[float] | None = None,
    fov: Sequence[float] | None = None,
    noise: bool = True,
    looks: Sequence[str] | None = None,
) -> Case:
    """Makes case `index` of a cohort; the same arguments give the same voxels.

    Args:
        seed: of the cohort.
        index: of the case.
        cohort: `internal`, `external` or `hard`.
        breathing: `residual` (up to 3 mm) or `raw` (up to 20 mm).
        spacing: voxel size in mm of all phases (x, y, z) instead of the scanner's own.
        fov: field of view in mm (x, y, z).
        noise: False leaves out blur and noise.
        looks: names of looks, one lesion of each, instead of a random disease.

    Raises:
        ValueError: if cohort, breathing or a look is unknown.
    """
    if cohort not in RECIPES:
        raise ValueError(f"cohort is {cohort!r}; choose one of {', '.join(RECIPES)}")
    recipe = RECIPES[cohort]
    streams = np.random.SeedSequence([seed, recipe.number, index]).spawn(6)
    for_patient, for_scans, for_body, for_lesions, for_breath, for_noise = map(np.random.default_rng, streams)
    patient = sample_patient(for_patient, recipe, looks)
    scans = plan_scans(for_scans, recipe, spacing, fov)
    margin = LIMITS.get(breathing, 0) + 12
    frame, layers, extra = drawing_frame(scans["venous"].frame, margin)

    organs, liver, front, grain = _draw_body(frame, for_body, patient)
    inner, instances, lesions = _draw_liver(frame, liver, organs, patient, recipe, grain, for_lesions)
    volumes, moved = {}, {}
    table = patient.organs
    for phase, scan in scans.items():
        breath = Breathing(breathing, for_breath, front)
        stream = np.random.default_rng(for_noise.integers(2**63))
        if phase not in patient.phases:
            continue
        number = list(scans).index(phase)
        drawn = table[:, number][organs]
        drawn[liver.box] = inner[number]
        moire = _moire(organs, frame, for_body) if phase == "arterial" else None
        if moire is not None:
            drawn[moire[0]] += moire[1]
        if phase == "venous":
            image, moved[phase] = to_slices(drawn, layers, extra), 0.0
        else:
            shift = breath(scan.frame)
            moved[phase] = float(np.sqrt(sum(f * f for f in shift)).max())
            image = to_scan(drawn, frame, scan.frame, shift)
        data = expose(image, scan, stream) if noise else np.rint(image).astype(np.int16)
        volumes[phase] = _stored(data, scan, recipe)

    venous = scans["venous"]
    truth = _truth(organs, liver, instances, lesions, frame, venous.frame, layers, extra, recipe)
    return Case(f"{cohort}_{seed}_{index:05d}", volumes, *truth, patient, moved)  # type: ignore[call-arg]


def _draw_body(
    frame: Frame, rng: np.random.Generator, patient: Patient
) -> tuple[NDArray[np.uint8], Liver, float, Grain]:
    organs = np.zeros(frame.shape, np.uint8)
    grain = Grain(rng, frame.spacing, GRAINS)
    trunk = paint_trunk(organs, frame, rng)
    paint_organs(organs, frame, rng, trunk)
    liver = paint_liver(organs, frame, rng, trunk, patient.kind, grain)
    paint_great_vessels(organs, frame, rng)
    mask = organs[liver.box] == NUMBER["liver"]
    return organs, liver._replace(mask=mask), trunk.front, grain


def _draw_liver(
    frame: Frame, liver: Liver, organs: NDArray[np.uint8], patient: Patient, recipe: Recipe, grain: Grain,
    rng: np.random.Generator,
) -> tuple[Field, NDArray[np.uint16], list[Lesion]]:  # fmt: skip
    """Makes the HU of all phases over the liver's box, and the lesions in it."""
    inner = np.moveaxis(patient.organs[organs[liver.box]], -1, 0)
    inner = np.ascontiguousarray(inner)
    name = "nodule" if patient.kind == "cirrhotic" else "lump"
    texture = grain(name, liver.box, rng.integers(0, 48, 3)) * np.float32(TEXTURE[patient.kind])
    inner += (texture * liver.mask)[None] * np.array((0.7, 0.9, 1.1, 1.0), np.float32)[:, None, None, None]
    shares = vessel_shares(frame, liver, grow_trees(rng))
    for vessel, share in shares.items():
        for phase in range(4):
            inner[phase] += share * (patient.vessels[vessel][phase] - inner[phase])
    veins = np.maximum(shares["portal"], shares["hepatic"])
    instances, lesions = paint_lesions(inner, frame, liver, veins, patient, recipe.spread, grain, rng)
    return inner, instances, lesions


def _moire(organs: NDArray[np.uint8], frame: Frame, rng: np.random.Generator) -> tuple[Any, Field] | None:
    """Adds the bands of uneven arterial enhancement of the spleen."""
    box = frame.box((-92, -34, 18), (60, 75, 80))
    spleen = organs[box] == NUMBER["spleen"]
    x, y, z = frame.open(box)
    bands = np.sin(x / 7 + 0.6 * np.sin(y / 11 + z / 9) + y / 10 + np.float32(rng.uniform(0, 6)))
    return box, np.float32(rng.uniform(15, 40)) * bands * spleen


def _stored(data: NDArray, scan: Scan, recipe: Recipe) -> Volume:
    """Returns array and affine in the orientation in which the recipe's scanner stores them."""
    affine = np.diag((*scan.frame.spacing, 1.0))
    affine[:3, 3] = [axis[0] for axis in scan.frame]
    if recipe.flip:
        data = data[::-1, ::-1]
        affine[:2, 3] = scan.frame.x[-1], scan.frame.y[-1]
        affine[0, 0], affine[1, 1] = -affine[0, 0], -affine[1, 1]
    return Volume(data, affine)


def _truth(
    organs: NDArray[np.uint8], liver: Liver, instances: NDArray[np.uint16], lesions: list[Lesion],
    frame: Frame,
    venous: Frame, layers: int, extra: int, recipe: Recipe,
) -> tuple:  # fmt: skip
    """Makes label, instances, liver, affine, lesion records and malignancy on the venous grid."""
    number = np.zeros(frame.shape, np.uint16)
    number[liver.box] = instances
    whole = np.zeros(frame.shape, bool)
    whole[liver.box] = liver.mask
    middle = layers // 2
    keep = slice(extra * layers + middle, (len(frame.z) // layers - extra) * layers, layers)
    number, whole = number[:, :, keep], whole[:, :, keep]
    groups = np.array([BACKGROUND] + [lesion.look.group for lesion in lesions], np.uint8)
    label = np.where(number > 0, groups[number], np.where(whole, np.uint8(LIVER), np.uint8(BACKGROUND)))
    counts = np.bincount(number.ravel(), minlength=len(lesions) + 1)
    records, malignant = [], {}
    voxel = float(np.prod(venous.spacing))
    for lesion in lesions:
        volume = counts[lesion.instance] * voxel
        if not volume:
            continue
        records.append({
            "instance": lesion.instance,
            "type": CLASSES[lesion.look.group],
            "look": lesion.look.name,
            "diameter_mm": round(float((6 * volume / np.pi) ** (1 / 3)), 1),
            "volume_mm3": round(float(volume), 1),
            "parts": lesion.values,
        })
        if lesion.look.group == len(CLASSES) - 1 and lesion.look.side != "?":
            malignant[str(lesion.instance)] = lesion.look.side == "M"
    scan = Scan(venous, 0, 0, 0)
    stored = [_stored(a, scan, recipe) for a in (label, number, (label > 0).astype(np.uint8))]
    return (*(v.data for v in stored), stored[0].affine, records, malignant)
