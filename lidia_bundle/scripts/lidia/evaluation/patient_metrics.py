"""Evaluate patients in MONAI: one row per patient, gathered over ranks, metrics at the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler
from monai.metrics import CumulativeIterationMetric
from numpy.typing import NDArray

from scripts.lidia.evaluation.detection_table import DETECTION_COLUMNS, make_detection_rows
from scripts.lidia.evaluation.gathered_rows import gather_parts, select_rows
from scripts.lidia.evaluation.lesion_table import LESION_COLUMNS, make_lesion_rows
from scripts.lidia.evaluation.patient_volumes import (
    blank_unannotated,
    find_unannotated,
    get_candidates,
    read_native_grid,
    split_label,
    to_prediction,
)
from scripts.lidia.inference.calibration import (
    CalibrationSource,
    get_calibration,
    get_lesion_calibration,
    get_lesion_points,
)
from scripts.lidia.inference.case_evaluator import CohortEvaluator, to_case_error
from scripts.lidia.inference.lesion_calibration import LESION_POINTS
from scripts.lidia.inference.type_sets import TypeSets
from scripts.lidia.metrics.cohort_metrics import Summary, summarise_cohort
from scripts.lidia.metrics.detection_pairs import pair_detections
from scripts.lidia.metrics.intervals import draw_patients
from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.metrics.patient_rows import SCORES, Prediction, Protocol, measure_patient
from scripts.lidia.metrics.platt_scaling import Calibration
from scripts.lidia.postprocess.diagnosis import diagnose
from scripts.lidia.runtime.distributed import gather_rows, gather_strings
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

HEADLINE = (
    *("auc8", "auc2", *(f"auc_{name}" for name in LESION_TYPES), "pixelcount_auc8", "pixelcount_auc2"),
    *("branch_auc8", "branch_auc2"),
    *("precision", "sensitivity", "accuracy", "dice", "liver_dice", "ece", "brier_skill"),
)
"""Metrics that a validation reports."""


class PatientRows(NamedTuple):
    """Rows of the patients of all ranks, sorted by id."""

    ids: list[str]
    columns: dict[str, NDArray[np.float64]]
    """`(N,)` by name: columns of `measure_patient` (those of a patient branch only if the network has one)
    and `phases`, one bit per phase."""
    lesions: list[tuple[str, NDArray[np.float64]]]
    """Patient id and LESION_COLUMNS of each true or predicted lesion."""
    detections: Sequence[tuple[str, NDArray[np.float64]]] = ()
    """Patient id and DETECTION_COLUMNS of each pair of candidate and true lesion."""


class PatientScores(CumulativeIterationMetric):
    """Collects one row of fixed length per patient and computes the metrics of the cohort.

    A patient is a dictionary with `label` (2, X, Y, Z), class and instance on the native grid, and either
    `diagnosis` (see `postprocess.diagnosis.diagnose`) or `pred`, (C, X, Y, Z) probabilities on the same grid;
    optional are `id`, `malignant` ({instance: bool}) and `phases_used`. Only numbers are stored, no tensors.

    Args:
        grow_mm: margin of the liver region in mm; as `smooth`, used only for patients without `diagnosis`.
        smooth: whether LiverMax uses the mean over 3x3x3 voxels.
        smallest_mm3: smaller lesions are treated as noise.
        counted_mm3: smaller true lesions are ignored; smaller predicted lesions do not count.
        overlap: minimum Dice of a match.
        present_mm3: a patient has a type if the volume of its lesions exceeds this value.
        ious: minimum IoU of each one-to-one variant.
        calibration: applied before the calibration errors are measured.
        lesion_points: probability of existence from which a lesion is reported, by operating point.
        coverage: coverage of the sets of types that are measured.
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
        calibration: CalibrationSource = None,
        lesion_points: Mapping[str, float] = LESION_POINTS,
        coverage: float = 0.9,
    ) -> None:
        self.coverage = coverage
        self._lesion_points = dict(lesion_points)
        self.reading: dict[str, Any] = {"grow_mm": grow_mm, "smooth": smooth, "smallest_mm3": smallest_mm3}
        self.protocol = Protocol(smallest_mm3, counted_mm3, overlap, present_mm3, tuple(ious))
        self._calibration = calibration
        none, zero = np.zeros((1, 1, 1), np.uint8), dict.fromkeys(SCORES, 0.0)
        blank = Prediction(none, none.astype(np.uint16), none > 0, zero, zero, zero)
        self.names = [*measure_patient(blank, none, none, (1, 1, 1), protocol=self.protocol).row, "phases"]
        super().__init__()

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that is applied; a file is read at the first access."""
        return get_calibration(self._calibration)

    @property
    def lesion_points(self) -> dict[str, float]:
        """The threshold of each operating point, from the calibration where it has them."""
        return get_lesion_points(self._calibration, self._lesion_points)

    @property
    def type_sets(self) -> TypeSets | None:
        """Thresholds of the sets of types; None without a calibration of lesions."""
        lesions = get_lesion_calibration(self._calibration)
        return None if lesions is None else lesions.sets

    def reset(self) -> None:
        """Deletes all patients."""
        super().reset()
        self._patients: list[torch.Tensor] = []
        self._lesions: list[torch.Tensor] = []
        self._detections: list[torch.Tensor] = []
        self._ids: list[str] = []
        self._rows: PatientRows | None = None

    def __call__(self, patients: Sequence[Mapping[str, Any]]) -> torch.Tensor:
        """Measures patients and stores their rows.

        Args:
            patients: decollated dictionaries.

        Returns:
            `(B, W)` float64 rows.

        Raises:
            ValueError: a prediction is not on the grid of its label, or is not finite.
        """
        rows = [self._compute_tensor(patient) for patient in patients]
        return torch.stack(rows) if rows else torch.zeros((0, len(self.names)), dtype=torch.float64)

    def _compute_tensor(self, patient: Mapping[str, Any]) -> torch.Tensor:
        affine, spacing = read_native_grid(patient)
        diagnosis = patient.get("diagnosis")
        if diagnosis is None:
            diagnosis = diagnose(patient["pred"], spacing, affine, **self.reading)
        classes, instances = split_label(patient["label"])
        prediction, candidates = to_prediction(diagnosis), get_candidates(diagnosis)
        unannotated = find_unannotated(classes)
        if unannotated is not None:
            annotated, classes = ~unannotated, np.where(unannotated, 0, classes).astype(np.int16)
            prediction, candidates = (
                blank_unannotated(prediction, annotated),
                blank_unannotated(candidates, annotated),
            )
        flags = {str(key): bool(flag) for key, flag in (patient.get("malignant") or {}).items()}
        measurement = measure_patient(
            prediction, classes, instances, spacing, malignant=flags, protocol=self.protocol
        )
        row = dict(measurement.row)
        row["phases"] = sum(2 ** PHASES.index(phase) for phase in patient.get("phases_used") or ())
        numbers = torch.tensor([row.get(name, np.nan) for name in self.names], dtype=torch.float64)
        lesions = make_lesion_rows(
            measurement.match,
            diagnosis.records,
            measurement.predicted.numbers,
            measurement.truth.numbers,
            spacing,
            affine,
        )
        lesion_map = find_lesions(
            candidates.classes, spacing, candidates.instances, self.protocol.smallest_mm3
        )
        pairs = pair_detections(lesion_map, measurement.truth, self.protocol.overlap)
        detections = make_detection_rows(pairs, candidates.records)
        # The patient is added only after everything is computed, so that an error leaves no partial patient.
        self._lesions.append(self._number_rows(lesions))
        self._detections.append(self._number_rows(detections))
        self._patients.append(numbers)
        self._ids.append(str(patient.get("id", f"patient {len(self._ids)}")))
        self._synced, self._rows = False, None
        return numbers

    def _number_rows(self, rows: NDArray[np.float64]) -> torch.Tensor:
        """Adds the index of the patient as first column."""
        first = torch.full((len(rows), 1), float(len(self._ids)), dtype=torch.float64)
        return torch.cat([first, torch.from_numpy(rows)], dim=1)

    def _sync(self) -> None:
        if self._synced:
            return
        empty = torch.zeros((0, len(self.names)), dtype=torch.float64)
        patients = gather_rows(torch.stack(self._patients) if self._patients else empty)
        lesions = gather_parts(self._lesions, 1 + len(LESION_COLUMNS))
        detections = gather_parts(self._detections, 1 + len(DETECTION_COLUMNS))
        ids_by_rank = gather_strings(self._ids)
        # A sampler that fills the last batch repeats patients; each patient counts once.
        positions = {
            name: (rank, index) for rank, ids in enumerate(ids_by_rank) for index, name in enumerate(ids)
        }
        order = sorted(positions)
        table = [patients[rank][index].numpy() for rank, index in (positions[name] for name in order)]
        stacked = np.stack(table, axis=1) if table else np.zeros((len(self.names), 0))
        self._rows = PatientRows(
            order,
            _drop_empty_branch_columns(dict(zip(self.names, stacked, strict=True))),
            select_rows(lesions, positions),
            select_rows(detections, positions),
        )
        self._synced_tensors = [torch.from_numpy(stacked.T.copy())]
        self._synced = True

    def rows(self) -> PatientRows:
        """Gathers patients and lesions of all ranks; every rank must call it after the last patient."""
        self._sync()
        assert self._rows is not None
        return self._rows

    def summary(self, draws: int = 0, seed: int = 0) -> Summary:
        """Computes the metrics of the cohort and of `draws` bootstrap draws of it."""
        rows = self.rows()
        weights = draw_patients(len(rows.ids), draws, seed)
        lines = None if self.calibration is None else self.calibration.lines
        return summarise_cohort(rows.columns, weights, protocol=self.protocol, calibration=lines)

    def aggregate(self) -> dict[str, float]:
        """Computes all defined metrics of the cohort, by name."""
        values = {name: float(value[0]) for name, value in self.summary().values.items()}
        return {name: value for name, value in values.items() if np.isfinite(value)}


class PatientTable(IgniteMetricHandler):
    """Handler that measures every patient of an evaluator and writes metrics to `state.metrics`.

    Its name in the evaluator's metrics selects the key metric. A key metric that is undefined for the cohort
    (no type with both positive and negative patients) is reported as 0 with a warning, because MONAI would
    keep nan as the best value forever.

    Args:
        scores: collects the rows; by default with the authors' thresholds.
        shown: metrics that are written to `state.metrics`; by default HEADLINE.
    """

    def __init__(self, *, scores: PatientScores | None = None, shown: Sequence[str] = HEADLINE) -> None:
        self.scores = PatientScores() if scores is None else scores
        self.shown = tuple(shown)
        super().__init__(metric_fn=self.scores)

    @torch.no_grad()
    def iteration_completed(self, engine: Engine) -> None:
        """Measures the patients of a batch; a `CohortEvaluator` lists a faulty patient and continues.

        Raises:
            TypeError: the batch was not decollated.
            ValueError: a patient cannot be measured, and the evaluator is no `CohortEvaluator`.
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
        """Writes the metrics to the engine's state."""
        values = self.scores.aggregate()
        self._is_reduced = True
        if name not in values:
            logging.getLogger(__name__).warning("%s cannot be given on these patients and counts as 0", name)
        engine.state.metrics.update({key: values[key] for key in self.shown if key in values})
        engine.state.metrics[name] = values.get(name, 0.0)
        engine.state.metric_details[name] = self.scores.get_buffer()


def _drop_empty_branch_columns(columns: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Drops the columns of a patient branch if the network has none."""
    return {
        name: values
        for name, values in columns.items()
        if not (name.startswith("branch_") and np.isnan(values).all())
    }
