"""Score every subset of the phases on patients who have all phases (AUC-8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from scripts.lidia.evaluation.patient_metrics import PatientRows, PatientScores
from scripts.lidia.inference.phase_ablation import HidePhases, list_phase_subsets
from scripts.lidia.metrics.patient_auc import compute_auc, compute_mean_auc
from scripts.lidia.vocabulary import LESION_TYPES, PHASES


class SubsetScores:
    """Handler that measures patients with all phases on every subset of the phases.

    Args:
        hidden: repeats the inference without some phases, 14 times per patient.
        patients: maximum number of patients with all phases, shared out among the processes.
    """

    def __init__(self, hidden: HidePhases, patients: int = 100) -> None:
        self.hidden, self.patients, self.count = hidden, patients, 0
        subsets = [subset for subset in list_phase_subsets() if subset != PHASES]
        self.cohorts = {subset: PatientScores() for subset in subsets}

    def attach(self, engine: Engine) -> None:
        """Measures after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Measures the patients of the batch."""
        share, rest = divmod(self.patients, idist.get_world_size())
        limit = share + (idist.get_rank() < rest)
        for case, output in zip(engine.state.batch, engine.state.output, strict=True):
            data = {**case, **output}
            if self.count == limit or tuple(data["result"]["phases_used"]) != PHASES:
                continue
            for subset, cohort in self.cohorts.items():
                diagnosed = self.hidden(data, subset, engine.state.device)
                cohort([{**diagnosed, "phases_used": subset}])
            self.count += 1

    def collect_rows(self) -> dict[str, PatientRows]:
        """Collects the patients of all processes by the remaining phases; every process must call it."""
        return {"+".join(subset): cohort.rows() for subset, cohort in self.cohorts.items()}


def compute_subset_areas(
    rows: PatientRows, subsets: Mapping[str, PatientRows], present_mm3: float
) -> dict[str, Any]:
    """Compute AUC-8 of each subset of the phases on the same patients.

    Args:
        rows: all patients of the evaluation, with the phases that they have.
        subsets: some of these patients, who have all phases, by the remaining phases.
        present_mm3: a patient has a type if the volume of its lesions exceeds this value.

    Returns:
        JSON-ready `patients` (their number) and `auc8` (by phases, `nc+venous`; only defined values).
    """
    ids = next((cohort.ids for cohort in subsets.values()), [])
    index = [rows.ids.index(case) for case in ids]
    complete = {name: column[index] for name, column in rows.columns.items()}
    measured = {"+".join(PHASES): complete} | {phases: cohort.columns for phases, cohort in subsets.items()}
    auc8 = {}
    for phases, columns in measured.items():
        areas = {
            name: compute_auc(columns[f"livermax_{name}"], columns[f"mm3_{name}"] > present_mm3)
            for name in LESION_TYPES
        }
        mean = compute_mean_auc(areas)[0]
        if np.isfinite(mean):
            auc8[phases] = round(float(mean), 4)
    return {"patients": len(ids), "auc8": auc8}
