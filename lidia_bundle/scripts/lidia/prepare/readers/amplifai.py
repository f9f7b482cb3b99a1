"""AMPLIFAI: arterial, venous and delayed phases, one lesion drawing a case, LI-RADS categories in a table."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import Drawn, Patient
from scripts.lidia.prepare.foreign_names import normalize_name
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.vocabulary import OTHERS


def read_amplifai(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives the cases of the table `case_id,label`.

    LR-5 is HCC; LR-TIV may be said to be by `class_map` {"LR-TIV": "HCC"}; the others name no type, and LR-3
    and LR-4 no side either. One lesion a case was drawn, others may be there.

    Args:
        layout: the folder with the table and one folder a case.

    Raises:
        CaseError: if the table is missing, or names an unknown category.
    """
    table, rows = layout.table("*.csv", ("case_id", "label"))
    layout.some(rows, "case in the table")
    for row in rows:
        case, category = row["case_id"], normalize_name(row["label"])
        category = category if category.startswith("lr") else f"lr{category}"
        kind = layout.kind(category, table)
        folder, ends = layout.root / case / "ct", layout.words.phases
        found = {layout.phase(end, table): folder / f"{case}_{end}.nii.gz" for end in ends}
        phases = {phase: path for phase, path in found.items() if path.is_file()}
        if not phases:
            problem = "the table names a case without volumes"
            remedy = "fetch the case, or remove its row"
            yield CaseError(case, str(folder), problem, remedy, "missing")
            continue
        drawn = (Drawn(layout.root / case / "annotations" / "lesion.nii.gz", kind),)
        side = layout.side(category) if kind == OTHERS else None
        yield Patient(case, phases, drawn, side, {"source_type": row["label"]}, (table,))
