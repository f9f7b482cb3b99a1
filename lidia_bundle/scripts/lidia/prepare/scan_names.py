"""Derives ids and patients from the names of NIfTI files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from scripts.lidia.datalist.read_item import MAX_ID_BYTES, RESERVED_IDS
from scripts.lidia.dicom.series_text import LATE, PHASE_OF_WORD, find_phases, normalize_text

NIFTI = (".nii", ".nii.gz")


def is_nifti(path: Path) -> bool:
    """Returns whether a file's name has an extension of NIfTI."""
    return path.name.lower().endswith(NIFTI)


def make_valid_id(text: str) -> str:
    """Makes a valid id of a case from the path of its file.

    Characters that cannot be part of a file name become `_`, a long path is cut and gets a hash, and the name
    of a file that jobs write gets a prefix.

    Args:
        text: the path, joined.
    """
    valid = re.sub(r'[\\:*?"<>|\x00-\x1f]', "_", text)
    if len(valid.encode(errors="replace")) > MAX_ID_BYTES:
        valid = f"{valid[-50:]}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"
    return f"scan_{valid}" if valid.lower() in RESERVED_IDS else valid


def remove_phase_words(name: str) -> str:
    """Removes the words that name a phase from a part of a path; other words keep their spelling.

    Args:
        name: a folder's name, or a file's without its extension.
    """
    phases = find_phases(name)
    if len(phases) != 1:
        return name
    synonyms = [word for word, phase in PHASE_OF_WORD.items() if phase in phases]
    words = {*" ".join(synonyms).split(), "phase", *LATE}
    for separator in ("_", "-", " ", "."):
        name = separator.join(part for part in name.split(separator) if normalize_text(part) not in words)
    return name.strip("_-. ")
