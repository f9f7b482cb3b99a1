"""Counts of a list by lesion type and phase: `summary.json` beside it, and a table in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.cross_validation import lesion_types, patient_of
from scripts.lidia.prepare.output_folder import logger
from scripts.lidia.prepare.readers.label_table import LIVER_ALONE, NOTHING, ONE
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

SUMMARY = "summary.json"
CAUTIONS = {
    ONE: "one lesion a case was drawn: others count as false findings, and a training would call them liver",
    LIVER_ALONE: "nobody drew lesions: judge the liver alone; AUCs and figures of lesions would mean nothing",
    NOTHING: "nobody drew anything: the list is for inference",
}
Item = Mapping[str, Any]


def count_cases(sections: Mapping[str, Sequence[Item]]) -> dict[str, Any]:
    """Counts of a list's cases.

    Args:
        sections: completed items by section.

    Returns:
        `cases`, `patients`, `sections` and `phases` (cases each), `subsets` (cases of each set of phases),
        `without_label` (cases), `without_lesion` (cases with a label that shows none), and `types`: by type
        that occurs `{cases, lesions, phases: {phase: cases}, all_phases}`; `lesions` is None where the list
        does not number them.
    """
    items = [item for part in sections.values() for item in part]
    seen = [(item, lesion_types(item)) for item in items]
    types = {}
    for kind in LESION_TYPES:
        mine = [item for item, kinds in seen if kind in kinds]
        if mine:
            counted = [one["type"] for item in mine for one in item.get("lesions", [])]
            types[kind] = {
                "cases": len(mine),
                "lesions": counted.count(kind) or None,
                "phases": {phase: sum(phase in item["phases"] for item in mine) for phase in PHASES},
                "all_phases": sum(len(item["phases"]) == len(PHASES) for item in mine),
            }
    return {
        "cases": len(items),
        "patients": len({patient_of(item) for item in items}),
        "sections": {name: len(part) for name, part in sections.items()},
        "phases": {phase: sum(phase in item["phases"] for item in items) for phase in PHASES},
        "subsets": dict(sorted(Counter("+".join(item["phases"]) for item in items).items())),
        "without_label": sum("label" not in item for item in items),
        "without_lesion": sum("label" in item and not kinds for item, kinds in seen),
        "types": types,
    }


def write_summary(
    folder: Path, sections: Mapping[str, Sequence[Item]], left_out: Sequence[CaseError], **about: Any
) -> None:
    """Writes `summary.json` and logs it as a table.

    Args:
        folder: of the list.
        sections: completed items by section.
        left_out: cases that are not in the list, and why.
        **about: what comes first in the file, e.g. `source`.
    """
    counts = count_cases(sections)
    missing = [{"case": one.case, "why": one.problem, "file": one.file} for one in left_out]
    content = {**about, **counts, "left_out": missing}
    write_json(folder / SUMMARY, content)
    if about.get("words", {}).get("drawn") in CAUTIONS:
        logger.warning(CAUTIONS[about["words"]["drawn"]])
    for line in format_counts(counts):
        logger.info(line)
    if left_out:
        logger.warning(f"{len(left_out)} cases left out, see {SUMMARY}: {left_out[0].problem}, ...")


def format_counts(counts: Mapping[str, Any]) -> list[str]:
    """Lines of a table of types and phases; numbers are cases, but for `lesions`.

    Args:
        counts: of `count_cases`.
    """
    head = f"{'':14}{'cases':>7}{'lesions':>9}" + "".join(f"{phase:>10}" for phase in PHASES) + f"{'all':>6}"
    lines = [head]
    for kind, row in counts["types"].items():
        each = "".join(f"{row['phases'][phase]:>10}" for phase in PHASES)
        lines.append(f"{kind:14}{row['cases']:>7}{row['lesions'] or '-':>9}{each}{row['all_phases']:>6}")
    for name, key in (("no lesion", "without_lesion"), ("no label", "without_label")):
        if counts[key]:
            lines.append(f"{name:14}{counts[key]:>7}")
    whole = "".join(f"{counts['phases'][phase]:>10}" for phase in PHASES)
    complete = counts["subsets"].get("+".join(PHASES), 0)
    return [*lines, f"{'in all':14}{counts['cases']:>7}{'':9}{whole}{complete:>6}"]
