"""Reads folders of NIfTI files whose paths follow a pattern, such as MCT-LTDiag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from glob import escape
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.vocabulary import CLASSES, LIVER, PHASES


def read_limt(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields LiMT's arterial scans, by default `images/<case>.nii.gz` with `labels/<case>.nii.gz`.

    Its paper defines neither file names nor label values: `class_map` must define the values, and `phase_map`
    and `masks` may give other patterns.

    Raises:
        CaseError: if `class_map` is missing, or the patterns match no file.
    """
    if not layout.class_map:
        problem = "the classes of the label values are unknown"
        remedy = "read its notes and give --class_map \"{'1': 'liver', '2': 'HCC'}\""
        raise CaseError("datalist", str(layout.root), problem, remedy, "unknown_class")
    phases = layout.phase_map or {"arterial": "images/{id}.nii.gz"}
    masks = layout.masks or {"label": "labels/{id}.nii.gz"}
    return read_patterns(layout._replace(phase_map=phases, masks=masks))


def read_patterns(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the patients found by path patterns, in which `{id}` is the patient and `*` matches any text.

    `phase_map` has the pattern of each phase, `masks` those of `label` and `liver` (optional), `class_map`
    the class of each value of `label` ({"1": "liver", "2": "HCC"}; by default the values are classes 0 to 9).

    Raises:
        CaseError: if a pattern is missing or invalid, or matches no file.
    """
    fault = partial(CaseError, "datalist", str(layout.root))
    valid = set(layout.phase_map) <= set(PHASES) and set(layout.masks) <= {"label", "liver"}
    if not valid or not layout.phase_map or "label" not in layout.masks:
        problem = "the patterns of phases and label are missing, or have other keys"
        remedy = "--phase_map \"{'venous': '{id}/v.nii.gz'}\" --masks \"{'label': '{id}/label.nii.gz'}\""
        raise fault(problem, remedy, "unknown_phase")
    for pattern in (*layout.phase_map.values(), *layout.masks.values()):
        if "{id}" not in pattern:
            raise fault(f"the pattern {pattern!r} has no {{id}}", "write {id} for the patient", "bad_id")
    files = {phase: _match_files(layout.root, pattern) for phase, pattern in layout.phase_map.items()}
    cases = sorted(set().union(*files.values()))
    layout.require_any(cases, f"file like {', '.join(layout.phase_map.values())}")
    class_names = layout.class_map or {str(value): name for value, name in enumerate(CLASSES)}
    if not all(str(value).isdigit() for value in class_names):
        problem = f"class_map has keys {', '.join(map(str, class_names))}; they must be label values"
        raise fault(problem, "--class_map \"{'1': 'liver', '2': 'HCC'}\"", "unknown_class")
    classes = {int(value): layout.to_class(name, layout.root) for value, name in class_names.items()}
    for case in cases:
        patterns = {name: mask.replace("{id}", escape(case)) for name, mask in layout.masks.items()}
        mask_paths = {name: sorted(layout.root.glob(pattern)) for name, pattern in patterns.items()}
        if not mask_paths["label"]:
            problem = f"no file matches {layout.masks['label']}"
            yield CaseError(case, str(layout.root), problem, "add it, or remove the case", "no_label")
            continue
        duplicates = [str(path) for paths in mask_paths.values() for path in paths[1:]]
        if duplicates:
            problem = "several files match the pattern of one mask"
            yield CaseError(case, duplicates[0], problem, "make the pattern narrower", "duplicate")
            continue
        masks = [MaskFile(path, LIVER) for path in mask_paths.get("liver", [])]
        masks += [MaskFile(path, classes) for path in mask_paths["label"]]
        phases = {phase: paths[case] for phase, paths in files.items() if case in paths}
        yield SourcePatient(case, phases, tuple(masks))


def _match_files(root: Path, pattern: str) -> dict[str, Path]:
    """Finds the file of each patient.

    Raises:
        CaseError: if two files belong to one patient.
    """
    parts = re.split(r"(\{id\}|\*)", pattern)
    regexes = {"{id}": r"([^/]+)", "*": r"[^/]*"}
    regex = "".join(regexes.get(part, re.escape(part)) for part in parts)
    regex = regex.replace(regexes["{id}"], r"(?P<id>[^/]+?)", 1).replace(regexes["{id}"], r"(?P=id)")
    file_of: dict[str, Path] = {}
    for path in sorted(root.glob(pattern.replace("{id}", "*"))):
        match = re.fullmatch(regex, path.relative_to(root).as_posix())
        if match is None:
            continue
        if match["id"] in file_of:
            problem = f"two files match {pattern!r}: {file_of[match['id']].name} and {path.name}"
            raise CaseError(match["id"], str(path), problem, "make the pattern narrower", "duplicate")
        file_of[match["id"]] = path
    return file_of
