"""Build the PDF of the follow-up of one patient: the content of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reportlab.platypus import Flowable

from scripts.lidia.followup.comparison import Comparison
from scripts.lidia.followup.date_pictures import PIXELS, picture_track
from scripts.lidia.followup.diameter_drawing import make_diameter_drawing
from scripts.lidia.followup.diameter_layout import CAPTION
from scripts.lidia.followup.followup_page import (
    MAX_PICTURED,
    find_largest,
    list_changes,
    list_dates,
    list_labels,
    list_types_by_date,
    make_note,
    render_notes,
    render_response,
)
from scripts.lidia.report.pdf_document import (
    Picture,
    keep_together,
    make_heading,
    make_pictures,
    make_table,
    make_text,
    render_pdf,
)


def render_followup_pdf(record: Mapping[str, Any], comparison: Comparison, *, warnings: bool = True) -> bytes:
    """Render the PDF.

    Args:
        record: content of the patient's JSON.
        comparison: the comparison behind it.
        warnings: whether to show warnings, which may name files and therefore the patient.
    """
    dates, changes = list_dates(record), list_changes(record)
    blocks: list[Flowable] = [
        make_heading("Response"),
        make_text(render_response(record)),
        *(
            make_text(f"Warning: {warning}", warn=True)
            for warning in (record["warnings"] if warnings else ())
        ),
        make_table(*dates, numbers=(2, 3, 4)),
    ]
    if changes[1]:
        chart = [make_heading("Lesions"), make_diameter_drawing(record), make_text(CAPTION, soft=True)]
        blocks += [keep_together(chart), make_table(*changes, numbers=(4, 5, 6))]
    else:
        blocks += [make_heading("Lesions"), make_text("No date shows a lesion.")]
    tracks, labels = {track.lesion: track for track in comparison.tracks}, list_labels(comparison)
    for lesion in sorted(record["lesions"], key=find_largest, reverse=True)[:MAX_PICTURED]:
        last = lesion["changes"][-1] if lesion["changes"] else {}
        types = ", then ".join(list_types_by_date(lesion))
        title = f"Lesion {lesion['lesion']}: {types}, {last.get('change', '')}"
        pictures = [
            Picture(picture.caption, picture.source, picture.outlines, (0, 0, 2 * PIXELS, 2 * PIXELS))
            for picture in picture_track(comparison, tracks[lesion["lesion"]], labels)
        ]
        parts = [make_heading(title.removesuffix(", "), 3), make_pictures(pictures, columns=3)]
        note = make_note(lesion, last)
        blocks.append(keep_together([*parts, *([make_text(note, soft=True)] if note else [])]))
    blocks += [make_heading("How to read it"), *(make_text(text, soft=True) for text in render_notes(record))]
    synthetic = any(study.is_synthetic for study in comparison.studies)
    return render_pdf(f"LIDIA follow-up: {record['patient']}", blocks, synthetic=synthetic)
