"""The PDF: A4, selectable text of any script that the font has, pictures, tables over pages, equal bytes."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from report.pdf_reading import count_images, read_pages, read_sizes_mm

from scripts.lidia.report.contours import Outline, trace_outline
from scripts.lidia.report.pdf_document import (
    NOTE,
    SYNTHETIC,
    Picture,
    make_heading,
    make_pictures,
    make_table,
    make_text,
    render_pdf,
)
from scripts.lidia.report.scan_layout import encode_jpeg


def test_a_long_document_is_a4_with_selectable_text_on_every_page() -> None:
    rows = [(number, Markup("<b>x &lt; y</b>"), "a long remark " * 12, -number) for number in range(90)]
    blocks = [make_heading("Größe <b>"), make_text("Ω → 5 % & 肝"), make_table("abcd", rows, numbers=(3,))]
    content = render_pdf("P & Q", blocks, synthetic=True)
    pages = read_pages(content)
    assert len(pages) > 2 and read_sizes_mm(content) == {(210, 297)}
    assert "Größe <b>" in pages[0] and "Ω → 5 % & ?" in pages[0], "a character without a glyph"
    assert "x < y" in pages[0] and "-89" in pages[-1]
    assert all(NOTE in page and SYNTHETIC in page for page in pages)
    assert content == render_pdf("P & Q", blocks_again(rows), synthetic=True), "equal content, equal bytes"


def blocks_again(rows: list) -> list:
    """The same blocks anew: a block belongs to one document."""
    return [make_heading("Größe <b>"), make_text("Ω → 5 % & 肝"), make_table("abcd", rows, numbers=(3,))]


def test_pictures_with_contours_and_an_empty_field() -> None:
    plane = np.zeros((40, 30))
    mask = np.zeros((40, 30), bool)
    mask[10:20, 5:15] = True
    outline = Outline(trace_outline(mask), "#D55E00", "7", (30, 20))
    seen = Picture("2025-01-10, venous", encode_jpeg(plane), [outline], (0, 0, 80, 60))
    content = render_pdf("P", [make_pictures([seen, seen._replace(source="", caption="no image")])])
    (page,) = read_pages(content)
    assert count_images(content) == 1
    assert "2025-01-10, venous" in page and "no image" in page and "7" in page.split()
