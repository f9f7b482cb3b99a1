"""Reads the Medical Segmentation Decathlon (liver, hepatic vessels): one phase, lesions without type."""

from __future__ import annotations

import json
from collections.abc import Iterator

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_item import make_case_name
from scripts.lidia.datalist.read_text_file import read_text
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.readers.dataset_layout import Layout


def read_msd(layout: Layout) -> Iterator[SourcePatient]:
    """Yields the training cases of an MSD `dataset.json`; the phase is venous unless `phase_map` maps "CT".

    Labels are read by name: "cancer" and "tumour" must be mapped by `class_map`.

    Raises:
        CaseError: if there is no such file, or it names an unknown label.
    """
    file = layout.root / "dataset.json"
    try:
        content = json.loads(read_text(file))
        cases = [(layout.root / item["image"], layout.root / item["label"]) for item in content["training"]]
        names = {int(value): str(name) for value, name in content["labels"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"not a dataset.json of the Decathlon ({type(error).__name__}: {error})"
        remedy = "give the folder of one task"
        raise CaseError("datalist", str(file), problem, remedy, "bad_datalist") from error
    classes = {value: layout.to_class(name, file) for value, name in names.items()}
    phase = layout.to_phase("CT", file)
    for image, label in cases:
        masks = (MaskFile(label, classes),)
        yield SourcePatient(make_case_name(image), {phase: image}, masks, tables=(file,))
