"""Base class of transforms that change a share of the training crops."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from monai.transforms import RandomizableTransform


class RandomChange(RandomizableTransform):
    """Changes a crop with the probability `prob`; the input dictionary stays as it is.

    A subclass draws its own random numbers in `change`, from `self.R`.
    """

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Changes `image` (4, X, Y, Z), NaN for an absent phase, and `label` (2, X, Y, Z), or neither."""
        item = dict(data)
        self.randomize(None)
        if self._do_transform:
            self.change(item)
        return item

    @abstractmethod
    def change(self, item: dict[str, Any]) -> None:
        """Replaces entries of `item`."""
