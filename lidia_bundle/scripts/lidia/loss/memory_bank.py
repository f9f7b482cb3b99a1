"""The memory bank of cross-batch contrast (section 2.2, ACL; 1024 entries in section 3)."""

from __future__ import annotations

import torch
from monai.utils import evenly_divisible_all_gather
from torch import Tensor, nn


class MemoryBank(nn.Module):
    """First in, first out: detached lesion embeddings with their classes, as buffers that a checkpoint keeps.

    Args:
        size: number of entries.
        width: of an embedding.
    """

    features: Tensor
    classes: Tensor
    pointer: Tensor

    def __init__(self, *, size: int = 1024, width: int = 64) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(size, width))
        self.register_buffer("classes", torch.full((size,), -1, dtype=torch.long))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    def entries(self) -> tuple[Tensor, Tensor]:
        """Filled entries: embeddings (n, width) and classes (n,)."""
        filled = self.classes >= 0
        return self.features[filled], self.classes[filled]

    @torch.no_grad()
    def fill(self, embeddings: Tensor, classes: Tensor) -> None:
        """Appends a step's lesions of all ranks, overwriting the oldest.

        Args:
            embeddings: (n, width).
            classes: (n,) long.
        """
        embeddings = evenly_divisible_all_gather(embeddings.detach().to(self.features.dtype))
        classes = evenly_divisible_all_gather(classes)
        size = len(self.classes)
        embeddings, classes = embeddings[-size:], classes[-size:]
        slots = (self.pointer + torch.arange(len(classes), device=self.pointer.device)) % size
        self.features[slots] = embeddings
        self.classes[slots] = classes
        self.pointer.copy_((self.pointer + len(classes)) % size)
