"""Source of training crops: a background whose lesions are implanted on the fly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from scripts.lidia.data.crop_source import CropSource
from scripts.lidia.implant.compose_crop import compose_crop
from scripts.lidia.vocabulary import PHASES


class ImplantedSource(NamedTuple):
    """A background, at full and at half resolution, with one patient's lesions.

    Attributes:
        maps: packed maps, see `pack_maps`.
        implant: packed implant, see `pack_implant`.
        tissue_centres: (N, 5) voxels of liver and background, see `CropSource`.
        halved: maps, implant and centres at half resolution; None if this is them.
        window: HU that become -1 and 1.
        phases: phases to make.
        with_lesions: False leaves the lesions out.
    """

    maps: Mapping[str, Any]
    implant: Mapping[str, Any]
    tissue_centres: NDArray[np.int16]
    halved: tuple[Mapping[str, Any], Mapping[str, Any], NDArray[np.int16]] | None
    window: tuple[float, float]
    phases: tuple[str, ...] = PHASES
    with_lesions: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along X, Y, Z."""
        return tuple(self.maps["liver"].shape)

    @property
    def centres(self) -> NDArray[np.int16]:
        """Voxels that crops may contain."""
        if not self.with_lesions:
            return self.tissue_centres
        return np.concatenate([self.tissue_centres, self.implant["centres"].numpy()])

    def cut(self, low: Sequence[int], high: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Composes a box of the implanted case."""
        x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        hu, label = compose_crop(self.maps, self.implant, (x, y, z), self.phases, self.with_lesions)
        bottom, top = self.window
        image = torch.from_numpy(hu).sub_(bottom).mul_(2 / (top - bottom)).sub_(1).clamp_(-1, 1)
        return image, torch.from_numpy(label)

    def halve(self) -> CropSource:
        """Returns the source at half resolution.

        Raises:
            ValueError: if this source is at half resolution already.
        """
        if self.halved is None:
            raise ValueError("The source is at half resolution already.")
        maps, implant, centres = self.halved
        return self._replace(maps=maps, implant=implant, tissue_centres=centres, halved=None)
