"""Makes the scans of one patient at several dates, with the truth of each lesion's change.

All dates show the same body, drawn once. Each date has its own lesion sizes, breath-hold, position on the
table, grids, noise and phases; some scans leave out a part of the liver.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.breathing import LIMITS, Breathing
from scripts.lidia.phantom.case import TEXTURE, Case, Volume, _draw_body, _moire, _stored
from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.enhancement import deviation
from scripts.lidia.phantom.lesion_course import TREATED_PARTS, Course, draw_courses
from scripts.lidia.phantom.lesions import _paint, _site
from scripts.lidia.phantom.liver import Liver
from scripts.lidia.phantom.patient import Patient, sample_patient
from scripts.lidia.phantom.recipes import Recipe
from scripts.lidia.phantom.scanner import Scan, drawing_frame, expose, plan_scans, to_scan
from scripts.lidia.phantom.shapes import Field, Frame, Grain
from scripts.lidia.phantom.time_point_truth import DrawnLesions, describe_changes, make_truth
from scripts.lidia.phantom.vessels import grow_trees, vessel_shares
from scripts.lidia.vocabulary import PHASES

STREAM = 2601
"""Part of the seed, so that these patients are not those of a cohort with one time point."""
PHASE_CHOICES: tuple[tuple[tuple[str, ...], float], ...] = (
    (PHASES, 0.55),
    (PHASES[:3], 0.28),
    (("arterial", "venous"), 0.07),
    (("venous",), 0.10),
)
"""Phases of a scan and their probability."""
CUT_PROB = 0.12
"""Share of later scans that leave out the top or the bottom of the liver."""
DAYS = (60, 400)
"""Shortest and longest time between two dates."""
TABLE_MM = (10.0, 10.0, 80.0)
"""Largest difference of the scanner's coordinates between two dates, along x, y and z."""


class TimePoint(NamedTuple):
    """The scan of one date.

    Attributes:
        case: volumes and truth.
        date: YYYY-MM-DD.
        changes: truth of the changes since the previous date, see `describe_changes`; empty at the first.
    """

    case: Case
    date: str
    changes: list[dict]


class Body(NamedTuple):
    """What all dates of a patient share: organs, parenchyma with its vessels, and the drawing's frame."""

    frame: Frame
    organs: NDArray[np.uint8]
    liver: Liver
    front: float
    grain: Grain
    parenchyma: Field
    veins: Field


def sample_time_points(
    seed: int,
    index: int,
    cohort: str = "internal",
    *,
    timepoints: int,
    breathing: str = "residual",
    spacing: Sequence[float] | None = None,
    fov: Sequence[float] | None = None,
    unchanged: bool = False,
) -> list[TimePoint]:
    """Makes the scans of patient `index` of a cohort; the same arguments give the same voxels.

    Args:
        seed: of the cohort.
        index: of the patient.
        cohort: `internal`, `external` or `hard`.
        timepoints: number of dates, at least 2.
        breathing: displacement between the phases of one date, see `sample_case`. Between two dates it is
            always up to 20 mm.
        spacing: voxel size in mm of all phases (x, y, z) instead of the scanner's own.
        fov: field of view in mm (x, y, z).
        unchanged: no lesion changes, and every scan shows the whole liver.
    """
    recipe = RECIPES[cohort]
    streams = np.random.SeedSequence([seed, recipe.number, index, STREAM]).spawn(5)
    for_patient, for_body, for_lesions, for_dates, for_scans = map(np.random.default_rng, streams)
    patient = sample_patient(for_patient, recipe)
    plans = [plan_scans(for_scans, recipe, spacing, fov) for _ in range(timepoints)]
    margin = LIMITS["raw"] + LIMITS.get(breathing, 0) + 12
    frame, *_ = drawing_frame(plans[0]["venous"].frame, margin)
    body = _draw_body_once(frame, for_body, patient)
    courses = draw_courses(for_lesions, frame, body.liver, patient, timepoints, unchanged=unchanged)
    shared = {look.name: deviation(for_lesions) for look in patient.plan}
    day = date(2020, 1, 1) + timedelta(days=int(for_dates.integers(700)))
    name = f"{cohort}_{seed}_{index:05d}"
    points: list[TimePoint] = []
    previous: DrawnLesions | None = None
    for number, scans in enumerate(plans):
        cut = number > 0 and not unchanged and for_dates.random() < CUT_PROB
        drawn = _paint_date(body, patient, recipe, courses, shared, number)
        case, lesions = _scan_date(
            f"{name}_t{number + 1}",
            body,
            patient,
            recipe,
            _cut_scans(scans, body, for_dates) if cut else scans,
            drawn,
            courses,
            breathing,
            for_scans,
            later=number > 0,
        )
        treated = [c.lesion for c in courses if c.treated[number] and not c.treated[number - 1]]
        changes = [] if previous is None else describe_changes(previous, lesions, treated)
        points.append(TimePoint(case, day.isoformat(), changes))
        previous, day = lesions, day + timedelta(days=int(for_dates.integers(*DAYS)))
    return points


