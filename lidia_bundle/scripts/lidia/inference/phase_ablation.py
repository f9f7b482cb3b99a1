"""Repeat the diagnosis without some phases, to show the influence of each phase."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any

import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.engines.utils import IterationEvents
from monai.inferers import Inferer
from monai.networks.utils import eval_mode

from scripts.lidia.inference.case_evaluator import note_failure
from scripts.lidia.vocabulary import PHASES


def list_phase_subsets() -> list[tuple[str, ...]]:
    """List the 15 non-empty subsets of the phases, small subsets first."""
    return [subset for size in range(1, len(PHASES) + 1) for subset in combinations(PHASES, size)]


class HidePhases:
    """Diagnoses a patient from a subset of their phases, on the same grid.

    Args:
        network: network of the evaluator.
        inferer: inferer of the evaluator.
        postprocessing: postprocessing of the evaluator.
    """

    def __init__(
        self, *, network: torch.nn.Module, inferer: Inferer, postprocessing: Callable[..., Any]
    ) -> None:
        self.network, self.inferer, self.postprocessing = network, inferer, postprocessing

    def __call__(
        self, data: Mapping[str, Any], subset: Iterable[str], device: torch.device
    ) -> dict[str, Any]:
        """Returns the postprocessed data of a diagnosis with the phases `subset` only.

        Args:
            data: decollated patient; `image` (4, X, Y, Z) with affine.
            subset: phases in use.
            device: device of the network.
        """
        image: MetaTensor = data["image"].clone()
        subset = tuple(subset)
        for channel, phase in enumerate(PHASES):
            if phase not in subset:
                image[channel] = torch.nan
        with eval_mode(self.network):
            pred = self.inferer(image[None].to(device), self.network)[0]
        return self.postprocessing({**data, "image": image, "pred": pred, "phases_used": subset})


class ExplainPhases:
    """Handler that adds `without` to a patient's result: the diagnosis without each of the phases.

    It must precede the handler that writes results, and needs one more inference per phase.

    Args:
        hidden: repeats the diagnosis.
    """

    def __init__(self, hidden: HidePhases) -> None:
        self.hidden = hidden

    def attach(self, engine: Engine) -> None:
        """Runs after the postprocessing of each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Adds `without` to all patients of the batch."""
        for case, output in zip(engine.state.batch, engine.state.output, strict=True):
            try:
                without = self._diagnose_without_each({**case, **output}, engine)
            except Exception as problem:  # the diagnosis itself is complete
                note_failure(engine, problem, case["id"])
                continue
            output["result"] = {**output["result"], **({"without": without} if without else {})}

    def _diagnose_without_each(self, data: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
        """Computes a patient's scores without each phase; empty if there is only one phase."""
        used = tuple(data["result"]["phases_used"])
        without = {}
        for phase in used if len(used) > 1 else ():
            subset = [other for other in used if other != phase]
            result = self.hidden(data, subset, engine.state.device)["result"]
            without[phase] = {name: result[name] for name in ("probabilities", "malignant", "benign")}
        return without
