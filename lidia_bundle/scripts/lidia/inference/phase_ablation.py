"""What would the answer be, had a phase not been scanned? The network is asked again, that phase hidden."""

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
    """The 15 non-empty subsets of the phases, small ones first."""
    return [subset for size in range(1, len(PHASES) + 1) for subset in combinations(PHASES, size)]


class HidePhases:
    """Diagnoses a patient again from some of his phases, on the same grid.

    Args:
        network: of the evaluator.
        inferer: of the evaluator.
        postprocessing: of the evaluator.
    """

    def __init__(
        self, *, network: torch.nn.Module, inferer: Inferer, postprocessing: Callable[..., Any]
    ) -> None:
        self.network, self.inferer, self.postprocessing = network, inferer, postprocessing

    def __call__(self, data: Mapping[str, Any], kept: Iterable[str], device: torch.device) -> dict[str, Any]:
        """The data as they would be after postprocessing with the phases `kept` alone.

        Args:
            data: a decollated patient; `image` (4, X, Y, Z) with its place.
            kept: phases that are shown.
            device: of the network.
        """
        image: MetaTensor = data["image"].clone()
        kept = tuple(kept)
        for channel, phase in enumerate(PHASES):
            if phase not in kept:
                image[channel] = torch.nan
        with eval_mode(self.network):
            pred = self.inferer(image[None].to(device), self.network)[0]
        return self.postprocessing({**data, "image": image, "pred": pred, "phases_used": kept})


class ExplainPhases:
    """Handler that adds `without` to a patient's result: his diagnosis had each phase not been scanned.

    It must stand before the handler that writes results. Costs one more inference a phase.

    Args:
        hidden: asks the network again.
    """

    def __init__(self, hidden: HidePhases) -> None:
        self.hidden = hidden

    def attach(self, engine: Engine) -> None:
        """Explains after the postprocessing of each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Explains all patients of the batch."""
        for case, output in zip(engine.state.batch, engine.state.output, strict=True):
            try:
                without = self._diagnose_without_each({**case, **output}, engine)
            except Exception as problem:  # the diagnosis itself stands
                note_failure(engine, problem, case["id"])
                continue
            output["result"] = {**output["result"], **({"without": without} if without else {})}

    def _diagnose_without_each(self, data: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
        """The scores of a patient without each phase; empty where there is one phase alone."""
        used = tuple(data["result"]["phases_used"])
        without = {}
        for phase in used if len(used) > 1 else ():
            kept = [one for one in used if one != phase]
            result = self.hidden(data, kept, engine.state.device)["result"]
            without[phase] = {name: result[name] for name in ("probabilities", "malignant", "benign")}
        return without
