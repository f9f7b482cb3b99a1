"""Sets of types that contain the true one with a chosen coverage, for each lesion and each patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scripts.lidia.metrics.conformal import Group, TypeThresholds, normalise_types, predict_set

ALL_PATIENTS = "any"
"""Key of the thresholds of all calibration patients, whatever their phases."""


class TypeSets(NamedTuple):
    """Conformal thresholds of a calibration."""

    coverages: tuple[float, ...]
    lesions: Mapping[str, Group]
    """By phases, such as `nc+venous`, and ALL_PATIENTS."""
    patients: Mapping[str, Group]

    def find_index(self, coverage: float) -> int:
        """Finds the number of a coverage.

        Raises:
            ValueError: the calibration does not have it.
        """
        matches = np.flatnonzero(np.isclose(self.coverages, coverage))
        if not len(matches):
            known = ", ".join(f"{value:g}" for value in self.coverages)
            raise ValueError(
                f"coverage is {coverage:g}, and the calibration has {known}: choose one of them, or fit it "
                "with `coverages` of calibrate.yaml"
            )
        return int(matches[0])

    def predict_lesion(
        self, probabilities: Mapping[str, float], phases: Sequence[str], coverage: float
    ) -> list[str]:
        """Predicts the set of types of a lesion that exists; it is never empty.

        Args:
            probabilities: type probabilities of the lesion.
            phases: phases in use.
            coverage: one of `coverages`.
        """
        shares = normalise_types(list(probabilities.values())).tolist()
        scores = dict(zip(probabilities, shares, strict=True))
        groups = _select_groups(self.lesions, phases)
        return predict_set(scores, groups, self.find_index(coverage), nonempty=True)

    def predict_patient(
        self, livermax: Mapping[str, float], phases: Sequence[str], coverage: float
    ) -> list[str]:
        """Predicts the set of types that the patient may have; it may be empty.

        Args:
            livermax: LiverMax of each type.
            phases: phases in use.
            coverage: one of `coverages`.
        """
        groups = _select_groups(self.patients, phases)
        return predict_set(livermax, groups, self.find_index(coverage), nonempty=False)


def _select_groups(groups: Mapping[str, Group], phases: Sequence[str]) -> list[Group]:
    return [groups[key] for key in ("+".join(phases), ALL_PATIENTS) if key in groups]


def parse_type_sets(content: Mapping[str, Any]) -> TypeSets:
    """Parses `conformal` of a calibration file.

    Raises:
        ValueError: a threshold is missing or not finite (also KeyError, TypeError, AttributeError).
    """
    coverages = tuple(float(value) for value in content["coverages"])

    def parse(groups: Mapping[str, Any]) -> dict[str, Group]:
        parsed: dict[str, Group] = {}
        for phases, types in groups.items():
            parsed[phases] = {
                name: TypeThresholds(int(entry["cases"]), tuple(map(float, entry["thresholds"])))
                for name, entry in types.items()
            }
            for name, entry in parsed[phases].items():
                if len(entry.thresholds) != len(coverages) or not np.isfinite(entry.thresholds).all():
                    raise ValueError(
                        f"`conformal` of {name}, {phases}: one finite number a coverage is needed"
                    )
        return parsed

    return TypeSets(coverages, parse(content["lesions"]), parse(content["patients"]))


def add_type_sets(
    result: Mapping[str, Any], livermax: Mapping[str, float], sets: TypeSets | None, coverage: float
) -> dict[str, Any]:
    """Adds `type_set` to the lesions of a result and `type_sets` to the result.

    Args:
        result: core of `ID.json`.
        livermax: LiverMax of each type, before the calibration.
        sets: thresholds; without them the result is returned unchanged.
        coverage: one of the coverages of `sets`.

    Raises:
        ValueError: the calibration does not have this coverage.
    """
    if sets is None:
        return dict(result)
    phases = result["phases_used"]
    lesions = [
        {**record, "type_set": sets.predict_lesion(record["probabilities"], phases, coverage)}
        for record in result["lesions"]
    ]
    scores = {name: livermax[name] for name in result["probabilities"]}
    patient = sets.predict_patient(scores, phases, coverage)
    return {**result, "lesions": lesions, "type_sets": {"coverage": coverage, "patient": patient}}
