"""Maps names of phases and classes in other data sets to the names of this bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series_text import match_phase_name
from scripts.lidia.vocabulary import CLASSES, PHASES


def normalize_name(name: object) -> str:
    """Reduces a name to lower-case letters and digits: 'Portal-Venous' and 'portal_venous' are equal."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


CLASS_WORDS = {
    "HCC": ("hepatocellularcarcinoma",),
    "ICC": ("cholangiocarcinoma", "intrahepaticcholangiocarcinoma", "icca"),
    "metastasis": ("metastases", "meta", "crlm", "bclm"),
    "hemangioma": ("haemangioma", "hemangiomas"),
    "FNH": ("focalnodularhyperplasia",),
    "cyst": ("cysts",),
    "calcification": ("calcifications",),
    "others": ("other",),
}
"""Synonyms of each class. Names without a type ("tumour", "lesion", "cancer") are deliberately left out."""
CLASS_OF_WORD = {
    word: number
    for number, name in enumerate(CLASSES)
    for word in (normalize_name(name), *CLASS_WORDS.get(name, ()))
}


def map_phase(name: str, phase_map: Mapping[str, str] | None, file: str) -> str:
    """Returns the phase that a name means.

    Args:
        name: name in the source.
        phase_map: the user's mapping of source names to phases; it has priority.
        file: file that holds the name, for error messages.

    Raises:
        CaseError: if the name, or its value in the user's mapping, is unknown.
    """
    mapping = {normalize_name(key): str(value) for key, value in (phase_map or {}).items()}
    phase = mapping.get(normalize_name(name)) or match_phase_name(name)
    if phase not in PHASES:
        problem = f"{phase or name!r} is not a known phase"
        remedy = f"map it by --phase_map \"{{'{name}': 'venous'}}\"; the phases are {', '.join(PHASES)}"
        raise CaseError("datalist", file, problem, remedy, "unknown_phase")
    return phase


def map_class(name: str, class_map: Mapping[str, str] | None, file: str) -> int:
    """Returns the class 0..9 that a name means.

    Args:
        name: name in the source.
        class_map: the user's mapping of source names to classes; it has priority.
        file: file that holds the name, for error messages.

    Raises:
        CaseError: if the name, or its value in the user's mapping, is unknown.
    """
    mapping = {normalize_name(key): str(value) for key, value in (class_map or {}).items()}
    word = mapping.get(normalize_name(name), str(name))
    number = CLASS_OF_WORD.get(normalize_name(word))
    if number is None:
        problem = f"{word!r} is not a known class"
        remedy = f"map it by --class_map \"{{'{name}': 'HCC'}}\"; the classes are {', '.join(CLASSES)}"
        raise CaseError("datalist", file, problem, remedy, "unknown_class")
    return number