def _draw_body_once(frame: Frame, rng: np.random.Generator, patient: Patient) -> Body:
    organs, liver, front, grain = _draw_body(frame, rng, patient)
    hu = np.ascontiguousarray(np.moveaxis(patient.organs[organs[liver.box]], -1, 0))
    name = "nodule" if patient.kind == "cirrhotic" else "lump"
    texture = grain(name, liver.box, rng.integers(0, 48, 3)) * np.float32(TEXTURE[patient.kind])
    hu += (texture * liver.mask)[None] * np.array((0.7, 0.9, 1.1, 1.0), np.float32)[:, None, None, None]
    shares = vessel_shares(frame, liver, grow_trees(rng))
    for vessel, share in shares.items():
        for phase in range(4):
            hu[phase] += share * (patient.vessels[vessel][phase] - hu[phase])
    return Body(frame, organs, liver, front, grain, hu, np.maximum(shares["portal"], shares["hepatic"]))


def _paint_date(
    body: Body,
    patient: Patient,
    recipe: Recipe,
    courses: Sequence[Course],
    shared: dict[str, NDArray],
    number: int,
) -> tuple[Field, NDArray[np.uint16]]:
    """Paints the lesions of one date: HU (4, liver box) and lesion numbers (liver box)."""
    hu = body.parenchyma.copy()
    numbers = np.zeros(body.liver.mask.shape, np.uint16)
    for course in courses:
        diameter = course.diameters[number]
        if not diameter:
            continue
        rng, look = np.random.default_rng(course.seed), course.look
        if course.treated[number]:
            look = look._replace(parts=look.parts + TREATED_PARTS)
        site, local = _site(body.frame, body.liver, body.grain, course.centre, diameter / 2, course.look, rng)
        _paint(
            hu[(slice(None), *local)], site, look, patient, recipe.spread, shared[look.name],
            body.liver.mask[local], body.veins[local], numbers[local], course.lesion, rng,
        )  # fmt: skip
    return hu, numbers


def _cut_scans(scans: dict[str, Scan], body: Body, rng: np.random.Generator) -> dict[str, Scan]:
    """Leaves out 20 to 40 % of the liver's height at its top or bottom, in all phases."""
    heights = body.frame.z[body.liver.box[2]][np.flatnonzero(body.liver.mask.any((0, 1)))]
    low, high = float(heights.min()), float(heights.max())
    lost, top = rng.uniform(0.2, 0.4) * (high - low), rng.random() < 0.5
    cut = {}
    for phase, scan in scans.items():
        z = scan.frame.z
        kept = z[z < high - lost] if top else z[z > low + lost]
        cut[phase] = scan._replace(frame=scan.frame._replace(z=kept))
    return cut


def _scan_date(
    name: str,
    body: Body,
    patient: Patient,
    recipe: Recipe,
    scans: dict[str, Scan],
    drawn: tuple[Field, NDArray[np.uint16]],
    courses: Sequence[Course],
    breathing: str,
    rng: np.random.Generator,
    *,
    later: bool,
) -> tuple[Case, DrawnLesions]:
    hu, numbers = drawn
    chances = [chance for _, chance in PHASE_CHOICES]
    phases = PHASE_CHOICES[int(rng.choice(len(chances), p=chances))][0]
    table = rng.uniform(-1, 1, 3) * TABLE_MM * later
    between = Breathing("raw", rng, body.front) if later else None
    volumes: dict[str, Volume] = {}
    displacement: dict[str, float] = {}
    shifts: dict[str, tuple[Field, Field, Field]] = {}
    for number, (phase, scan) in enumerate(scans.items()):
        within = Breathing(breathing, rng, body.front)
        stream = np.random.default_rng(rng.integers(2**63))
        moire = _moire(body.organs, body.frame, rng) if phase == "arterial" else None
        if phase not in phases:
            continue
        image = patient.organs[:, number][body.organs]
        image[body.liver.box] = hu[number]
        if moire is not None:
            image[moire[0]] += moire[1]
        fields = [] if between is None else [between(scan.frame)]
        fields += [] if phase == "venous" else [within(scan.frame)]
        x, y, z = (
            np.sum([np.zeros(scan.frame.shape, np.float32), *(field[axis] for field in fields)], axis=0)
            for axis in range(3)
        )
        shift = (x, y, z)
        shifts[phase] = shift
        displacement[phase] = float(np.sqrt(sum(part * part for part in shift)).max())
        volume = _stored(expose(to_scan(image, body.frame, scan.frame, shift), scan, stream), scan, recipe)
        volumes[phase] = _shift_table(volume, table)
    venous = scans["venous"]
    truth = make_truth(body.frame, body.liver, numbers, courses, venous.frame, shifts["venous"])
    stored = [_stored(array, venous, recipe) for array in (truth.label, truth.instances, truth.liver)]
    arrays: list[Any] = [volume.data for volume in stored]
    label, instances, liver = arrays
    affine = _shift_table(stored[0], table).affine
    case = Case(
        name, volumes, label, instances, liver, affine, truth.records, truth.malignant, patient, displacement
    )
    return case, truth.lesions


def _shift_table(volume: Volume, table: NDArray[np.float64]) -> Volume:
    """Shifts the scanner's coordinates by `table` mm."""
    affine = volume.affine.copy()
    affine[:3, 3] += table
    return Volume(volume.data, affine)
