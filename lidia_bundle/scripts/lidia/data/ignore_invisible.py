"""Ignores lesions that no phase of a training crop shows.

Some lesions have the HU of the liver in some phases. If only these phases are left, the image does not tell
that there is a lesion, and a network that is taught to find it learns to report lesions in healthy liver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.transforms import Transform

from scripts.lidia.components import find_bounding_box
from scripts.lidia.vocabulary import IGNORED, LIVER


class IgnoreInvisible(Transform):
    """Sets lesions without contrast to ignored; for `augmentation(extra=...)`, after phases were dropped.

    The contrast of a lesion in a phase is the difference between its mean and the mean of the liver within
    `ring` voxels around it. Parts of a lesion differ as well (a dark core in a bright rim), so the mean
    absolute difference from the liver, less what noise alone gives, counts too.

    Args:
        min_contrast_hu: contrast in HU that one phase must have.
        ring: width in voxels of the liver around a lesion that it is compared with.
        window: HU that are -1 and 1 in `image`.
    """

    def __init__(
        self, min_contrast_hu: float = 5.0, ring: int = 2, window: Sequence[float] = (-200.0, 400.0)
    ) -> None:
        self.min_contrast, self.ring = min_contrast_hu * 2 / (window[1] - window[0]), ring

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Changes `label` (2, X, Y, Z) by what `image` (4, X, Y, Z) shows."""
        item = dict(data)
        image, label = item["image"], item["label"]
        present = image[~torch.isnan(image[:, 0, 0, 0])]
        for number in torch.bincount(label[1].flatten())[1:].nonzero().flatten().add(1).tolist():
            if not self.is_visible(present, label, number):
                invisible = label[1] == number
                label[0][invisible], label[1][invisible] = IGNORED, 0
        return item

    def is_visible(self, image: torch.Tensor, label: torch.Tensor, number: int) -> bool:
        """Tells whether a phase shows lesion `number`; without liver beside it, it counts as visible.

        Args:
            image: (P, X, Y, Z), the phases that are present.
            label: (2, X, Y, Z).
            number: instance.
        """
        box = find_bounding_box((label[1] == number).numpy())
        if box is None:
            return True
        reach = tuple(
            slice(max(side.start - self.ring, 0), min(side.stop + self.ring, size))
            for side, size in zip(box, label.shape[1:], strict=True)
        )
        part, near = image[(slice(None), *reach)], label[(slice(None), *reach)]
        lesion = near[1] == number
        grown = lesion[None].float()
        for axis in range(3):  # a cube as three lines, which is quicker
            width = [2 * self.ring + 1 if side == axis else 1 for side in range(3)]
            grown = F.max_pool3d(grown, width, stride=1, padding=[n // 2 for n in width])
        liver = (grown[0] > 0) & (near[0] == LIVER)
        if int(liver.sum()) < int(lesion.sum()) ** (2 / 3):
            return True
        inside, around = part[:, lesion], part[:, liver]
        level = around.mean(1, keepdim=True)
        shift = (inside.mean(1) - level[:, 0]).abs()
        spread = (inside - level).abs().mean(1) - (around - level).abs().mean(1)
        return bool((torch.maximum(shift, spread) >= self.min_contrast).any())
