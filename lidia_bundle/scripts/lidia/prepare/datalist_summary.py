"""Counts the cases of a datalist by lesion type and phase; writes `summary.json` and logs a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.cross_validation import find_lesion_types, get_patient_id
from scripts.lidia.prepare.output_folder import logger
from scripts.lidia.prepare.readers.label_table import LIVER_ONLY, NO_LABELS, ONE_LESION
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

SUMMARY = "summary.json"
CAUTIONS = {
    ONE_LESION: "one lesion per case is annotated: others count as false positives and train as liver",
    LIVER_ONLY: "lesions are not annotated: evaluate only the liver, not AUCs or lesions",
    NO_LABELS: "nothing is annotated: the list is for inference",
}
Item = Mapping[str, Any]


def count_cases(sections: Mapping[str, Sequence[Item]]) -> dict[str, Any]:
    """Counts the cases of a datalist.

    Returns:
        `cases`, `patients`, `sections` and `phases` (cases each), `subsets` (cases of each set of phases),
        `without_label` (cases), `without_lesion` (cases with a label that shows none), and `types`: by type
        that occurs `{cases, lesions, phases: {phase: cases}, all_phases}`; `lesions` is None where the list
        does not number them.
    """
    items = [item for part in sections.values() for item in part]
    typed_items = [(item, find_lesion_types(item)) for item in items]
    types = {}
    for kind in LESION_TYPES:
        matches = [item for item, kinds in typed_items if kind in kinds]
        if matches:
            lesion_names = [item["type"] for item in matches for item in item.get("lesions", [])]
            types[kind] = {
                "cases": len(matches),
                "lesions": lesion_names.count(kind) or None,
                "phases": {phase: sum(phase in item["phases"] for item in matches) for phase in PHASES},
                "all_phases": sum(len(item["phases"]) == len(PHASES) for item in matches),
            }
    return {
        "cases": len(items),
        "patients": len({get_patient_id(item) for item in items}),
        "sections": {name: len(part) for name, part in sections.items()},
        "phases": {phase: sum(phase in item["phases"] for item in items) for phase in PHASES},
        "subsets": dict(sorted(Counter("+".join(item["phases"]) for item in items).items())),
        "without_label": sum("label" not in item for item in items),
        "without_lesion": sum("label" in item and not kinds for item, kinds in typed_items),
        "types": types,
    }


def write_summary(
    folder: Path, sections: Mapping[str, Sequence[Item]], left_out: Sequence[CaseError], **about: Any
) -> None:
    """Writes `summary.json` and logs it as a table.

    Args:
        folder: folder of the list.
        sections: completed items by section.
        left_out: cases that are not in the list, with the reason.
        **about: first keys of the file, e.g. `source`.
    """
    counts = count_cases(sections)
    missing = [{"case": fault.case, "why": fault.problem, "file": fault.file} for fault in left_out]
    content = {**about, **counts, "left_out": missing}
    write_json(folder / SUMMARY, content)
    if about.get("words", {}).get("drawn") in CAUTIONS:
        logger.warning(CAUTIONS[about["words"]["drawn"]])
    for line in format_counts(counts):
        logger.info(line)
    if left_out:
        example = f"{left_out[0].case}, {left_out[0].problem}"
        logger.warning(f"{len(left_out)} cases were left out; {SUMMARY} lists them. The first: {example}")


def format_counts(counts: Mapping[str, Any]) -> list[str]:
    """Formats a table of types and phases; numbers are cases, except in the column `lesions`.

    Args:
        counts: result of `count_cases`.
    """
    head = f"{'':14}{'cases':>7}{'lesions':>9}" + "".join(f"{phase:>10}" for phase in PHASES) + f"{'all':>6}"
    lines = [head]
    for kind, row in counts["types"].items():
        cells = "".join(f"{row['phases'][phase]:>10}" for phase in PHASES)
        lines.append(f"{kind:14}{row['cases']:>7}{row['lesions'] or '-':>9}{cells}{row['all_phases']:>6}")
    for name, key in (("no lesion", "without_lesion"), ("no label", "without_label")):
        if counts[key]:
            lines.append(f"{name:14}{counts[key]:>7}")
    totals = "".join(f"{counts['phases'][phase]:>10}" for phase in PHASES)
    complete = counts["subsets"].get("+".join(PHASES), 0)
    return [*lines, f"{'in all':14}{counts['cases']:>7}{'':9}{totals}{complete:>6}"]
