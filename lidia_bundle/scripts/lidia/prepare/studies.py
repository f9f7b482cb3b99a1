"""An archive of DICOM studies as a datalist: the phases of each study found, written, and said why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scripts.lidia.clinic.choice import case_of
from scripts.lidia.clinic.study import Study, find_studies
from scripts.lidia.datalist import CaseError
from scripts.lidia.engine.incoming import study_item
from scripts.lidia.prepare.folder import each, logger
from scripts.lidia.prepare.folds import Sections

Named = tuple[str, Study]


def read_archive(
    read: Path, write: Path, *, phase_map: Mapping[str, Any] | None = None, private: bool = False
) -> Sections:
    """Finds all CT studies below a folder and writes the phases of each; all go to `test`.

    Args:
        read: the archive; how it is sorted into folders does not matter.
        write: phases go to `phases/ID/` in it.
        phase_map: see `choose`; holds for every study.
        private: ids say nothing of the patients.

    Raises:
        CaseError: if no study holds CT, or studies are at fault, after the others are done.
    """
    found = find_studies(read)
    studies = [study for study in found if any(series.extent > 0 for series in study.series)]
    if len(studies) < len(found):
        logger.warning(f"{len(found) - len(studies)} studies without CT slices were left out")
    if not studies:
        remedy = "check --input_dir"
        raise CaseError("datalist", str(read), "no study holds CT slices", remedy, "no_series")
    work = partial(_item, write=write, phase_map=phase_map, private=private)
    items = each(_named(studies, private), work, _told, write)
    return {"training": [], "validation": [], "test": items}


def _named(studies: Sequence[Study], private: bool) -> list[Named]:
    """An id for each study: the patient's, with the day where he has several, with a number if they agree."""
    names = [case_of(study, private=private) for study in studies]
    several = Counter(names)
    names = [
        f"{name}_{study.day}" if several[name] > 1 and study.day else name
        for name, study in zip(names, studies, strict=True)
    ]
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        names[number] = name if seen[name] == 1 else f"{name}_{seen[name]}"
    return list(zip(names, studies, strict=True))


def _item(named: Named, *, write: Path, phase_map: Mapping[str, Any] | None, private: bool) -> dict[str, Any]:
    case, study = named
    return study_item(study, write, case_id=case, phase_map=phase_map, private=private)


def _told(named: Named) -> dict[str, str]:
    return {"id": named[0]}
