"""Reads PLC-CECT (PhysioNet): four unregistered phases of 361 patients, one type each, a mask per phase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.vocabulary import GRID_ORDER, LIVER, OTHERS

COLUMNS = ("patient_id", "phase", "cancer_type", "ct_path", "mask_path", "liver_mask_path")


def read_plc_cect(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the patients of `patient_data.csv`; uses the venous mask, else that of the first in GRID_ORDER.

    Combined HCC-CCA (CHCC) is malignant and of class `others`; CN are patients without a lesion.

    Raises:
        CaseError: if the table is missing, or names an unknown phase or type.
    """
    table, rows = layout.read_table("patient_data.csv", COLUMNS)
    scans: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in rows:
        scans[row["patient_id"]][layout.to_phase(row["phase"], table)] = row
    for case, by_phase in scans.items():
        kinds = {row["cancer_type"] for row in by_phase.values()}
        if len(kinds) != 1:
            problem = f"the phases name several types: {', '.join(sorted(kinds))}"
            yield CaseError(case, str(table), problem, "correct the table", "bad_label")
            continue
        name = kinds.pop()
        kind = layout.to_class(name, table)
        masks = _find_first_mask(layout.root, by_phase, "liver_mask_path", LIVER)
        if kind:
            lesions = _find_first_mask(layout.root, by_phase, "mask_path", kind)
            if not lesions:
                problem = f"the patient has {name} but no mask"
                yield CaseError(case, str(table), problem, "add the mask, or remove the rows", "no_label")
                continue
            masks += lesions
        phases = {phase: _resolve_path(layout.root, row["ct_path"]) for phase, row in by_phase.items()}
        about = {k: row[k] for row in list(by_phase.values())[:1] for k in ("age", "gender") if row.get(k)}
        malignant = layout.is_malignant(name) if kind == OTHERS else None
        yield SourcePatient(case, phases, masks, malignant, {"source_type": name, **about}, (table,))


def _find_first_mask(
    root: Path, by_phase: dict[str, dict[str, str]], column: str, kind: int
) -> tuple[MaskFile, ...]:
    """Returns the mask of the first phase in GRID_ORDER that has one."""
    for phase in GRID_ORDER:
        if phase in by_phase and by_phase[phase][column]:
            return (MaskFile(_resolve_path(root, by_phase[phase][column]), kind),)
    return ()


def _resolve_path(root: Path, table_path: str) -> Path:
    """Resolves a path of the table; an unknown absolute path becomes the same folder and file below root."""
    path = root / table_path
    return path if path.exists() else root.joinpath(*Path(table_path).parts[-2:])
