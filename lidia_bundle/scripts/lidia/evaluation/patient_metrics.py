"""Evaluate patients in MONAI: one row per patient, gathered over ranks, metrics at the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.handlers import IgniteMetricHandler
from monai.metrics import CumulativeIterationMetric
from numpy.typing import NDArray

from scripts.lidia.evaluation.lesion_table import LESION_COLUMNS, make_lesion_rows
from scripts.lidia.inference.case_evaluator import CohortEvaluator, to_case_error
from scripts.lidia.metrics.cohort_metrics import Summary, summarise_cohort
from scripts.lidia.metrics.intervals import draw_patients
from scripts.lidia.metrics.patient_rows import SCORES, Prediction, Protocol, measure_patient
from scripts.lidia.metrics.platt_scaling import Calibration
from scripts.lidia.postprocess.diagnosis import Diagnosis, diagnose
from scripts.lidia.runtime.distributed import gather_rows, gather_strings
from scripts.lidia.vocabulary import IGNORED, LESION_TYPES, PHASES

HEADLINE = (
    *("auc8", "auc2", *(f"auc_{name}" for name in LESION_TYPES), "pixelcount_auc8", "pixelcount_auc2"),
    *("branch_auc8", "branch_auc2"),
    *("precision", "sensitivity", "accuracy", "dice", "liver_dice", "ece", "brier_skill"),
)
"""Metrics that a validation shows."""


class PatientRows(NamedTuple):
    """The patients of all ranks in the order of their ids."""

    ids: list[str]
    columns: dict[str, NDArray[np.float64]]
    """`(N,)` by name: columns of `measure_patient` (those of a patient branch only if the network has one)
    and `phases`, one bit per phase."""
    lesions: list[tuple[str, NDArray[np.float64]]]
    """Id of the patient and the LESION_COLUMNS of a true or a predicted lesion."""


class PatientScores(CumulativeIterationMetric):
    """Collects a row of fixed length a patient and makes the metrics of the cohort.

    A patient is a dictionary: `label` (2, X, Y, Z) class and instance on the native grid, and either
    `diagnosis` (see `postprocess.diagnose`) or `pred`, (C, X, Y, Z) probabilities on the same grid; with them
    `id`, `malignant` ({instance: bool}) and `phases_used` where they are known. Only numbers are kept, never
    the tensors.

    Args:
        grow_mm: how far 'inside the liver' reaches beyond it; as `smooth`, only for patients without
            `diagnosis`.
        smooth: LiverMax over the mean of 3x3x3 voxels.
        smallest_mm3: smaller lesions are noise.
        counted_mm3: smaller true lesions are ignored, smaller predicted ones do not count.
        overlap: Dice from which on two lesions match.
        present_mm3: a patient has a type with more than this volume of it.
        ious: of the strict variants, where each lesion is used once.
        calibration: whose lines the calibration errors are measured after.
    """

    def __init__(
        self,
        *,
        grow_mm: float = 3.0,
        smooth: bool = False,
        smallest_mm3: float = 25.0,
        counted_mm3: float = 113.0,
        overlap: float = 0.2,
        present_mm3: float = 113.0,
        ious: Sequence[float] = (0.1, 0.5),
        calibration: Calibration | None = None,
    ) -> None:
        self.reading: dict[str, Any] = {"grow_mm": grow_mm, "smooth": smooth, "smallest_mm3": smallest_mm3}
        self.protocol = Protocol(smallest_mm3, counted_mm3, overlap, present_mm3, tuple(ious))
        self.calibration = calibration
        none, zero = np.zeros((1, 1, 1), np.uint8), dict.fromkeys(SCORES, 0.0)
        blank = Prediction(none, none.astype(np.uint16), none > 0, zero, zero, zero)
        self.names = [*measure_patient(blank, none, none, (1, 1, 1), protocol=self.protocol).row, "phases"]
        super().__init__()

    def reset(self) -> None:
        """Forgets all patients."""
        super().reset()
        self._patients: list[torch.Tensor] = []
        self._lesions: list[torch.Tensor] = []
        self._ids: list[str] = []
        self._rows: PatientRows | None = None

    def __call__(self, patients: Sequence[Mapping[str, Any]]) -> torch.Tensor:
        """Measures patients and keeps their rows.

        Args:
            patients: decollated dictionaries.

        Returns:
            `(B, W)` float64 rows.

        Raises:
            ValueError: a prediction does not lie on the grid of its label, or is not finite.
        """
        rows = [self._compute_tensor(patient) for patient in patients]
        return torch.stack(rows) if rows else torch.zeros((0, len(self.names)), dtype=torch.float64)

    def _compute_tensor(self, patient: Mapping[str, Any]) -> torch.Tensor:
        affine, spacing = _read_native_grid(patient)
        diagnosis = patient.get("diagnosis")
        if diagnosis is None:
            diagnosis = diagnose(patient["pred"], spacing, affine, **self.reading)
        classes, instances = _split_label(patient["label"])
        classes, prediction = _blank_unannotated(classes, _to_prediction(diagnosis))
        flags = {str(key): bool(flag) for key, flag in (patient.get("malignant") or {}).items()}
        measured = measure_patient(
            prediction, classes, instances, spacing, malignant=flags, protocol=self.protocol
        )
        row = dict(measured.row)
        row["phases"] = sum(2 ** PHASES.index(phase) for phase in patient.get("phases_used") or ())
        numbers = torch.tensor([row.get(name, np.nan) for name in self.names], dtype=torch.float64)
        lesions = make_lesion_rows(
            measured.match,
            diagnosis.records,
            measured.predicted.numbers,
            measured.truth.numbers,
            spacing,
            affine,
        )
        first = torch.full((len(lesions), 1), float(len(self._ids)), dtype=torch.float64)
        # The patient is added only after everything is computed, so that an error leaves no partial patient.
        self._lesions.append(torch.cat([first, torch.from_numpy(lesions)], dim=1))
        self._patients.append(numbers)
        self._ids.append(str(patient.get("id", f"patient {len(self._ids)}")))
        self._synced, self._rows = False, None
        return numbers

    def _sync(self) -> None:
        if self._synced:
            return
        blank = torch.zeros((0, len(self.names)), dtype=torch.float64)
        patients = gather_rows(torch.stack(self._patients) if self._patients else blank)
        blank = torch.zeros((0, 1 + len(LESION_COLUMNS)), dtype=torch.float64)
        lesions = gather_rows(torch.cat([blank, *self._lesions]))
        words = gather_strings(self._ids)
        # A sampler that fills the last batch repeats patients; each counts once.
        places = {name: (rank, at) for rank, ids in enumerate(words) for at, name in enumerate(ids)}
        order = sorted(places)
        table = [patients[rank][at].numpy() for rank, at in (places[name] for name in order)]
        stacked = np.stack(table, axis=1) if table else np.zeros((len(self.names), 0))
        listed = []
        for name in order:
            rank, at = places[name]
            mine = lesions[rank][lesions[rank][:, 0] == at, 1:].numpy()
            listed += [(name, line) for line in mine]
        self._rows = PatientRows(
            order, _drop_empty_branch_columns(dict(zip(self.names, stacked, strict=True))), listed
        )
        self._synced_tensors = [torch.from_numpy(stacked.T.copy())]
        self._synced = True

    def rows(self) -> PatientRows:
        """Patients and lesions of all ranks; every rank has to ask once after the last patient."""
        self._sync()
        assert self._rows is not None
        return self._rows

    def summary(self, draws: int = 0, seed: int = 0) -> Summary:
        """Metrics of the cohort and of `draws` bootstrap draws of it."""
        rows = self.rows()
        weights = draw_patients(len(rows.ids), draws, seed)
        lines = None if self.calibration is None else self.calibration.lines
        return summarise_cohort(rows.columns, weights, protocol=self.protocol, calibration=lines)

    def aggregate(self) -> dict[str, float]:
        """Every metric of the cohort that it can give, by name."""
        values = {name: float(value[0]) for name, value in self.summary().values.items()}
        return {name: value for name, value in values.items() if np.isfinite(value)}


class PatientTable(IgniteMetricHandler):
    """Handler that measures every patient of an evaluator and puts several numbers into `state.metrics`.

    Its name among the evaluator's metrics chooses the key metric. A key metric that the cohort cannot give
    (no type with patients on both sides) stands as 0 with a warning: MONAI would keep nan as the best for
    ever.

    Args:
        scores: collects the rows; by default with the authors' thresholds.
        shown: metrics that go into `state.metrics`; by default HEADLINE.
    """

    def __init__(self, *, scores: PatientScores | None = None, shown: Sequence[str] = HEADLINE) -> None:
        self.scores = PatientScores() if scores is None else scores
        self.shown = tuple(shown)
        super().__init__(metric_fn=self.scores)

    @torch.no_grad()
    def iteration_completed(self, engine: Engine) -> None:
        """Measures the patients of a batch; an evaluator of cohorts notes a faulty one and goes on.

        Raises:
            TypeError: the batch was not decollated.
            ValueError: a patient cannot be measured, and the evaluator is not one of cohorts.
        """
        batch, output = engine.state.batch, engine.state.output
        if not isinstance(batch, list) or not isinstance(output, list):
            raise TypeError("PatientTable needs decollated batches: leave `decollate` of the evaluator on.")
        for patient in ({**case, **result} for case, result in zip(batch, output, strict=True)):
            try:
                self.scores([patient])
            except ValueError as problem:
                if not isinstance(engine, CohortEvaluator):
                    raise
                engine.add_failure(to_case_error(problem, patient))

    def completed(self, engine: Engine, name: str) -> None:
        """Puts the numbers into the engine's state."""
        values = self.scores.aggregate()
        self._is_reduced = True
        if name not in values:
            logging.getLogger(__name__).warning("%s cannot be given on these patients and counts as 0", name)
        engine.state.metrics.update({one: values[one] for one in self.shown if one in values})
        engine.state.metrics[name] = values.get(name, 0.0)
        engine.state.metric_details[name] = self.scores.get_buffer()


