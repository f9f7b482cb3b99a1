"""Write one page for each patient as soon as inference has written the results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine
from markupsafe import Markup
from monai.engines.utils import IterationEvents

from scripts.lidia.inference.result_files import label_volumes, native_affine, page_file
from scripts.lidia.morphometry.lobes import MIDDLE_MM
from scripts.lidia.report.certainty import render_certainty
from scripts.lidia.report.html_page import build_section, write_page
from scripts.lidia.report.lesion_cards import MAX_PICTURED, LesionLocations, render_lesion_cards
from scripts.lidia.report.lesion_certainty import describe_distrust
from scripts.lidia.report.probability_bars import (
    format_probability,
    get_mapping,
    render_patient_probabilities,
)
from scripts.lidia.report.read_results import Patient, make_patient, read_truth
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.scan_layout import lay_out, read_scans
from scripts.lidia.report.viewer import SCRIPT, render_viewer

READING_NOTES = (
    "Pictures: window -60 to 240 HU, JPEG, the liver's box at 1 mm a pixel and 3 to 5 mm between slices, "
    "unless the scan is coarser. They are for orientation; the scan is what to read. A lesion is shown where "
    "it is widest, at the same place in all phases.",
    "HU: mean of the lesion's voxels, median of the liver 3 mm away from its surface and from lesions. Both "
    "are read at the same place in every phase: phases that do not match give wrong curves. The aorta stands "
    "with them where it was surely found; what lies above the chart is in its table.",
    "Diameter: the longest in an axial plane. Surface: the shortest way from the lesion to the outside of "
    "the liver as it was outlined, fissures included.",
    "LI-RADS features: measured by the definitions of CT/MRI LI-RADS v2018, for patients at risk of "
    "HCC. They are evidence for a radiologist, not a category. A feature cannot be assessed if a phase is "
    "missing, the lesion is too small, or noise is too high; the error is that of the measured value.",
    "Lobes part at an upright plane that stands in for Cantlie's line, with a third of the liver's volume to "
    f"its left; within {MIDDLE_MM:.0f} mm of it the lobe is left open.",
)


class PatientPages:
    """Handler that writes `ID.html` beside a patient's other files; it must stand after `WriteResults`.

    Args:
        folder: where results go.
    """

    def __init__(self, *, folder: str) -> None:
        self.folder = Path(folder)

    def attach(self, engine: Engine) -> None:
        """Writes after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes the pages of the batch."""
        for data, output in zip(engine.state.batch, engine.state.output, strict=True):
            item, affine = data.get("item") or {}, native_affine(output["pred"])
            patient = make_patient(output["result"], label_volumes(output["diagnosis"]), affine, item)
            write_patient_page(self.folder, patient, synthetic=bool(item.get("synthetic")))


def write_patient_page(folder: str | Path, patient: Patient, *, synthetic: bool = False) -> Path:
    """Writes the page of one patient."""
    case, sections = patient.result["id"], build_patient_sections(patient)
    path = page_file(folder, case)
    return write_page(path, f"LIDIA: {case}", sections, synthetic=synthetic, scripts=(SCRIPT,))


def build_patient_sections(patient: Patient) -> list[Markup]:
    """Builds the sections of a patient's page."""
    result = patient.result
    layout = lay_out(patient, len(patient.phases), MAX_PICTURED)
    scans, locations = read_scans(patient, layout), LesionLocations(patient)
    links = {"patient": "Patient", "slices": "Slices", "lesions": "Lesions"}
    links |= {"certainty": "Certainty", "reading": "How to read it"}
    if not scans:
        del links["slices"]
    bars = render_patient_probabilities(result, read_truth(patient))
    return [
        render_template("navigation", links=links),
        build_section("Patient", _render_summary(result), bars, name="patient"),
        render_viewer(patient, layout, scans),
        build_section("Lesions", render_lesion_cards(patient, layout, scans, locations), name="lesions"),
        build_section("Certainty", render_certainty(result), name="certainty"),
        build_section(
            "How to read it",
            *(Markup("<p>{}</p>").format(note) for note in READING_NOTES),
            _render_versions(result),
            name="reading",
        ),
    ]


def _render_summary(result: Mapping[str, Any]) -> Markup:
    likeliest = max(result["probabilities"], key=result["probabilities"].get)
    return render_template(
        "summary",
        distrust=describe_distrust(result),
        malignant=format_probability(result, "malignant"),
        triage=get_mapping(result, "triage").get("malignant"),
        likeliest=likeliest,
        highest=format_probability(result, likeliest),
        sizes=[lesion["diameter_mm"] for lesion in result["lesions"]],
    )


def _render_versions(result: Mapping[str, Any]) -> Markup:
    versions = {k: v if isinstance(v, list) else [v] for k, v in get_mapping(result, "versions").items()}
    listed = ", ".join(f"{name} {' and '.join(map(str, value))}" for name, value in versions.items())
    return Markup('<p class="soft made">Made by: {}.</p>').format(listed) if listed else Markup("")
