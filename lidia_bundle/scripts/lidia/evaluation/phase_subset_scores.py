"""Score every subset of the phases on patients who have all phases (AUC-8)."""

from __future__ import annotations

from typing import Any

import numpy as np
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from scripts.lidia.evaluation.patient_metrics import PatientRows
from scripts.lidia.inference.phase_ablation import HidePhases, list_phase_subsets
from scripts.lidia.metrics.patient_auc import area_under_curve, mean_area
from scripts.lidia.vocabulary import LESION_TYPES, PHASES


class SubsetScores:
    """Handler that scores patients who have all phases by every subset of them.

    Args:
        hidden: asks the network again, 14 times a patient.
        patients: the first so many who have all phases.
    """

    def __init__(self, hidden: HidePhases, patients: int = 100) -> None:
        self.hidden, self.patients = hidden, patients
        self.scores: dict[str, dict[str, dict[str, float]]] = {}

    def attach(self, engine: Engine) -> None:
        """Scores after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Scores the patients of the batch."""
        for case, output in zip(engine.state.batch, engine.state.output, strict=True):
            data = {**case, **output}
            if len(self.scores) == self.patients or tuple(data["result"]["phases_used"]) != PHASES:
                continue
            self.scores[data["id"]] = {
                "+".join(kept): dict(self.hidden(data, kept, engine.state.device)["diagnosis"].livermax)
                for kept in list_phase_subsets()
                if kept != PHASES
            } | {"+".join(PHASES): dict(data["diagnosis"].livermax)}

    def compute_areas(self, rows: PatientRows, present_mm3: float) -> dict[str, Any]:
        """AUC-8 of each subset on the same patients: `{patients, auc8: {"nc+venous": value}}`.

        Args:
            rows: all patients of the evaluation.
            present_mm3: a patient has a type with more than this volume of it.
        """
        at = [rows.ids.index(case) for case in self.scores]
        truth = {name: rows.columns[f"mm3_{name}"][at] > present_mm3 for name in LESION_TYPES}
        subsets = list(next(iter(self.scores.values()), {}))
        auc8 = {}
        for subset in subsets:
            scores = [one[subset] for one in self.scores.values()]
            areas = {
                name: area_under_curve([one[name] for one in scores], known) for name, known in truth.items()
            }
            mean = mean_area(areas)[0]
            if np.isfinite(mean):
                auc8[subset] = round(float(mean), 4)
        return {"patients": len(at), "auc8": auc8}