def _to_prediction(diagnosis: Diagnosis) -> Prediction:
    return Prediction(
        diagnosis.classes,
        diagnosis.instances,
        diagnosis.liver,
        diagnosis.livermax,
        diagnosis.pixelcount,
        diagnosis.branch,
    )


def _blank_unannotated(
    classes: NDArray[np.int16], prediction: Prediction
) -> tuple[NDArray[np.int16], Prediction]:
    """Blanks a prediction where nobody drew: there it is neither right nor wrong."""
    undrawn = classes == IGNORED
    if not undrawn.any():
        return classes, prediction
    kept = ~undrawn
    parts = {"classes": prediction.classes * kept, "instances": prediction.instances * kept}
    return np.where(undrawn, 0, classes), prediction._replace(**parts)


def _drop_empty_branch_columns(columns: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The columns without those of a patient branch that nobody has."""
    return {
        name: values
        for name, values in columns.items()
        if not (name.startswith("branch_") and np.isnan(values).all())
    }


def _read_native_grid(patient: Mapping[str, Any]) -> tuple[NDArray[np.float64], list[float]]:
    """Affine and spacing of the native grid.

    Raises:
        ValueError: neither volume has an affine, or they differ.
    """
    found = [patient[key] for key in ("label", "pred") if isinstance(patient.get(key), MetaTensor)]
    if not found:
        raise ValueError("Neither `label` nor `pred` knows its affine: evaluation needs MetaTensors.")
    affines = [np.asarray(one.affine, dtype=np.float64) for one in found]
    if len(affines) == 2 and not np.allclose(affines[0], affines[1], atol=1e-3):
        raise ValueError("`pred` and `label` lie on different grids: invert the preprocessing first.")
    return affines[0], np.linalg.norm(affines[0][:3, :3], axis=0).tolist()


def _split_label(label: torch.Tensor) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Classes and instances, `(X, Y, Z)` each.

    Raises:
        ValueError: the label does not hold these two.
    """
    if label.ndim != 4 or label.shape[0] != 2:
        raise ValueError(
            f"A label has shape (2, X, Y, Z), class and instance; this one has {tuple(label.shape)}."
        )
    plain = np.rint(label.detach().cpu().as_subclass(torch.Tensor).numpy()).astype(np.int16)
    return plain[0], plain[1]
