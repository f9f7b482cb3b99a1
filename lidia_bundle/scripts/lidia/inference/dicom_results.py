"""Write SEG and SR of patients who came as DICOM."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from scripts.lidia.atomic import write_atomically, write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.references import NO_REFERENCE
from scripts.lidia.dicom.source_series import find_source_files, make_stack, read_source, resample_to_stack
from scripts.lidia.inference.case_evaluator import note_failure
from scripts.lidia.inference.result_files import dicom_files, label_volumes, native_affine, result_files

logger = logging.getLogger("lidia.dicom")
DEIDENTIFY = (False, True, "uids")


class WriteDicom:
    """Handler that writes `ID_seg.dcm` and `ID_sr.dcm` of a patient; it must stand after `WriteResults`.

    Patients who came as NIfTI have none: there is no series to refer to. `source` of a patient's item names
    the DICOM files behind the grid phase, else that phase may be a folder of them.

    Args:
        folder: where results go.
        deidentify: False keeps who the patient is; True removes it and keeps UIDs, by which viewers find the
            series; "uids" replaces these too.

    Raises:
        ValueError: `deidentify` is something else.
    """

    def __init__(self, *, folder: str, deidentify: bool | str = False) -> None:
        if deidentify not in DEIDENTIFY:
            raise ValueError(f"deidentify is {deidentify!r}: give False, True or 'uids'.")
        self.folder, self.deidentify = Path(folder), deidentify

    def attach(self, engine: Engine) -> None:
        """Writes after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes the objects of the batch."""
        for data, output in zip(engine.state.batch, engine.state.output, strict=True):
            try:
                output["result"] = self.write({**data, **output})
            except Exception as problem:  # the patient's page does not need what could not be written here
                note_failure(engine, problem, data["id"])

    def write(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Writes one patient's objects, if they came as DICOM.

        Where there is nothing that the objects can refer to, none is written, and `ID.json` says why: under
        `no_dicom` and among its warnings.

        Args:
            data: the dictionary that `postprocessing` returns, with the patient's `item`; `result` is the
                content of `ID.json`.

        Returns:
            Content of `ID.json`.

        Raises:
            CaseError: if the series cannot be read.
        """
        result: dict[str, Any] = dict(data["result"])
        case, paths = result["id"], find_source_files(data.get("item") or {})
        if not paths:
            return result
        # DICOM's libraries load slowly, and a MONAI Label server has an older pydicom that never gets here.
        from scripts.lidia.dicom.deidentify import deidentify
        from scripts.lidia.dicom.provenance import make_origin
        from scripts.lidia.dicom.write_seg import make_segmentation
        from scripts.lidia.dicom.write_sr import make_report

        try:
            source = read_source(paths, case=case)
        except CaseError as fault:
            if fault.code != NO_REFERENCE:
                raise
            logger.warning(str(fault))
            result |= {"no_dicom": fault.problem, "warnings": [*result["warnings"], fault.problem]}
            write_json(result_files(self.folder, case)["result"], result)
            return result
        stack = make_stack(source)
        volumes, affine = label_volumes(data["diagnosis"]), native_affine(data["pred"])
        mask, instances = volumes["liver"], volumes["instances"]
        volume = float(np.count_nonzero(mask) * abs(np.linalg.det(affine[:3, :3])))
        liver, instances = resample_to_stack(mask, affine, stack), resample_to_stack(instances, affine, stack)
        origin = make_origin(source, liver, instances, result)
        # a warning may name a file, and a file its patient
        shown = {**result, "warnings": []} if self.deidentify else result
        seg = make_segmentation(liver, instances, result["lesions"], origin)
        report = make_report(shown, volume, seg, origin)
        for made, path in zip((seg, report), dicom_files(self.folder, case).values(), strict=True):
            if self.deidentify:
                deidentify(made, uids="replace" if self.deidentify == "uids" else "keep")
            with write_atomically(path) as beside:
                made.save_as(beside)
        return result
