"""The same patient in two sections: what a model has seen in training would be judged in the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.lidia.datalist.case_error import CaseError


def find_leaks(
    sections: Mapping[str, Sequence[Mapping[str, Any]]], digests: Mapping[str, str], file: str
) -> list[CaseError]:
    """Patients (`patient` of an item) and files of equal content that stand in more than one place.

    Args:
        sections: items of a datalist.
        digests: SHA-256 by path, as far as files were read.
        file: the list, for messages.

    Returns:
        An error where two sections share a patient or a file's content, a remark where two cases of one
        section share content.
    """
    faults = []
    people: dict[str, str] = {}
    contents: dict[str, tuple[str, str, str]] = {}
    for section, items in sections.items():
        for item in items:
            person = item.get("patient")
            if person is not None and people.setdefault(str(person), section) != section:
                problem = f"the patient {person} stands in {people[str(person)]} and in {section}"
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
                remedy = "take one of them off the list"
                faults.append(CaseError(item["id"], path, problem, remedy, "leak", severity))
    return faults
