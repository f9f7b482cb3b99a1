"""What the queries are to find in a sample: background and liver as one mask each, lesions one mask each."""

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
    """Reads the masks from a sample's class map and instance map, (2, X, Y, Z).

    A lesion's class is the commonest of its voxels. Voxels of the ignored class belong to no mask.
    """
    classes, instances = target[0].long(), target[1].long()
    stuff = [c for c in (BACKGROUND, LIVER) if bool((classes == c).any())]
    lesions = instances[(instances > 0) & (classes > IGNORED)].unique().tolist()
    masks = [(classes == c) & (instances == 0) for c in stuff]
    masks += [(instances == k) & (classes > IGNORED) for k in lesions]
    kinds = stuff + [int(classes[mask].mode().values) for mask in masks[len(stuff) :]]
    device = target.device
    return Targets(
        torch.tensor(kinds, dtype=torch.long, device=device),
        torch.tensor([0] * len(stuff) + lesions, dtype=torch.long, device=device),
        torch.stack(masks) if masks else classes.new_zeros((0, *classes.shape), dtype=torch.bool),
    )
