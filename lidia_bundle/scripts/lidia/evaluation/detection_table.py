"""Build the rows of `candidates.csv`, pairs of candidate and true lesions, as numbers for exchange by ranks.

Candidates are all lesions before those below the operating point are removed. A candidate or a truth that
matches nothing has a row of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.components import VOLUME_TOLERANCE
from scripts.lidia.metrics.detection_pairs import DetectionPair
from scripts.lidia.metrics.froc import MISSED, Detections
from scripts.lidia.postprocess.lesion_existence import ExistenceModel, compute_existence
from scripts.lidia.vocabulary import FIRST_LESION, LESION_TYPES

DETECTION_COLUMNS = (
    *("candidate", "existence", "peak", "mean", "volume_mm3", "type"),
    *("truth", "true_volume_mm3", "true_type", "dice"),
    *(f"p_{name}" for name in LESION_TYPES),
)
"""`candidate` and `truth` are lesion numbers, 0 for none; `type` and `true_type` are classes, 0 for none;
`peak` and `mean` are lesion probabilities of the candidate. Unknown values are nan."""
TYPE_COLUMNS = slice(DETECTION_COLUMNS.index(f"p_{LESION_TYPES[0]}"), len(DETECTION_COLUMNS))


def make_detection_rows(
    pairs: Sequence[DetectionPair], records: Sequence[Mapping[str, Any]]
) -> NDArray[np.float64]:
    """Build the rows of a patient, `(K, len(DETECTION_COLUMNS))`.

    Args:
        pairs: from `pair_detections`.
        records: records of the candidates; values that a record lacks are nan.
    """
    nan = float("nan")
    by_number = {record["instance"]: record for record in records}
    rows: list[list[float]] = []
    for pair in pairs:
        candidate, truth = pair.candidate, pair.truth
        record = {} if candidate is None else by_number.get(candidate.number, {})
        probabilities = [record.get("probabilities", {}).get(name, nan) for name in LESION_TYPES]
        mean = float(np.sum(probabilities)) if record else nan
        size = (0, nan) if candidate is None else (candidate.number, candidate.component.volume_mm3)
        rows.append([
            *(size[0], record.get("existence", nan), record.get("peak_probability", nan), mean, size[1]),
            0 if candidate is None else candidate.kind,
            *((0, nan, 0) if truth is None else (truth.number, truth.component.volume_mm3, truth.kind)),
            pair.dice,
            *probabilities,
        ])
    return np.array(rows, np.float64).reshape(len(rows), len(DETECTION_COLUMNS))


class DetectionTable:
    """The pairs of a cohort as columns.

    Args:
        ids: patients of the cohort.
        rows: patient and DETECTION_COLUMNS of each pair.
    """

    def __init__(self, ids: Sequence[str], rows: Sequence[tuple[str, NDArray[np.float64]]]) -> None:
        self.patients = len(ids)
        positions = {name: index for index, name in enumerate(ids)}
        self.patient = np.array([positions[name] for name, _ in rows], np.int64)
        table = np.array([row for _, row in rows], np.float64).reshape(len(rows), len(DETECTION_COLUMNS))
        self.columns = dict(zip(DETECTION_COLUMNS, table.T, strict=True))
        self.types = table[:, TYPE_COLUMNS]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Returns a column, `(K,)`."""
        return self.columns[name]

    def find_candidates(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Finds the first row of each candidate, and whether the candidate matches a truth of any size."""
        rows = np.flatnonzero((self["candidate"] > 0) & np.isfinite(self["existence"]))
        first = {
            (self.patient[row], self["candidate"][row]): row for row in rows[np.argsort(self["dice"][rows])]
        }  # the pair with the largest Dice is the last one
        index = np.array(sorted(first.values()), np.int64)
        return index, self["truth"][index] > 0

    def compute_existence(self, model: ExistenceModel | None) -> NDArray[np.float64]:
        """Computes the probability of existence of each row's candidate by a model, `(K,)`."""
        return compute_existence(self["peak"], self["mean"], self["volume_mm3"], model)

    def collect_detections(self, counted_mm3: float, scores: NDArray[np.float64] | None = None) -> Detections:
        """Collects the scores of true and false lesions by the volumes of the protocol.

        Args:
            counted_mm3: smaller truths are ignored, smaller candidates do not count.
            scores: `(K,)` score of each row's candidate; by default its `existence`.
        """
        scores = self["existence"] if scores is None else scores
        limit = counted_mm3 * (1 - VOLUME_TOLERANCE)
        counts = (self["candidate"] > 0) & (self["volume_mm3"] >= limit) & np.isfinite(scores)
        is_truth = (self["truth"] > 0) & (self["true_volume_mm3"] >= limit)
        best: dict[tuple[int, float], float] = {}
        for row in np.flatnonzero(is_truth).tolist():
            key = (int(self.patient[row]), float(self["truth"][row]))
            best[key] = max(best.get(key, MISSED), float(scores[row]) if counts[row] else MISSED)
        false = counts & (self["truth"] == 0)
        return Detections(
            np.array(list(best.values()), np.float64),
            np.array([patient for patient, _ in best], np.int64),
            scores[false],
            self.patient[false],
            self.patients,
        )


def format_pair(numbers: NDArray[np.float64]) -> dict[str, str]:
    """Format a row as text for the CSV file; nan and missing lesions become empty cells."""
    row = dict(zip(DETECTION_COLUMNS, numbers, strict=True))
    cells = {key: "" if np.isnan(value) else f"{value:.6g}" for key, value in row.items()}
    for key in ("type", "true_type"):
        cells[key] = LESION_TYPES[int(row[key]) - FIRST_LESION] if row[key] else ""
    for key in ("candidate", "truth"):
        cells[key] = cells[key] if row[key] else ""
    return cells
