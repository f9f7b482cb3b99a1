"""Splits a datalist into k folds by patient, stratified by lesion type."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scripts.lidia.data.read_volume import read_mask
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION

Item = Mapping[str, Any]
Sections = dict[str, list[dict[str, Any]]]


def make_folds(sections: Sections, folds: int, seed: int, source: str) -> list[Sections]:
    """Splits training and validation cases into folds; other sections stay unchanged.

    Args:
        sections: completed items by section. Cases with the same `patient` (their `id` by default) stay
            together.
        folds: number of folds.
        seed: the same seed gives the same folds, whatever the order of the list.
        source: the list, for error messages.

    Returns:
        The sections of each fold; a case is in `validation` in exactly one of them.

    Raises:
        CaseError: if there are fewer patients than folds, or a label cannot be read.
    """
    pool = [item for name in ("training", "validation") for item in sections.get(name, [])]
    types: dict[str, set[str]] = defaultdict(set)
    for item in pool:
        types[get_patient_id(item)] |= find_lesion_types(item)
    if not 2 <= folds <= len(types):
        problem = f"{folds} folds of {len(types)} patients in training and validation"
        remedy = "give at least 2 folds, and at most one per patient"
        raise CaseError("datalist", source, problem, remedy, "bad_folds")
    fold_of = stratify(types, folds, seed)
    rest = {name: items for name, items in sections.items() if name not in ("training", "validation")}
    result = []
    for fold in range(folds):
        training = [item for item in pool if fold_of[get_patient_id(item)] != fold]
        validation = [item for item in pool if fold_of[get_patient_id(item)] == fold]
        result.append({"training": training, "validation": validation, **rest})
    return result


def get_patient_id(item: Item) -> str:
    """Returns the id of the patient of a scan: `patient` if the item has it, else `id`."""
    return str(item.get("patient") or item["id"])


def find_lesion_types(item: Item) -> set[str]:
    """Returns the lesion types of a case, from `lesions` of the item, else from the label's voxels.

    Raises:
        CaseError: if the item has no `lesions` and the label cannot be read.
    """
    if isinstance(item.get("lesions"), list):
        return {str(lesion["type"]) for lesion in item["lesions"]}
    if not isinstance(item.get("label"), str):
        return set()
    also = (item["ignore"],) if "ignore" in item else ()
    voxels, _, _ = read_mask(item["label"], item["id"], len(CLASSES) - 1, also=also)
    kinds = set(np.unique(voxels).astype(int)) - set(also)
    return {CLASSES[value] for value in kinds if value >= FIRST_LESION}


def stratify(types: Mapping[str, set[str]], folds: int, seed: int) -> dict[str, int]:
    """Assigns patients to folds by iterative stratification, the rarest lesion type first.

    Source: Sechidis, K. et al.: On the stratification of multi-label data. ECML PKDD 2011.

    Args:
        types: lesion types of each patient; may be empty.
        folds: number of folds.
        seed: seed for the order of patients and for ties.

    Returns:
        The fold of each patient, 0..folds-1.
    """
    draw = random.Random(seed)
    remaining_patients = sorted(types)
    draw.shuffle(remaining_patients)
    order = draw.sample(range(folds), folds)
    room = dict.fromkeys(order, len(remaining_patients) / folds)
    missing_counts = {}
    for kind in sorted(set().union(*types.values())):
        count = sum(kind in types[p] for p in remaining_patients)
        missing_counts[kind] = dict.fromkeys(order, count / folds)
    fold_of_patient: dict[str, int] = {}
    while remaining_patients:
        counts_left = {kind: sum(kind in types[p] for p in remaining_patients) for kind in missing_counts}
        kinds = [kind for kind, count in counts_left.items() if count]
        rarest = min(kinds, key=lambda kind: counts_left[kind]) if kinds else None
        for patient in [p for p in remaining_patients if rarest is None or rarest in types[p]]:
            lack = missing_counts[rarest] if rarest else room
            fold = max(order, key=lambda f: (lack[f], room[f]))
            fold_of_patient[patient] = fold
            room[fold] -= 1
            for kind in types[patient]:
                missing_counts[kind][fold] -= 1
        remaining_patients = [p for p in remaining_patients if p not in fold_of_patient]
    return fold_of_patient


def format_folds(folds: Sequence[Sections]) -> list[dict[str, int]]:
    """Counts the cases by lesion type in the validation section of each fold, for the log."""
    table = []
    for fold in folds:
        kinds = [kind for item in fold["validation"] for kind in find_lesion_types(item)]
        table.append({"cases": len(fold["validation"])} | {k: kinds.count(k) for k in CLASSES if k in kinds})
    return table
