"""SEG and SR of patients who came as DICOM, made from the files that WriteResults has written."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from numpy.typing import NDArray

from scripts.lidia.atomic import replacing, write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.references import NO_REFERENCE
from scripts.lidia.dicom.source_series import find_source_files, make_stack, read_source, resample_to_stack
from scripts.lidia.inference.case_evaluator import note_failure
from scripts.lidia.inference.result_files import dicom_files, result_files

logger = logging.getLogger("lidia.dicom")
DEIDENTIFY = (False, True, "uids")


class WriteDicom:
    """Handler that writes `ID_seg.dcm` and `ID_sr.dcm` of a patient; it must stand after `WriteResults`.

    Patients who came as NIfTI have none: there is no series to refer to.

    Args:
        folder: where results go.
        items: the items of the datalist; `source` of an item names the DICOM files behind its grid phase,
            else that phase may be a folder of them.
        deidentify: False keeps who the patient is; True removes it and keeps UIDs, by which viewers find the
            series; "uids" replaces these too.

    Raises:
        ValueError: `deidentify` is something else.
    """

    def __init__(
        self, *, folder: str, items: Sequence[Mapping[str, Any]], deidentify: bool | str = False
    ) -> None:
        if deidentify not in DEIDENTIFY:
            raise ValueError(f"deidentify is {deidentify!r}: give False, True or 'uids'.")
        self.folder, self.deidentify = Path(folder), deidentify
        self.items = {item["id"]: item for item in items}

    def attach(self, engine: Engine) -> None:
        """Writes after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes the objects of the batch."""
        for data in engine.state.batch:
            try:
                self.write(data["id"])
            except Exception as problem:  # the patient's page does not need what could not be written here
                note_failure(engine, problem, data["id"])

    def write(self, case: str) -> None:
        """Writes one patient's objects, if they came as DICOM.

        Where there is nothing that the objects can refer to, none is written, and `ID.json` says why: under
        `no_dicom` and among its warnings.

        Args:
            case: id of a patient whose results are in the folder.

        Raises:
            CaseError: if the series cannot be read.
        """
        paths = find_source_files(self.items.get(case, {}))
        if not paths:
            return
        # DICOM's libraries load slowly, and a MONAI Label server has an older pydicom that never gets here.
        from scripts.lidia.dicom.deidentify import deidentify
        from scripts.lidia.dicom.provenance import make_origin
        from scripts.lidia.dicom.write_seg import write_segments
        from scripts.lidia.dicom.write_sr import write_measurements

        files = result_files(self.folder, case)
        result = json.loads(files["result"].read_text(encoding="utf-8"))
        try:
            source = read_source(paths, case=case)
        except CaseError as fault:
            if fault.code != NO_REFERENCE:
                raise
            logger.warning(str(fault))
            left = {"no_dicom": fault.problem, "warnings": [*result["warnings"], fault.problem]}
            write_json(files["result"], {**result, **left})
            return
        stack = make_stack(source)
        instances, affine = _read(files["instances"])
        mask, _ = _read(files["liver"])
        volume = float(np.count_nonzero(mask) * abs(np.linalg.det(affine[:3, :3])))
        liver, instances = resample_to_stack(mask, affine, stack), resample_to_stack(instances, affine, stack)
        origin = make_origin(source, liver, instances, result)
        # a warning may name a file, and a file its patient
        told = {**result, "warnings": []} if self.deidentify else result
        seg = write_segments(liver, instances, result["lesions"], origin)
        report = write_measurements(told, volume, seg, origin)
        for made, path in zip((seg, report), dicom_files(self.folder, case).values(), strict=True):
            if self.deidentify:
                deidentify(made, uids="replace" if self.deidentify == "uids" else "keep")
            with replacing(path) as beside:
                made.save_as(beside)


def _read(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    image = nib.load(path)
    return np.asarray(image.dataobj), image.affine
