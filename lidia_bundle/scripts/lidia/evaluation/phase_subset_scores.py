"""Score every subset of the phases on patients who have all phases (AUC-8)."""

from __future__ import annotations

from typing import Any

import numpy as np
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from scripts.lidia.evaluation.patient_metrics import PatientRows, PatientScores
from scripts.lidia.inference.phase_ablation import HidePhases, list_phase_subsets
from scripts.lidia.metrics.patient_auc import compute_auc, compute_mean_auc
from scripts.lidia.vocabulary import LESION_TYPES, PHASES


class SubsetScores:
    """Handler that scores patients with all phases on every subset of the phases.

    Args:
        hidden: repeats the inference without some phases, 14 times per patient.
        patients: maximum number of patients with all phases.
    """

    def __init__(self, hidden: HidePhases, patients: int = 100) -> None:
        self.hidden, self.patients = hidden, patients
        self.scores: dict[str, dict[str, dict[str, float]]] = {}
        self.cohorts: dict[str, PatientScores] = {}

    def attach(self, engine: Engine) -> None:
        """Scores after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Scores the patients of the batch."""
        for case, output in zip(engine.state.batch, engine.state.output, strict=True):
            data = {**case, **output}
            if len(self.scores) == self.patients or tuple(data["result"]["phases_used"]) != PHASES:
                continue
            scores = {"+".join(PHASES): dict(data["diagnosis"].livermax)}
            for subset in list_phase_subsets():
                if subset != PHASES:
                    key, diagnosed = "+".join(subset), self.hidden(data, subset, engine.state.device)
                    scores[key] = dict(diagnosed["diagnosis"].livermax)
                    if "label" in data:
                        self.cohorts.setdefault(key, PatientScores())([{**diagnosed, "phases_used": subset}])
            self.scores[data["id"]] = scores

    def collect_rows(self) -> dict[str, PatientRows]:
        """Collects the rows of the patients without some phases, by the remaining phases."""
        return {key: cohort.rows() for key, cohort in self.cohorts.items()}

    def compute_areas(self, rows: PatientRows, present_mm3: float) -> dict[str, Any]:
        """Computes AUC-8 of each subset on the same patients: `{patients, auc8: {"nc+venous": value}}`.

        Args:
            rows: all patients of the evaluation.
            present_mm3: a patient has a type if the volume of its lesions exceeds this value.
        """
        index = [rows.ids.index(case) for case in self.scores]
        truth = {name: rows.columns[f"mm3_{name}"][index] > present_mm3 for name in LESION_TYPES}
        subsets = list(next(iter(self.scores.values()), {}))
        auc8 = {}
        for subset in subsets:
            scores = [patient_scores[subset] for patient_scores in self.scores.values()]
            areas = {
                name: compute_auc([patient_scores[name] for patient_scores in scores], is_present)
                for name, is_present in truth.items()
            }
            mean = compute_mean_auc(areas)[0]
            if np.isfinite(mean):
                auc8[subset] = round(float(mean), 4)
        return {"patients": len(index), "auc8": auc8}
