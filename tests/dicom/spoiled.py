"""Bytes of invalid headers: elements are written unchanged into files of explicit VR."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from pydicom.datadict import dictionary_VR, tag_for_keyword

LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR", b"OF", b"OD", b"OL")
Spoil = Callable[[Path], None]


def element(keyword: str, raw: bytes, vr: str = "") -> bytes:
    """One element in explicit VR, little endian."""
    tag, kind = tag_for_keyword(keyword), (vr or dictionary_VR(keyword).split(" ")[0]).encode()
    raw += b" " * (len(raw) % 2)
    length = struct.pack("<HI", 0, len(raw)) if kind in LONG else struct.pack("<H", len(raw))
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + kind + length + raw


def spoil(path: Path, keyword: str, raw: bytes | None, vr: str = "") -> None:
    """Puts an element into a file in place of the one that is there; None takes it out."""
    content, at, end = path.read_bytes(), 132, 132
    expected = tag_for_keyword(keyword)
    while at < len(content):
        group, number, kind = struct.unpack("<HH2s", content[at : at + 6])
        head = 12 if kind in LONG else 8
        form = "<I" if head == 12 else "<H"
        [size] = struct.unpack(form, content[at + head - struct.calcsize(form) : at + head])
        end = at + head + size
        if (group << 16) + number >= expected:
            break
        at = end
    rest = end if (group << 16) + number == expected else at
    new = b"" if raw is None else element(keyword, raw, vr)
    path.write_bytes(content[:at] + new + content[rest:])


def spoil_all(folder: Path, keyword: str, raw: bytes | None, vr: str = "") -> None:
    """The same in all files of a folder."""
    for path in folder.rglob("*.dcm"):
        spoil(path, keyword, raw, vr)
