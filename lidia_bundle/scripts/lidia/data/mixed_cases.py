"""Mixes two sets of training cases in a stated share."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset


class MixedCases(Dataset):
    """A dataset whose elements come from `second` with a share, evenly spread over its indices.

    The length is the smallest at which each element of both occurs; the smaller set is repeated.

    Args:
        first: dataset.
        second: dataset.
        share: share of `second`, at least 0 and below 1; with 0 only `first` is used.

    Raises:
        ValueError: if the share is out of range.
    """

    def __init__(self, first: Dataset, second: Dataset, share: float = 0.5) -> None:
        if not 0 <= share < 1:
            raise ValueError(f"share {share} must be at least 0 and below 1")
        self.first, self.second, self.share = first, second, share

    def __len__(self) -> int:
        first, second = len(self.first), len(self.second)  # type: ignore[arg-type]
        length = int(max(first / (1 - self.share), second / self.share if self.share else 0))
        while length - int(length * self.share) < first or (self.share and int(length * self.share) < second):
            length += 1
        return length

    def __getitem__(self, index: int) -> Any:
        """Returns an element of `first` or `second`."""
        before, after = int(index * self.share), int((index + 1) * self.share)
        if after > before:
            return self.second[before % len(self.second)]  # type: ignore[arg-type]
        return self.first[(index - before) % len(self.first)]  # type: ignore[arg-type]
