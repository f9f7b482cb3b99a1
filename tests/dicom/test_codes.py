"""Codes equal those of pydicom's dictionary of DICOM and SNOMED CT, or are in a short list of exceptions."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code

from scripts.lidia.dicom import codes
from scripts.lidia.vocabulary import LESION_TYPES

NOT_THERE = {"25370001", "70179006", "278527001", "C0034375"}
"""HCC, cholangiocarcinoma, FNH, and the container of TID 1500's row 12."""

TIMES = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
]
STEP = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def checked(code: str) -> bool:
    """Verhoeff's check digit, which every SNOMED CT code ends on."""
    state = 0
    for place, digit in enumerate(reversed(code)):
        number = int(digit)
        for _ in range(place):
            number = STEP[number]
        state = TIMES[state][number]
    return state == 0


def ours() -> list[Code]:
    flat = [value for value in vars(codes).values() if isinstance(value, Code)]
    tables = (codes.TYPES, codes.PROBABILITIES, codes.LIRADS_FEATURES, codes.STATES, codes.CATEGORIES)
    return [*flat, *(code for table in tables for code in table.values())]


def test_every_code_has_its_meaning_from_the_dictionary() -> None:
    alone = set()
    for code in ours():
        if code.scheme_designator == codes.OWN_SCHEME:
            continue
        scheme = getattr(dictionary, code.scheme_designator)
        entries = [getattr(scheme, name) for name in dir(scheme)]
        reference = [entry for entry in entries if isinstance(entry, Code)]
        meanings = {entry.meaning.lower() for entry in reference if entry.value == code.value}
        if meanings:
            assert code.meaning.lower() in meanings
        else:
            alone.add(code.value)
    assert alone == NOT_THERE


@pytest.mark.parametrize("code", [code for code in ours() if code.scheme_designator == "SCT"], ids=str)
def test_check_digits_of_snomed(code: Code) -> None:
    assert checked(code.value)
    assert not checked(code.value[:-2] + str((int(code.value[-2]) + 1) % 10) + code.value[-1])


def test_all_types_have_a_code_of_their_own_and_codes_are_short() -> None:
    assert list(codes.TYPES) == list(LESION_TYPES)
    assert len({code.value for code in codes.TYPES.values()}) == len(LESION_TYPES)
    assert list(codes.PROBABILITIES) == [*LESION_TYPES, "malignant", "benign"]
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in ours())
