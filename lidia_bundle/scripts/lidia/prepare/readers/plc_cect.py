"""PLC-CECT (PhysioNet): four phases of 361 patients, one type each, a mask a phase, phases unregistered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import Drawn, Patient
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.vocabulary import GRID_ORDER, LIVER, OTHERS

COLUMNS = ("patient_id", "phase", "cancer_type", "ct_path", "mask_path", "liver_mask_path")


def read_plc_cect(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives the patients of `patient_data.csv`; the venous mask is taken, else that of the nearest phase.

    Combined HCC-CCA (CHCC) is a malignant rarity; CN are patients without a lesion.

    Args:
        layout: the folder with `patient_data.csv`.

    Raises:
        CaseError: if the table is missing, or names an unknown phase or type.
    """
    table, rows = layout.table("patient_data.csv", COLUMNS)
    scans: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in rows:
        scans[row["patient_id"]][layout.phase(row["phase"], table)] = row
    for case, by_phase in scans.items():
        kinds = {row["cancer_type"] for row in by_phase.values()}
        if len(kinds) != 1:
            problem = f"the phases name several types: {', '.join(sorted(kinds))}"
            yield CaseError(case, str(table), problem, "mend the table", "bad_label")
            continue
        name = kinds.pop()
        kind = layout.kind(name, table)
        drawn = _first(layout.root, by_phase, "liver_mask_path", LIVER)
        if kind:
            lesions = _first(layout.root, by_phase, "mask_path", kind)
            if not lesions:
                problem = f"a patient with {name} and no mask"
                yield CaseError(case, str(table), problem, "add the mask, or remove the rows", "no_label")
                continue
            drawn += lesions
        phases = {phase: _place(layout.root, row["ct_path"]) for phase, row in by_phase.items()}
        about = {k: row[k] for row in list(by_phase.values())[:1] for k in ("age", "gender") if row.get(k)}
        malignant = layout.side(name) if kind == OTHERS else None
        yield Patient(case, phases, drawn, malignant, {"source_type": name, **about}, (table,))


def _first(root: Path, by_phase: dict[str, dict[str, str]], column: str, kind: int) -> tuple[Drawn, ...]:
    """The mask of the first phase, in the order of grids, that has one."""
    for phase in GRID_ORDER:
        if phase in by_phase and by_phase[phase][column]:
            return (Drawn(_place(root, by_phase[phase][column]), kind),)
    return ()


def _place(root: Path, told: str) -> Path:
    """A path of the table; where it is another machine's, the same file and folder under our root."""
    path = root / told
    return path if path.exists() else root.joinpath(*Path(told).parts[-2:])
