"""Write DICOM SEG, SR and RTSTRUCT of patients with DICOM input."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.references import NO_REFERENCE
from scripts.lidia.dicom.source_series import find_source_files
from scripts.lidia.inference.case_evaluator import SERIES_FINDINGS, note_failure
from scripts.lidia.inference.dicom_objects import write_dicom_objects
from scripts.lidia.inference.result_files import label_volumes, native_affine, result_files
from scripts.lidia.inference.series_findings import read_series_findings

logger = logging.getLogger("lidia.dicom")
DEIDENTIFY = (False, True, "uids")


class WriteDicom:
    """Handler that writes `ID_seg.dcm`, `ID_sr.dcm` and, on request, `ID_rtstruct.dcm` of a patient.

    It must follow `WriteResults`. The series and the masks on its grid are left in the output for later
    handlers, under `SERIES_FINDINGS`; the evaluator drops them after the patient.

    Patients with NIfTI input get none, since there is no series to refer to. The DICOM files of the grid
    phase are those in `source` of the patient's item, or those in the phase's folder.

    Args:
        folder: folder of the results.
        deidentify: False keeps the patient's identity; True removes it and keeps the UIDs, by which viewers
            find the series; "uids" also replaces the UIDs.
        rtstruct: whether to write an RT Structure Set, for radiotherapy and surgical planning.

    Raises:
        ValueError: `deidentify` has another value.
    """

    def __init__(self, *, folder: str, deidentify: bool | str = False, rtstruct: bool = False) -> None:
        if deidentify not in DEIDENTIFY:
            raise ValueError(f"deidentify is {deidentify!r}: give False, True or 'uids'.")
        self.folder, self.deidentify, self.rtstruct = Path(folder), deidentify, rtstruct

    def attach(self, engine: Engine) -> None:
        """Writes after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes the DICOM objects of the batch."""
        for data, output in zip(engine.state.batch, engine.state.output, strict=True):
            try:
                output.update(self.write({**data, **output}))
            except Exception as problem:  # the patient's page does not depend on these files
                note_failure(engine, problem, data["id"])

    def write(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the DICOM objects of one patient with DICOM input.

        If the input has nothing that the objects can refer to, none is written, and `ID.json` gives the
        reason in `no_dicom` and in its warnings.

        Args:
            data: result of `postprocessing`, with the patient's `item`; `result` is the content of `ID.json`.

        Returns:
            `result`, the content of `ID.json`; if the objects were written also `SERIES_FINDINGS`.

        Raises:
            CaseError: the series cannot be read.
        """
        result: dict[str, Any] = dict(data["result"])
        case, paths = result["id"], find_source_files(data.get("item") or {})
        if not paths:
            if self.rtstruct:
                logger.warning("%s: no RT Structure Set, because the input is not DICOM", case)
            return {"result": result}
        masks, affine = label_volumes(data["diagnosis"]), native_affine(data["pred"])
        try:
            findings = read_series_findings(paths, masks, affine, case=case)
        except CaseError as fault:
            if fault.code != NO_REFERENCE:
                raise
            logger.warning(str(fault))
            result |= {"no_dicom": fault.problem, "warnings": [*result["warnings"], fault.problem]}
            write_json(result_files(self.folder, case)["result"], result)
            return {"result": result}
        write_dicom_objects(
            self.folder, case, findings, result, deidentify=self.deidentify, rtstruct=self.rtstruct
        )
        return {"result": result, SERIES_FINDINGS: findings}
