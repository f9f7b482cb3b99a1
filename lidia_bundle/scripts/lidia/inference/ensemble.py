"""Average the probabilities of several weights of one network.

p[c] = 1/M * sum_m p_m[c]

p_m  probabilities of the network with the m-th weights. The members run one after the other on each window,
    so that only their weights need additional memory. The liver's box is that of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from torch import Tensor, nn

from scripts.lidia.runtime.weights import list_weight_files


class Ensemble(nn.Module):
    """Averages the probabilities of copies of a network with different weights.

    Args:
        network: first member; the others are copies of it.
        count: number of members.
    """

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.members = nn.ModuleList([network, *(deepcopy(network) for _ in range(count - 1))])
        if hasattr(network, "predict_patient"):  # `WindowInferer` looks it up
            self.predict_patient = self._predict_patient

    def forward(self, image: Tensor) -> Tensor:
        """Returns mean probabilities (B, C, X, Y, Z) of an image (B, 4, X, Y, Z), in evaluation."""
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
    """Returns the network itself for one file of weights, an `Ensemble` for several.

    Args:
        network: network without weights; `LoadWeights` loads them.
        weights: file or files.
    """
    count = len(list_weight_files(weights))
    return network if count == 1 else Ensemble(network, count)
