"""Composes a crop of an implanted patient from packed maps and a packed implant, during a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.implant.lesion_patches import place_patches
from scripts.lidia.implant.packed_maps import unpack_maps
from scripts.lidia.implant.phase_synthesis import make_phase
from scripts.lidia.implant.tissue_maps import TissueHU
from scripts.lidia.phantom.shapes import Box, Field
from scripts.lidia.vocabulary import IGNORED, LIVER, PHASES


def compose_crop(
    maps: Mapping[str, Any],
    implant: Mapping[str, Any],
    box: Box,
    phases: Sequence[str] = PHASES,
    with_lesions: bool = True,
) -> tuple[Field, NDArray[np.int16]]:
    """Composes the phases and the label of a box; equal to the box of the case that `implant_case` makes.

    Args:
        maps: packed maps of the background, see `pack_maps`.
        implant: packed implant, see `pack_implant`; its patient gives the HU of the tissues.
        box: box of the maps' voxels.
        phases: phases to make.
        with_lesions: False leaves the lesions out.

    Returns:
        HU (4, X, Y, Z), NaN for a phase that is not made, and label (2, X, Y, Z): class, -1 for a lesion
        that the patient has, and instance.
    """
    region = unpack_maps(maps, box, phases)
    tissue_hu = TissueHU(implant["tissue_hu"].numpy(), implant["liver_hu"].numpy())
    layers, instances = place_patches(implant, box) if with_lesions else (None, None)
    image = np.full((len(PHASES), *region.shape), np.nan, np.float32)
    for number, shift in enumerate(implant["noise_shifts"].tolist()):
        if PHASES[number] in phases:
            image[number] = make_phase(region, tissue_hu, layers, PHASES[number], shift)
    label = np.zeros((2, *region.shape), np.int16)
    np.multiply(maps["liver"][box].numpy() > 127, np.int16(LIVER), out=label[0])
    if layers is not None and instances is not None:
        numbers, classes = instances[layers.box], label[0][layers.box]
        np.copyto(classes, implant["classes"].numpy()[numbers], where=numbers > 0)
        label[1] = instances
    ignored = maps["ignored"][box].numpy()
    label[0, ignored], label[1, ignored] = IGNORED, 0
    return image, label
