"""Makes the phases of an implanted patient: real phases stay, others are made from the reference phase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.lesion_matte import Matte
from scripts.lidia.implant.scan_noise import synthesize_noise
from scripts.lidia.phantom.patient import Patient
from scripts.lidia.phantom.scanner import NOISIER
from scripts.lidia.phantom.shapes import Field
from scripts.lidia.phantom.tissues import NUMBER, ORGANS
from scripts.lidia.vocabulary import PHASES

AIR_HU = -400.0
"""Below this (HU) are air and lung, which stay unchanged; from 100 HU above it voxels are fully changed."""
UNTOUCHED = 1e-3
"""Share of an implant below which a voxel keeps its background value."""
EXISTING = (38, 52, 66, 66)
"""HU per phase of lesions that the background already has (metastasis, the most common type)."""


def make_phase(
    anatomy: Anatomy, patient: Patient, matte: Matte, phase: str, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Makes one phase on the background's grid, with the lesions in it (HU).

    Args:
        anatomy: the background.
        patient: patient whose tables define the tissue HU.
        matte: lesions of the patient.
        phase: phase to make.
        rng: random generator of the noise.
    """
    if phase in anatomy.scanned:
        image = _blend_into_scan(anatomy, patient, matte, phase, rng)
    else:
        image = _convert_reference(anatomy, patient, matte, phase, rng)
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def _blend_into_scan(
    anatomy: Anatomy, patient: Patient, matte: Matte, phase: str, rng: np.random.Generator
) -> Field:
    """Blends the lesions into the real image; they replace the anatomy, and the noise stays."""
    box, number, scan = anatomy.box, PHASES.index(phase), anatomy.scanned[phase]
    image = anatomy.source.phases[phase].copy()
    clean, noise_share = scan.clean[box], scan.noise_share[box]
    cover = 1 - matte.through[number]
    change = matte.paint[number] - cover * clean + matte.beside * scan.uneven[box]
    # a real phase other than the reference has its own level
    change += matte.beside * np.float32(scan.level - patient.liver[number])
    lost = cover * noise_share
    noise = synthesize_noise(scan.noise, cover.shape, rng) * np.float32(scan.noise.level)
    change += np.sqrt(np.clip(2 * lost - lost * lost, 0, 1)) * noise
    touched = (cover > UNTOUCHED) | (np.abs(matte.paint[number]) > 0.05)
    image[box] += np.where(touched, change, 0)
    return image


def _convert_reference(
    anatomy: Anatomy, patient: Patient, matte: Matte, phase: str, rng: np.random.Generator
) -> Field:
    """Converts the reference phase to another phase and replaces its noise."""
    box, number = anatomy.box, PHASES.index(phase)
    source = anatomy.source.reference
    scan = anatomy.scanned[source]
    image = scan.clean + _compute_tissue_change(anatomy, patient, PHASES.index(source), number)
    through = np.ones(image.shape, np.float32)
    through[box] = matte.through[number]
    image[box] = through[box] * image[box] + matte.paint[number] + matte.beside * scan.uneven[box]
    louder = NOISIER[phase] / NOISIER[source]
    remaining_noise = through * scan.noise_share
    noise = synthesize_noise(scan.noise, image.shape, rng) * np.float32(scan.noise.level)
    image += np.sqrt(np.clip(np.float32(louder**2) - remaining_noise * remaining_noise, 0, None)) * noise
    loud = np.clip((scan.clean - AIR_HU) / np.float32(100), 0, 1)
    return loud * image + (1 - loud) * anatomy.source.phases[source]


def _compute_tissue_change(anatomy: Anatomy, patient: Patient, here: int, there: int) -> Field:
    """Returns the change (X, Y, Z) in HU of each voxel from phase number `here` to `there`."""
    change = np.zeros(anatomy.source.liver.shape, np.float32)
    for name, share in anatomy.shares.items():
        values = _get_tissue_hu(patient, name)
        now = anatomy.levels.veins if name in ("portal", "hepatic") else values[here]
        change[anatomy.body] += share * np.float32(values[there] - now)
    return change


def _get_tissue_hu(patient: Patient, name: str) -> NDArray:
    if name == "parenchyma":
        return patient.liver
    if name == "lesion":
        return np.asarray(EXISTING, np.float32)
    if name == "portal_trunk":
        return patient.vessels["portal"]
    if name in patient.vessels:
        return patient.vessels[name]
    if name == "kidney":
        # cortex and medulla are one tissue in the venous phase, but two in the arterial one
        return np.mean([ORGANS[part].hu for part in ("kidney_cortex", "kidney_medulla")], axis=0)
    return patient.organs[NUMBER[name]]
