"""Any folder of NIfTI files whose paths follow a pattern, such as MCT-LTDiag's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from glob import escape
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import Drawn, Patient
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.vocabulary import CLASSES, LIVER, PHASES


def read_limt(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives LiMT's arterial scans, by default `images/<case>.nii.gz` with `labels/<case>.nii.gz`.

    Its paper tells neither the names of files nor the values of labels: `class_map` must, and `phase_map` and
    `masks` may give other patterns.

    Args:
        layout: the folder, and what the user says of it.

    Raises:
        CaseError: if nobody says what the values are, or the patterns find nothing.
    """
    if not layout.class_map:
        problem = "nobody says what the values of the labels are, the set's paper neither"
        remedy = "look at its notes: --class_map \"{'1': 'liver', '2': 'HCC'}\""
        raise CaseError("datalist", str(layout.root), problem, remedy, "unknown_class")
    phases = layout.phase_map or {"arterial": "images/{id}.nii.gz"}
    masks = layout.masks or {"label": "labels/{id}.nii.gz"}
    return read_patterns(layout._replace(phase_map=phases, masks=masks))


def read_patterns(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives the patients found by patterns of paths, in which `{id}` is the patient and `*` is anything.

    `phase_map` has the pattern of each phase, `masks` those of `label` and, if need be, `liver`, `class_map`
    the class of each value of `label` ({"1": "liver", "2": "HCC"}; without it the values are ours).

    Args:
        layout: the folder, and the patterns.

    Raises:
        CaseError: if a pattern is missing, unfit, or finds nothing.
    """
    patterns = [*layout.phase_map.values(), *layout.masks.values()]
    known = set(layout.phase_map) <= set(PHASES) and set(layout.masks) <= {"label", "liver"}
    if not known or not layout.phase_map or "label" not in layout.masks:
        problem = "the patterns of phases and label are not told, or of something else"
        remedy = "--phase_map \"{'venous': '{id}/v.nii.gz'}\" --masks \"{'label': '{id}/label.nii.gz'}\""
        raise CaseError("datalist", str(layout.root), problem, remedy, "unknown_phase")
    for pattern in patterns:
        if "{id}" not in pattern:
            problem = f"the pattern {pattern!r} has no {{id}}"
            raise CaseError("datalist", str(layout.root), problem, "write {id} for the patient", "bad_id")
    files = {phase: _matches(layout.root, pattern) for phase, pattern in layout.phase_map.items()}
    cases = sorted(set().union(*files.values()))
    layout.some(cases, f"file like {', '.join(layout.phase_map.values())}")
    words = layout.class_map or {str(value): name for value, name in enumerate(CLASSES)}
    if not all(str(value).isdigit() for value in words):
        problem = f"class_map names {', '.join(map(str, words))}, and must name values of the label"
        remedy = "--class_map \"{'1': 'liver', '2': 'HCC'}\""
        raise CaseError("datalist", str(layout.root), problem, remedy, "unknown_class")
    classes = {int(value): layout.kind(name, layout.root) for value, name in words.items()}
    for case in cases:
        found = {name: sorted(layout.root.glob(_of(case, mask))) for name, mask in layout.masks.items()}
        if not found["label"]:
            problem = f"no file like {layout.masks['label']} for it"
            yield CaseError(case, str(layout.root), problem, "add it, or remove the case", "no_label")
            continue
        twice = [str(path) for paths in found.values() for path in paths[1:]]
        if twice:
            problem = "several files are like the pattern of one mask"
            yield CaseError(case, twice[0], problem, "make the pattern narrower", "duplicate")
            continue
        drawn = [Drawn(path, LIVER) for path in found.get("liver", [])]
        drawn += [Drawn(path, classes) for path in found["label"]]
        phases = {phase: paths[case] for phase, paths in files.items() if case in paths}
        yield Patient(case, phases, tuple(drawn))


def _of(case: str, pattern: str) -> str:
    return pattern.replace("{id}", escape(case))


def _matches(root: Path, pattern: str) -> dict[str, Path]:
    """File of each patient.

    Raises:
        CaseError: if two files are one patient's.
    """
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
