"""Finds patients and files that occur in more than one section (leakage from training to test)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.lidia.datalist.case_error import CaseError


def find_leaks(
    sections: Mapping[str, Sequence[Mapping[str, Any]]], digests: Mapping[str, str], file: str
) -> list[CaseError]:
    """Finds patients (`patient` of an item) and files of equal content that occur more than once.

    Args:
        sections: items of a datalist.
        digests: SHA-256 by path, of the files that were read.
        file: the list, for error messages.

    Returns:
        An error where two sections share a patient or a file's content, a warning where two cases of one
        section share content.
    """
    faults = []
    section_of: dict[str, str] = {}
    contents: dict[str, tuple[str, str, str]] = {}
    for section, items in sections.items():
        for item in items:
            patient = item.get("patient")
            if patient is not None and section_of.setdefault(str(patient), section) != section:
                problem = f"the patient {patient} is in section {section_of[str(patient)]} and in {section}"
                remedy = "keep all cases of a patient in one section (prepare.json --source folds does)"
                faults.append(CaseError(item["id"], file, problem, remedy, "leak"))
            for path in item["phases"].values():
                if path not in digests:
                    continue
                first = contents.setdefault(digests[path], (section, item["id"], path))
                if first[2] == path:
                    continue
                problem = f"the file has the same content as {first[2]} of {first[1]} ({first[0]})"
                severity = "error" if first[0] != section else "warning"
                remedy = "remove one of them from the list"
                faults.append(CaseError(item["id"], path, problem, remedy, "leak", severity))
    return faults
