"""Build an A4 PDF of headings, text, tables and CT pictures with contours, by reportlab.

Text is selectable, in an embedded font. Equal content gives equal bytes. reportlab is the optional dependency
`pdf`; only the writers of PDF import this module.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import matplotlib
from markupsafe import Markup
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from scripts.lidia.report.contours import Outline

NOTE = "Research only. Not a medical device, not for diagnosis."
SYNTHETIC = "Synthetic: the images are phantoms, not a patient."
MARGIN, WIDTH = 16 * mm, A4[0] - 32 * mm
SHORT = 60.0
"""Width in points up to which a column of a table is not wrapped."""
FONT, BOLD = "DejaVuSans", "DejaVuSans-Bold"
INK, SOFT, WARN, LINE = HexColor("#1c2733"), HexColor("#5b6775"), HexColor("#a33a00"), HexColor("#c9d1da")
PAPER = HexColor("#101214")


class Picture(NamedTuple):
    """A CT picture with contours.

    Attributes:
        caption: text below it.
        source: JPEG as a data URI; "" draws an empty field.
        outlines: contours in half pixels of the shown plane.
        view_box: left, top, width and height of the picture in the same units.
    """

    caption: str
    source: str
    outlines: Sequence[Outline]
    view_box: tuple[float, float, float, float]


@cache
def register_fonts() -> frozenset[int]:
    """Register DejaVu Sans of matplotlib; returns the code points for which it has a glyph."""
    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    for name in (FONT, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)
    return frozenset(pdfmetrics.getFont(FONT).face.charToGlyph)


def to_text(value: Any) -> str:
    """Convert a cell to text without markup; characters that the font lacks become question marks."""
    text = value.striptags() if isinstance(value, Markup) else str(value)
    glyphs = register_fonts()
    return "".join(letter if ord(letter) in glyphs else "?" for letter in text)


def make_heading(text: str, level: int = 2) -> Paragraph:
    """Make a heading of level 1 (title), 2 or 3."""
    size = {1: 17, 2: 12.5, 3: 10.5}[level]
    return Paragraph(escape(to_text(text)), _make_style(size, font=BOLD, before=size * 0.6, keep=True))


def make_text(text: str, *, warn: bool = False, soft: bool = False) -> Paragraph:
    """Make a paragraph.

    Args:
        text: plain text, or `Markup` whose tags are dropped.
        warn: in the colour of warnings.
        soft: in the colour of remarks.
    """
    return Paragraph(escape(to_text(text)), _make_style(9, colour=WARN if warn else SOFT if soft else INK))


def make_table(head: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[int] = ()) -> Flowable:
    """Make a table whose head is repeated on each page.

    Args:
        head: titles of the columns.
        rows: cells; those that are `Markup` lose their tags.
        numbers: columns that are aligned to the right.
    """
    texts = [[to_text(cell) for cell in row] for row in (head, *rows)]
    widths = _choose_widths(texts)
    cells = [
        [
            Paragraph(escape(text), _make_style(8, font=FONT if line else BOLD, right=column in numbers))
            for column, text in enumerate(row)
        ]
        for line, row in enumerate(texts)
    ]
    table = Table(cells, colWidths=widths, repeatRows=1, hAlign="LEFT", spaceBefore=4, spaceAfter=6)
    table.setStyle(
        TableStyle([
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 5),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ])
    )
    return table


def make_pictures(pictures: Sequence[Picture], columns: int = 4) -> Flowable:
    """Make rows of pictures of equal width."""
    width = min(WIDTH / columns, 62 * mm) - 2 * mm
    drawn = [_ContourPicture(picture, width) for picture in pictures]
    rows: list[list[Any]] = [drawn[i : i + columns] for i in range(0, len(drawn), columns)]
    rows[-1] += [""] * (min(columns, len(drawn)) - len(rows[-1]))
    table = Table(rows, colWidths=width + 2 * mm, hAlign="LEFT", spaceBefore=4, spaceAfter=4)
    table.setStyle(TableStyle([("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 0)]))
    return table


def keep_together(blocks: Sequence[Flowable]) -> Flowable:
    """Keep blocks on one page if they fit."""
    return KeepTogether(list(blocks))


def render_pdf(title: str, blocks: Sequence[Flowable], *, synthetic: bool = False) -> bytes:
    """Render a document; each page shows the title, its number and that it is for research only."""
    register_fonts()
    name, buffer = to_text(title), io.BytesIO()

    def draw_margins(canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setFont(FONT, 7.5)
        canvas.setFillColor(SOFT)
        canvas.drawString(MARGIN, 9 * mm, NOTE if not synthetic else f"{NOTE} {SYNTHETIC}")
        canvas.drawRightString(A4[0] - MARGIN, 9 * mm, f"{name[:60]}, page {document.page}")
        canvas.restoreState()

    document = SimpleDocTemplate(
        buffer, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=14 * mm, bottomMargin=17 * mm,
        title=name, author="LIDIA for MONAI", subject=NOTE, invariant=1, lang="en",
    )  # fmt: skip
    notes = [make_text(NOTE, warn=True), *([make_text(SYNTHETIC, warn=True)] if synthetic else [])]
    story = [make_heading(name, 1), *notes, Spacer(1, 4), *blocks]
    document.build(story, onFirstPage=draw_margins, onLaterPages=draw_margins)
    return buffer.getvalue()


def _make_style(
    size: float, *, font: str = FONT, colour: Any = INK, right: bool = False, before: float = 0.0,
    keep: bool = False,
) -> ParagraphStyle:  # fmt: skip
    register_fonts()
    return ParagraphStyle(
        "text", fontName=font, fontSize=size, leading=size * 1.3, textColor=colour, spaceBefore=before,
        spaceAfter=size * 0.3, keepWithNext=keep, splitLongWords=1,
        alignment=TA_RIGHT if right else TA_LEFT,
    )  # fmt: skip


def _choose_widths(texts: Sequence[Sequence[str]]) -> list[float]:
    """Choose the widths of columns by their longest text; the longer columns of a wide table are wrapped."""
    needed = [
        max(pdfmetrics.stringWidth(text, BOLD, 8) for text in column) + 9
        for column in zip(*texts, strict=True)
    ]
    if sum(needed) <= WIDTH:
        return needed
    words = [
        max(pdfmetrics.stringWidth(word, BOLD, 8) for text in column for word in (text.split() or [""])) + 9
        for column in zip(*texts, strict=True)
    ]
    least = [
        width if width <= SHORT else min(word, WIDTH / 4) for width, word in zip(needed, words, strict=True)
    ]
    free = max(WIDTH - sum(least), 0.0)
    extra = [max(width - base, 0.0) for width, base in zip(needed, least, strict=True)]
    return [base + free * more / (sum(extra) or 1.0) for base, more in zip(least, extra, strict=True)]


class _ContourPicture(Flowable):
    """Draws a picture, its contours with their numbers, and its caption."""

    def __init__(self, picture: Picture, width: float) -> None:
        super().__init__()
        self.picture, self.size = picture, width
        self.width, self.height = width, width * picture.view_box[3] / picture.view_box[2] + 11

    def draw(self) -> None:
        """Draws on the canvas that reportlab sets."""
        canvas, (left, top, wide, high) = self.canv, self.picture.view_box
        scale, height = self.size / wide, self.size * high / wide
        canvas.setFont(FONT, 7)
        canvas.setFillColor(SOFT)
        canvas.drawString(0, 2, to_text(self.picture.caption))
        canvas.translate(0, 11)
        canvas.setFillColor(PAPER)
        canvas.rect(0, 0, self.size, height, stroke=0, fill=1)
        if self.picture.source:
            jpeg = base64.b64decode(self.picture.source.split(",", 1)[1])
            canvas.drawImage(ImageReader(io.BytesIO(jpeg)), 0, 0, self.size, height)
        frame = canvas.beginPath()
        frame.rect(0, 0, self.size, height)
        canvas.clipPath(frame, stroke=0, fill=0)
        for outline in self.picture.outlines:
            path = canvas.beginPath()
            for x, y, moves in re.findall(r"M(-?\d+) (-?\d+)l([^z]*)z", outline.path):
                place = [float(x), float(y)]
                path.moveTo((place[0] - left) * scale, height - (place[1] - top) * scale)
                steps = [float(number) for number in moves.split()]
                for dx, dy in zip(steps[::2], steps[1::2], strict=True):
                    place = [place[0] + dx, place[1] + dy]
                    path.lineTo((place[0] - left) * scale, height - (place[1] - top) * scale)
                path.close()
            canvas.setStrokeColor(HexColor(outline.colour))
            canvas.setLineWidth(0.9)
            canvas.drawPath(path, stroke=1, fill=0)
            if outline.label:
                x, y = outline.position
                canvas.setFont(BOLD, 7)
                canvas.setFillColor(HexColor(outline.colour))
                canvas.drawCentredString(
                    (x - left) * scale, height - (max(y - 4, top + 10) - top) * scale, outline.label
                )
