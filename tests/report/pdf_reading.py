"""Reads a PDF back by pypdf."""

from __future__ import annotations

import io

from pypdf import PdfReader


def read_pages(content: bytes) -> list[str]:
    """Text of each page."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def count_images(content: bytes) -> int:
    """Number of pictures of all pages."""
    return sum(len(page.images) for page in PdfReader(io.BytesIO(content)).pages)


def read_sizes_mm(content: bytes) -> set[tuple[int, int]]:
    """Sizes of the pages in mm."""
    boxes = [page.mediabox for page in PdfReader(io.BytesIO(content)).pages]
    return {(round(float(box.width) * 25.4 / 72), round(float(box.height) * 25.4 / 72)) for box in boxes}
