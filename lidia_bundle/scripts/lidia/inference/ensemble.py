"""Several weights of one network as one network: their probabilities are averaged.

p[c] = 1/M * sum_m p_m[c]

p_m  probabilities of the network with the m-th weights. They are asked one after the other, window by
    window, so that memory grows by the weights alone. The box of the liver is that of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from torch import Tensor, nn

from scripts.lidia.runtime.weights import list_weight_files


class Ensemble(nn.Module):
    """Copies of a network, each with weights of its own, that answer by the mean of their probabilities.

    Args:
        network: the first, and what the others are copies of.
        count: how many.
    """

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.members = nn.ModuleList([network, *(deepcopy(network) for _ in range(count - 1))])
        if hasattr(network, "predict_patient"):  # the inferer looks it up
            self.predict_patient = self._predict_patient

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities (B, C, X, Y, Z) of an image (B, 4, X, Y, Z), in evaluation."""
        return self._average(lambda member: (member(image),))[0]

    def _predict_patient(self, image: Tensor) -> tuple[Tensor, ...]:
        return self._average(lambda member: member.predict_patient(image))

    def _average(self, predict: Callable[[Any], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        totals: list[Tensor] = []
        for member in self.members:
            outputs = [output.float() for output in predict(member)]  # half precision would round the sum
            if totals:
                for total, output in zip(totals, outputs, strict=True):
                    total.add_(output)
            else:
                totals = outputs
        return tuple(total.div_(len(self.members)) for total in totals)


def build_ensemble(network: nn.Module, weights: str | Sequence[str]) -> nn.Module:
    """The network itself for one file of weights, an `Ensemble` of it for several.

    Args:
        network: not yet filled; `LoadWeights` does that.
        weights: file, or files.
    """
    count = len(list_weight_files(weights))
    return network if count == 1 else Ensemble(network, count)
