"""One page a patient, written as soon as inference has written his results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from scripts.lidia.report.page import legend_section, patient_card, write_page
from scripts.lidia.report.results import read_patient


class PatientPages:
    """Handler that writes `ID.html` beside a patient's other files; it must stand after `WriteResults`.

    Args:
        folder: where results go.
        items: the items of the datalist, for images and, where there is a label, the truth.
        slices: slices a page.
    """

    def __init__(self, *, folder: str, items: Sequence[Mapping[str, Any]], slices: int = 3) -> None:
        self.folder, self.slices = Path(folder), slices
        self.items = {item["id"]: item for item in items}

    def attach(self, engine: Engine) -> None:
        """Writes after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes the pages of the batch."""
        for data in engine.state.batch:
            self.write(data["id"])

    def write(self, case: str) -> Path:
        """Writes one patient's page.

        Args:
            case: id of a patient whose results are in the folder.

        Returns:
            Path of the page.
        """
        item = self.items.get(case, {})
        card = patient_card(read_patient(self.folder, case, item), slices=self.slices)
        sections = [legend_section(), card]
        path, synthetic = self.folder / f"{case}.html", bool(item.get("synthetic"))
        return write_page(path, f"LIDIA: {case}", sections, synthetic=synthetic)
