"""Convert a label to the target masks of the queries: background, liver and one mask per lesion."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scripts.lidia.vocabulary import BACKGROUND, IGNORED, LIVER


class Targets(NamedTuple):
    """Masks of one sample.

    Attributes:
        classes: (T,) long.
        instances: (T,) long, instance id of a lesion, 0 for background and liver.
        masks: (T, X, Y, Z) bool.
    """

    classes: Tensor
    instances: Tensor
    masks: Tensor


def read_targets(target: Tensor) -> Targets:
    """Read the masks from a sample's class map and instance map, (2, X, Y, Z).

    The class of a lesion is the most frequent class of its voxels. Ignored voxels belong to no mask.
    """
    classes, instances = target[0].long(), target[1].long()
    # 'Stuff' is the term of panoptic segmentation for regions without instances
    stuff = [c for c in (BACKGROUND, LIVER) if bool((classes == c).any())]
    lesions = instances[(instances > 0) & (classes > IGNORED)].unique().tolist()
    masks = [(classes == c) & (instances == 0) for c in stuff]
    masks += [(instances == k) & (classes > IGNORED) for k in lesions]
    mask_classes = stuff + [int(classes[mask].mode().values) for mask in masks[len(stuff) :]]
    device = target.device
    return Targets(
        torch.tensor(mask_classes, dtype=torch.long, device=device),
        torch.tensor([0] * len(stuff) + lesions, dtype=torch.long, device=device),
        torch.stack(masks) if masks else classes.new_zeros((0, *classes.shape), dtype=torch.bool),
    )
