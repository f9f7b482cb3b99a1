"""Write the PDF of each patient, and for DICOM input the Encapsulated PDF, as soon as results are written."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from scripts.lidia.atomic import write_atomically
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.references import NO_REFERENCE
from scripts.lidia.dicom.source_series import find_source_files
from scripts.lidia.inference.case_evaluator import SERIES_FINDINGS, note_failure
from scripts.lidia.inference.dicom_objects import write_dicom_pdf
from scripts.lidia.inference.result_files import label_volumes, native_affine, pdf_files
from scripts.lidia.inference.series_findings import read_series_findings
from scripts.lidia.report.read_results import make_patient

logger = logging.getLogger("lidia.pdf")


def check_library() -> None:
    """Check that reportlab is installed.

    Raises:
        CaseError: it is not.
    """
    if find_spec("reportlab") is None:
        problem = "--pdf True needs reportlab, which is not installed"
        raise CaseError("pdf", "reportlab", problem, "pip install reportlab", "no_library")


class WritePdf:
    """Handler that writes `ID.pdf`, and `ID_pdf.dcm` of a patient with DICOM input.

    It must stand after `WriteDicom`, and before the scans of the patient are dropped.

    Args:
        folder: folder of the results.
        dicom: whether to write the Encapsulated PDF.
        deidentify: see `WriteDicom`; unless it is False the PDF has no warnings, because they may name files.

    Raises:
        CaseError: reportlab is not installed.
    """

    def __init__(self, *, folder: str, dicom: bool = True, deidentify: bool | str = False) -> None:
        check_library()
        self.folder, self.dicom, self.deidentify = Path(folder), dicom, deidentify

    def attach(self, engine: Engine) -> None:
        """Writes after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes the documents of the batch."""
        for data, output in zip(engine.state.batch, engine.state.output, strict=True):
            try:
                self.write({**data, **output})
            except Exception as problem:  # the other patients do not depend on this document
                note_failure(engine, problem, data["id"])

    def write(self, data: Mapping[str, Any]) -> None:
        """Writes the documents of one patient.

        Args:
            data: result of `postprocessing`, with the patient's `item`; `result` is the content of `ID.json`.
                Without `SERIES_FINDINGS` the series is read here.

        Raises:
            CaseError: the series cannot be read.
        """
        from scripts.lidia.report.patient_pdf import render_patient_pdf  # reportlab is optional

        result, item = data["result"], data.get("item") or {}
        masks, affine = label_volumes(data["diagnosis"]), native_affine(data["pred"])
        patient = make_patient(result, masks, affine, item)
        synthetic = bool(item.get("synthetic"))
        content = render_patient_pdf(patient, synthetic=synthetic, warnings=not self.deidentify)
        document, encapsulated = pdf_files(self.folder, result["id"])
        with write_atomically(document) as temporary:
            Path(temporary).write_bytes(content)
        paths = find_source_files(item) if self.dicom else []
        if not paths:
            return
        try:
            findings = data.get(SERIES_FINDINGS) or read_series_findings(
                paths, masks, affine, case=result["id"]
            )
        except CaseError as fault:
            if fault.code != NO_REFERENCE:
                raise
            logger.warning("%s: no Encapsulated PDF: %s", result["id"], fault.problem)
            return
        write_dicom_pdf(encapsulated, content, findings, result, deidentify=self.deidentify)
