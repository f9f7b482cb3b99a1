"""Compare a follow-up record with the truth of a phantom patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.lidia.followup.recist import (
    ABSENT,
    NOT_COVERED,
    PRESENT,
    Observation,
    RecistLimits,
    assess_response,
    choose_targets,
)

Instances = Sequence[Mapping[int, int]]
"""For each date: number of a true instance -> number of the lesion in the result; missing if not found."""
NOT_FOUND = "not found"


def compare_changes(
    record: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], found: Instances
) -> list[dict[str, Any]]:
    """Compare each true change with that of the record.

    Args:
        record: content of a follow-up JSON of two dates.
        changes: truth, `changes` of the second date's item.
        found: results of the true instances.

    Returns:
        For each true change `truth`, `predicted` (a change, or `not found`), and for one lesion at both
        dates `pair`: whether both were found, and `matched`: whether they are one lesion in the record.
        `longest_mm` are true and measured diameters of the dates, `volume_mm3` the measured volumes.
    """
    owners = [_map_owners(record, number) for number in (0, 1)]
    rows = []
    for change in changes:
        results = [
            [found[number].get(instance) for instance in change["instances"][number]] for number in (0, 1)
        ]
        lesions = [
            [owners[number][instance] for instance in results[number] if instance is not None]
            for number in (0, 1)
        ]
        row: dict[str, Any] = {"truth": change["change"], "treated": change["treated"]}
        row["predicted"] = _find_name(lesions)
        if [len(side) for side in change["instances"]] == [1, 1]:
            both = bool(lesions[0] and lesions[1])
            row |= {"pair": both, "matched": both and lesions[0][0] is lesions[1][0]}
            measured = [
                side[0]["measurements"][number] if side else None for number, side in enumerate(lesions)
            ]
            row["longest_mm"] = [
                (change["longest_mm"][number][0], None if entry is None else entry["longest_mm"])
                for number, entry in enumerate(measured)
            ]
            row["volume_mm3"] = [None if entry is None else entry["volume_mm3"] for entry in measured]
        rows.append(row)
    return rows


def _map_owners(record: Mapping[str, Any], number: int) -> dict[int, Mapping[str, Any]]:
    """Map the lesion numbers of a date's result to the lesions of the record."""
    return {
        lesion["measurements"][number]["instance"]: lesion
        for lesion in record["lesions"]
        if lesion["measurements"][number]["instance"] is not None
    }


def _find_name(lesions: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """Find the change that the record gives to the lesions; merging and splitting come first."""
    names = [
        lesion["changes"][0]["change"] for side in (1, 0) for lesion in lesions[side] if lesion["changes"]
    ]
    for name in ("merged", "split"):
        if name in names:
            return name
    return names[0] if names else NOT_FOUND


def count_false_pairs(
    record: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], found: Instances
) -> int:
    """Count the lesions of the record that join two found lesions which are not one lesion."""
    true_pairs = {
        (found[0].get(first), found[1].get(second))
        for change in changes
        for first in change["instances"][0]
        for second in change["instances"][1]
    }
    known = [set(mapping.values()) for mapping in found]
    pairs = [tuple(entry["instance"] for entry in lesion["measurements"]) for lesion in record["lesions"]]
    return sum(
        pair[0] in known[0] and pair[1] in known[1] and pair not in true_pairs
        for pair in pairs
        if None not in pair
    )


def assess_truth(items: Sequence[Mapping[str, Any]], limits: RecistLimits) -> str | None:
    """Assess the true response of a patient at the second date, from the drawn diameters and true types.

    Args:
        items: items of the two dates.
        limits: limits of RECIST.
    """
    types = [{lesion["instance"]: lesion["type"] for lesion in item["lesions"]} for item in items]
    baseline: dict[int, tuple[str, float]] = {}
    observations: list[dict[int, Observation]] = [{}, {}]
    new_lesions: list[list[int]] = [[], []]
    for change in items[1]["changes"]:
        first, second = change["instances"]
        for number, instance in enumerate(first):
            if instance not in types[0]:
                continue
            lesion = change["lesions"][number]
            longest = float(change["longest_mm"][0][number])
            baseline[lesion] = (types[0][instance], longest)
            observations[0][lesion] = Observation(PRESENT, longest)
            # fragments are added; of merged lesions the first one counts the whole
            later = float(sum(change["longest_mm"][1])) if number == 0 else 0.0
            observations[1][lesion] = _observe(change, second, later)
        if change["change"] == "new":
            kinds = {types[1].get(instance) for instance in second}
            new_lesions[1] += change["lesions"] if kinds & set(limits.target_types) else []
    disease = [lesion for lesion, (kind, _) in baseline.items() if kind in limits.target_types]
    targets = choose_targets(baseline, limits)
    others = [lesion for lesion in disease if lesion not in targets]
    return assess_response(targets, others, observations, new_lesions, limits)[1]["response"]


def _observe(change: Mapping[str, Any], second: Sequence[int], longest: float) -> Observation:
    if not all(change["covered"]):
        return Observation(NOT_COVERED)
    return Observation(PRESENT, longest) if second else Observation(ABSENT)
