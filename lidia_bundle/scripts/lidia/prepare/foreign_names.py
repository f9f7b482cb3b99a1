"""Other people's names of phases and classes, and which of ours they mean; an unknown one is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series_text import match_phase_name
from scripts.lidia.vocabulary import CLASSES, PHASES

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
"""Further names of each class. Names of no type ("tumour", "lesion", "cancer") are left out on purpose."""


def phase_of(name: str, phase_map: Mapping[str, str] | None, file: str) -> str:
    """Which phase a name means.

    Args:
        name: what the source calls it.
        phase_map: the user's own words, source's name to phase; they come first.
        file: where the name stands, for the message.

    Raises:
        CaseError: if the name is unknown, or the user's word for it is.
    """
    given = {normalize_name(key): str(value) for key, value in (phase_map or {}).items()}
    phase = given.get(normalize_name(name)) or match_phase_name(name)
    if phase not in PHASES:
        problem = f"{phase or name!r} is no phase that is known here"
        remedy = f"name it by --phase_map \"{{'{name}': 'venous'}}\"; the phases are {', '.join(PHASES)}"
        raise CaseError("datalist", file, problem, remedy, "unknown_phase")
    return phase


def class_of(name: str, class_map: Mapping[str, str] | None, file: str) -> int:
    """Which class 0..9 a name means.

    Args:
        name: what the source calls it.
        class_map: the user's own words, source's name to class; they come first.
        file: where the name stands, for the message.

    Raises:
        CaseError: if the name is unknown, or the user's word for it is.
    """
    given = {normalize_name(key): str(value) for key, value in (class_map or {}).items()}
    word = given.get(normalize_name(name), str(name))
    known = _known(word, CLASSES, CLASS_WORDS)
    if known is None:
        problem = f"{word!r} is no class that is known here"
        remedy = f"name it by --class_map \"{{'{name}': 'HCC'}}\"; the classes are {', '.join(CLASSES)}"
        raise CaseError("datalist", file, problem, remedy, "unknown_class")
    return CLASSES.index(known)


def normalize_name(name: object) -> str:
    """Small letters and digits alone: 'Portal-Venous' and 'portal_venous' are one name."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _known(name: str, ours: tuple[str, ...], words: Mapping[str, tuple[str, ...]]) -> str | None:
    return next(
        (our for our in ours if normalize_name(name) in (normalize_name(our), *words.get(our, ()))), None
    )
