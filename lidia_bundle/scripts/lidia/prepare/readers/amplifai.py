"""Reads AMPLIFAI: arterial, venous and delayed phases, one lesion mask per case, LI-RADS categories."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.foreign_names import normalize_name
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.vocabulary import OTHERS


def read_amplifai(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the cases of the table `case_id,label`.

    LR-5 is HCC; LR-TIV can be mapped to it by `class_map` {"LR-TIV": "HCC"}; the others define no type, and
    LR-3 and LR-4 are neither benign nor malignant. Each case has one annotated lesion and may have others.

    Raises:
        CaseError: if the table is missing, or names an unknown category.
    """
    table, rows = layout.read_table("*.csv", ("case_id", "label"))
    layout.require_any(rows, "case in the table")
    for row in rows:
        case, category = row["case_id"], normalize_name(row["label"])
        category = category if category.startswith("lr") else f"lr{category}"
        kind = layout.to_class(category, table)
        folder, ends = layout.root / case / "ct", layout.terms.phases
        files = {layout.to_phase(end, table): folder / f"{case}_{end}.nii.gz" for end in ends}
        phases = {phase: path for phase, path in files.items() if path.is_file()}
        if not phases:
            problem = "the table names a case without volumes"
            remedy = "download the case, or remove its row"
            yield CaseError(case, str(folder), problem, remedy, "missing")
            continue
        masks = (MaskFile(layout.root / case / "annotations" / "lesion.nii.gz", kind),)
        malignant = layout.is_malignant(category) if kind == OTHERS else None
        yield SourcePatient(case, phases, masks, malignant, {"source_type": row["label"]}, (table,))
