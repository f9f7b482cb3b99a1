"""Store lesion embeddings for the contrastive loss (memory bank; section 2.2; 1024 entries in section 3)."""

from __future__ import annotations

import torch
from monai.utils import evenly_divisible_all_gather
from torch import Tensor, nn


class MemoryBank(nn.Module):
    """First-in first-out memory bank of detached lesion embeddings and classes, saved in checkpoints.

    Args:
        size: maximum number of entries.
        width: width of an embedding.
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
        """Return the stored embeddings (n, width) and classes (n,)."""
        filled = self.classes >= 0
        return self.features[filled], self.classes[filled]

    @torch.no_grad()
    def fill(self, embeddings: Tensor, classes: Tensor) -> None:
        """Append the lesions of a step from all ranks and overwrite the oldest entries.

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
