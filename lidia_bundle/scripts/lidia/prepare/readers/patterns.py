"""Any folder of NIfTI files whose paths follow a pattern, such as MCT-LTDiag's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.lidia.datalist import CaseError
from scripts.lidia.prepare.patients import Drawn, Patient
from scripts.lidia.prepare.readers.layout import Layout
from scripts.lidia.vocabulary import CLASSES, LIVER, PHASES


def read_patterns(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives the patients found by patterns of paths, in which `{id}` is the patient and `*` is anything.

    `phase_map` has the pattern of each phase, `masks` those of `label` and, if need be, `liver`, `class_map`
    the class of each value of `label` ({"1": "liver", "2": "HCC"}; without it the values are ours).

    Args:
        layout: the folder, and the patterns.

    Raises:
        CaseError: if a pattern is missing, unfit, or finds nothing.
    """
    if not layout.phase_map or not set(layout.phase_map) <= set(PHASES) or "label" not in layout.masks:
        problem = "the folder's patterns are not told"
        remedy = "--phase_map \"{'venous': '{id}/v.nii.gz'}\" --masks \"{'label': '{id}/label.nii.gz'}\""
        raise CaseError("datalist", str(layout.root), problem, remedy, "unknown_phase")
    files = {phase: _matches(layout.root, pattern) for phase, pattern in layout.phase_map.items()}
    labels = _matches(layout.root, layout.masks["label"])
    livers = _matches(layout.root, layout.masks["liver"]) if "liver" in layout.masks else {}
    cases = sorted(set().union(*files.values()))
    layout.some(cases, f"file like {', '.join(layout.phase_map.values())}")
    words = layout.class_map or {str(value): name for value, name in enumerate(CLASSES)}
    classes = {int(value): layout.kind(name, {}, layout.root) for value, name in words.items()}
    for case in cases:
        if case not in labels:
            problem = f"no file like {layout.masks['label']} for it"
            yield CaseError(case, str(layout.root), problem, "add it, or remove the case", "no_label")
            continue
        liver = [Drawn(livers[case], LIVER)] if case in livers else []
        phases = {phase: found[case] for phase, found in files.items() if case in found}
        yield Patient(case, phases, (*liver, Drawn(labels[case], classes)))


def _matches(root: Path, pattern: str) -> dict[str, Path]:
    """File of each patient.

    Raises:
        CaseError: if the pattern has no `{id}`, or two files are one patient's.
    """
    if "{id}" not in pattern:
        problem = f"the pattern {pattern!r} has no {{id}}"
        raise CaseError("datalist", str(root), problem, "write {id} where the patient stands", "bad_id")
    parts = re.split(r"(\{id\}|\*)", pattern)
    words = {"{id}": r"([^/]+)", "*": r"[^/]*"}
    named = "".join(words.get(part, re.escape(part)) for part in parts)
    named = named.replace(words["{id}"], r"(?P<id>[^/]+?)", 1).replace(words["{id}"], r"(?P=id)")
    found: dict[str, Path] = {}
    for path in sorted(root.glob(pattern.replace("{id}", "*"))):
        match = re.fullmatch(named, path.relative_to(root).as_posix())
        if match is None:
            continue
        if match["id"] in found:
            problem = f"two files are like {pattern!r}: {found[match['id']].name} and {path.name}"
            raise CaseError(match["id"], str(path), problem, "make the pattern narrower", "duplicate")
        found[match["id"]] = path
    return found
