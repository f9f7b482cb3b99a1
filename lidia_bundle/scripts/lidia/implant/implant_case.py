"""Makes one implanted case: fits a patient to a background, draws the lesions, phases and ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.fit_patient import fit_patient
from scripts.lidia.implant.lesion_matte import Matte, draw_matte
from scripts.lidia.implant.phase_synthesis import LesionLayers, make_phase, to_hounsfield
from scripts.lidia.implant.scan_noise import TILE
from scripts.lidia.implant.small_lesions import make_lesions_small
from scripts.lidia.implant.tissue_maps import collect_tissue_hu
from scripts.lidia.phantom.case import Case, Volume
from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.patient import Patient
from scripts.lidia.vocabulary import CLASSES, LIVER, OTHERS, PHASES

STREAM = 100
"""Added to a hospital's number, so that implants and phantoms use different random numbers."""
ATTEMPTS = 4
"""Number of attempts to place lesions before the liver is refused."""
MIN_FREE_ML = 10.0
"""Volume of liver in ml that must be free of wide vessels and existing lesions."""


class Implant(NamedTuple):
    """Patient and lesions of one case.

    Attributes:
        patient: the patient.
        matte: their lesions in the liver's box.
        noise_shifts: (4, 3) voxels by which the noise of each phase is shifted.
    """

    patient: Patient
    matte: Matte
    noise_shifts: NDArray[np.int64]


def implant_case(
    anatomy: Anatomy,
    seed: int,
    index: int,
    cohort: str = "internal",
    looks: Sequence[str] | None = None,
    small_lesions_prob: float = 0.0,
) -> Case:
    """Implants case `index` into a background: the same arguments give the same voxels.

    Args:
        anatomy: the background.
        seed: seed of the cohort.
        index: index of the case.
        cohort: `internal` or `external`: sets types and number of lesions and the contrast timing.
        looks: names of appearances, one lesion of each, instead of a random disease.
        small_lesions_prob: probability that all lesions are small, see `make_lesions_small`.

    Raises:
        CaseError: if no lesion fits into the liver.
    """
    implant = draw_implant(anatomy, seed, index, cohort, looks, small_lesions_prob)
    patient, matte = implant.patient, implant.matte
    tissue_hu = collect_tissue_hu(patient, anatomy.maps.names)
    layers = LesionLayers(anatomy.box, matte.through, matte.paint, matte.beside)
    volumes = {}
    for phase, shift in zip(PHASES, implant.noise_shifts, strict=True):
        if phase in patient.phases or phase in anatomy.maps.scans:
            data = to_hounsfield(make_phase(anatomy.maps, tissue_hu, layers, phase, shift))
            volumes[phase] = Volume(anatomy.source.as_stored(data), anatomy.source.affine)
    label, instances = _make_truth(anatomy, matte)
    records, malignant = _make_records(anatomy, matte)
    to_file_axes = anatomy.source.as_stored
    return Case(
        id=f"implant_{cohort}_{seed}_{index:05d}",
        volumes=volumes,
        label=to_file_axes(label),
        instances=to_file_axes(instances),
        liver=to_file_axes((label > 0).astype(np.uint8)),
        affine=anatomy.source.affine,
        lesions=records,
        malignant=malignant,
        patient=patient,
        moved={},
    )


def draw_implant(
    anatomy: Anatomy,
    seed: int,
    index: int,
    cohort: str = "internal",
    looks: Sequence[str] | None = None,
    small_lesions_prob: float = 0.0,
) -> Implant:
    """Draws patient and lesions of case `index`; the arguments are those of `implant_case`.

    Raises:
        CaseError: if no lesion fits into the liver.
    """
    recipe = RECIPES[cohort]
    root = np.random.SeedSequence([seed, recipe.number + STREAM, index])
    for_patient, for_noise, *attempts, for_size = root.spawn(3 + ATTEMPTS)
    rng = np.random.default_rng(for_patient)
    patient = fit_patient(rng, recipe, anatomy.maps.levels, anatomy.source.reference, looks)
    rng = np.random.default_rng(for_size)
    if rng.random() < small_lesions_prob:
        patient = make_lesions_small(patient, rng)
    free = (anatomy.source.liver & ~anatomy.large).sum() * np.prod(anatomy.source.spacing) / 1000
    for stream in attempts if free > MIN_FREE_ML else ():
        matte = draw_matte(anatomy, patient, recipe.spread, np.random.default_rng(stream))
        if matte.instances.any() or not patient.plan:
            break
    else:
        names = ", ".join(sorted({look.name for look in patient.plan}))
        problem = f"no room for a lesion ({names}) in {free:.0f} ml of free liver"
        remedy = "give a larger liver, one with fewer lesions of its own, or other looks"
        raise CaseError(anatomy.source.name, "", problem, remedy, "no_room")
    return Implant(patient, matte, np.random.default_rng(for_noise).integers(0, TILE, (len(PHASES), 3)))


def _make_truth(anatomy: Anatomy, matte: Matte) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Returns label and instances (X, Y, Z), x to the right."""
    instances = np.zeros(anatomy.source.liver.shape, np.uint16)
    instances[anatomy.box] = matte.instances
    groups = np.array([0] + [lesion.look.group for lesion in matte.lesions], np.uint8)
    return np.where(instances > 0, groups[instances], anatomy.source.liver * np.uint8(LIVER)), instances


def _make_records(anatomy: Anatomy, matte: Matte) -> tuple[list[dict[str, Any]], dict[str, bool]]:
    """Returns the records of lesions with at least one voxel, and whether those of `others` are malignant."""
    counts = np.bincount(matte.instances.ravel(), minlength=len(matte.lesions) + 1)
    records, malignant = [], {}
    for lesion in matte.lesions:
        volume = float(counts[lesion.instance] * np.prod(anatomy.source.spacing))
        if not volume:
            continue
        records.append({
            "instance": lesion.instance,
            "type": CLASSES[lesion.look.group],
            "look": lesion.look.name,
            "diameter_mm": round(float((6 * volume / np.pi) ** (1 / 3)), 1),
            "volume_mm3": round(volume, 1),
            "parts": lesion.values,
        })
        if lesion.look.group == OTHERS and lesion.look.side != "?":
            malignant[str(lesion.instance)] = lesion.look.side == "M"
    return records, malignant
