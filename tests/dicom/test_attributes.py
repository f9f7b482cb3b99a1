"""Each attribute, in each form that the standard does not allow, is treated as the table states."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom.spoiled import element, spoil, spoil_all
from dicom.tagged import add, chosen, numbers, study
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_dict, tag_for_keyword

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom import header_values as values
from scripts.lidia.dicom.attributes import ATTRIBUTES, SEQUENCES, Attribute
from scripts.lidia.dicom.study import find_studies
from scripts.lidia.prepare.prepare_data import prepare

LIDIA = Path(__file__).parents[2] / "lidia_bundle/scripts/lidia"
GOOD = {
    **dict.fromkeys(("Rows", "Columns", "NumberOfFrames"), ("4", (4.0,))),
    **dict.fromkeys(("SeriesNumber", "AcquisitionNumber", "InstanceNumber"), ("4", (4.0,))),
    "TemporalPositionIdentifier": ("2", (2.0,)), "SegmentNumber": ("7", (7.0,)),
    "ImagePositionPatient": ("-1.5\\2\\3e1", (-1.5, 2.0, 30.0)),
    "ImageOrientationPatient": ("1\\0\\0\\0\\1\\0", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)),
    "PixelSpacing": ("0.7 \\0.8", (0.7, 0.8)), "SliceThickness": (".5", (0.5,)),
    "SamplesPerPixel": ("1", (1.0,)), "BitsAllocated": ("16", (16.0,)), "BitsStored": ("12", (12.0,)),
    "HighBit": ("11", (11.0,)), "PixelRepresentation": ("1", (1.0,)), "RescaleSlope": ("1", (1.0,)),
    "RescaleIntercept": ("-1024", (-1024.0,)), "PixelPaddingValue": ("63536", (63536.0,)),
    "PixelPaddingRangeLimit": ("-2000", (-2000.0,)),
}  # fmt: skip
"""Of each attribute of numbers a right text and what it says."""
NUMBERS = [row for row in ATTRIBUTES.values() if row.keyword in GOOD]
BAD_NUMBERS = [
    *("abc", "0,7", "nan", "inf", "-inf", "1e999", "1_0", "0x10", "--1", "1 2", "\u0661", "9e99", "-9e99"),
    *("1\\2\\3\\4\\5\\6\\7\\8\\9", "1\\\\1", "Anonymized"),
]
EMPTY: list[Any] = [None, b"", b"  ", b"\0\0"]


def reread(keyword: str, raw: bytes | None, vr: str = "") -> pydicom.Dataset:
    """A header with these bytes as the value of an attribute, read from a file; None leaves it out."""
    content = b"" if raw is None else element(keyword, raw, vr)
    read = pydicom.dcmread(io.BytesIO(content + element("PatientComments", b"x")), force=True)
    read.filename = "here.dcm"
    return read


def outcome(header: pydicom.Dataset, row: Attribute, read: Any) -> Any:
    try:
        return read(header, row.keyword) or "blank"
    except CaseError as fault:
        assert fault.file == "here.dcm" and row.keyword in fault.problem and fault.remedy
        return "refuse"


def as_text(row: Attribute) -> str:
    """Numbers that the standard has in binary are sent as text here, so that they can be spoilt alike."""
    return "DS" if row.vr.startswith(("US", "IS")) else row.vr


def test_the_table_is_that_of_the_standard() -> None:
    for row in ATTRIBUTES.values():
        tag = tag_for_keyword(row.keyword)
        assert tag is not None and (dictionary_VR(tag), dictionary_VM(tag)) == (row.vr, row.vm), row.keyword
        assert row.type in ("1", "1C", "2", "2C", "3")


def test_the_page_has_the_same_table() -> None:
    text = {"refuse": "refused", "blank": "unknown", "left out": "left out"}
    page = (LIDIA.parents[1] / "docs/dicom.md").read_text(encoding="utf-8")
    for row in ATTRIBUTES.values():
        cells = (row.keyword, row.vr, row.vm, row.type, text[row.absent], text[row.bad])
        line = f"| {' | '.join(cells)} |"
        assert line in page, line


@pytest.mark.parametrize("row", NUMBERS, ids=lambda row: row.keyword)
def test_numbers(row: Attribute) -> None:
    text, right = GOOD[row.keyword]
    assert outcome(reread(row.keyword, text.encode(), as_text(row)), row, values.read_numbers) == right
    for raw in EMPTY:
        assert outcome(reread(row.keyword, raw, as_text(row)), row, values.read_numbers) == row.absent
    spoilt = [*BAD_NUMBERS, text + "\\1", text + "\\"]
    if row.bounds:
        spoilt += ["\\".join([str(bound + side * (1 + abs(bound)))] * int(row.vm))
                   for bound, side in zip(row.bounds, (-1, 1), strict=True)]  # fmt: skip
    if row.vr in ("US", "IS", "US or SS"):
        spoilt.append("10.5")
    for bad in spoilt:
        got = outcome(reread(row.keyword, bad.encode(), as_text(row)), row, values.read_numbers)
        assert got == row.bad, bad
    for kind, raw in (("OB", b"\1\2\3\4"), ("FD", b"\0\0\0\1"), ("UT", b"\xff\xfe")):
        assert outcome(reread(row.keyword, raw, kind), row, values.read_numbers) == row.bad, kind


@pytest.mark.parametrize(
    ("keyword", "vr", "raw", "right"),
    [
        ("Rows", "US", b"\0\2", (512.0,)),
        ("Rows", "UL", b"\0\2\0\0", (512.0,)),
        ("PixelPaddingValue", "US", b"\x30\xf8", (63536.0,)),
        ("PixelPaddingValue", "SS", b"\x30\xf8", (-2000.0,)),
        ("SliceThickness", "FD", b"\0\0\0\0\0\0\4\x40", (2.5,)),
        ("PixelSpacing", "LO", b"0.5\\0.5 ", (0.5, 0.5)),
        ("PixelSpacing", "UN", b"0.5\\0.5\0", (0.5, 0.5)),
    ],
)
def test_another_vr_that_holds_the_same_number_is_read(keyword: str, vr: str, raw: bytes, right: Any) -> None:
    assert values.read_numbers(reread(keyword, raw, vr), keyword) == right


MOMENT = "20240506100235"
FORMS = {
    "DA": (values.read_date, {"19640506": "19640506", "1964.05.06": "19640506"},
           ("anonymized", "00000000", "1964-05-06", "20241301", "20240230", "2024", "0")),
    "TM": (values.read_time, {"100210": "100210", "100210.123": "100210", "10:02:10": "100210"},
           ("anonymized", "256199", "10", "1002", "10.02.10", "noon", "10-02-10")),
    "DT": (values.read_datetime, {f"{MOMENT}.5+0100": MOMENT, MOMENT: MOMENT},
           ("anonymized", "20240506", "00000000000000", "2024-05-06T10:02:35", "20240506256199")),
}  # fmt: skip


def rows(expected: Any) -> Any:
    result = list(filter(expected, ATTRIBUTES.values()))
    return pytest.mark.parametrize("row", result, ids=lambda row: row.keyword)


@rows(lambda row: row.vr in FORMS)
def test_dates_and_times(row: Attribute) -> None:
    read, right, wrong = FORMS[row.vr]
    for text, value in right.items():
        assert outcome(reread(row.keyword, text.encode()), row, read) == value
    for text in (*wrong, "\u0662\u0660\u0662\u0664\u0660\u0665\u0660\u0666", "1\\2"):
        assert outcome(reread(row.keyword, text.encode()), row, read) == row.bad == "blank", text
    for raw in (*EMPTY, b"\xff\xfe\xfd\xfc"):
        assert outcome(reread(row.keyword, raw), row, read) == "blank"


@pytest.mark.filterwarnings("ignore:Unknown encoding")
@rows(lambda row: row.vr in ("UI", "CS", "LO", "SH", "PN") and not row.terms)
def test_texts(row: Attribute) -> None:
    for raw in EMPTY:
        assert outcome(reread(row.keyword, raw), row, values.read_text) == "blank"
    for raw, text in ((b"1.2.3\0", "1.2.3"), (b" word ", "word"), (b"A\\B ", "A B"), (b"x" * 500, "x" * 500)):
        assert outcome(reread(row.keyword, raw), row, values.read_text) == text
    for raw in (b"\xff\xfe\xfd\xfc", b"\x1b$B\x1b(B", bytes(range(1, 33))):
        assert isinstance(outcome(reread(row.keyword, raw), row, values.read_text), str)


@rows(lambda row: row.terms)
def test_terms(row: Attribute) -> None:
    for term in row.terms:
        assert outcome(reread(row.keyword, term.encode()), row, values.read_text) == term
    for bad in ("Female", "anonymized", "RGB", "m", "\\".join([row.terms[0]] * 2), "\xff"):
        assert outcome(reread(row.keyword, bad.encode("latin-1")), row, values.read_text) == row.bad
    for raw in EMPTY:
        assert outcome(reread(row.keyword, raw), row, values.read_text) == row.absent


WRITTEN_BY_US = (
    "provenance.py",
    "write_seg.py",
    "write_sr.py",
    "write_rtstruct.py",
    "write_pdf.py",
    "deidentify.py",
    "codes.py",
)
"""They read and set attributes of our own objects."""
ALLOWED = {"PixelData", "TransferSyntaxUID", "MediaStorageSOPClassUID", "SegmentSequence", *SEQUENCES,
           "ReferencedSeriesSequence", "ReferencedInstanceSequence"}  # fmt: skip


def test_no_attribute_is_read_past_the_table() -> None:
    files = [
        *(LIDIA / "dicom").glob("*.py"),
        *(LIDIA / "phase_id").glob("*.py"),
        *(LIDIA / "registration").glob("*.py"),
        LIDIA / "inference/dicom_results.py",
        *(LIDIA / "prepare").rglob("*.py"),
    ]
    bare, unknown = [], []
    for path in (path for path in files if path.name not in WRITTEN_BY_US):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ""
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                name = node.attr
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                is_get = node.func.attr in ("get", "__getitem__")
                name = first.value if is_get and isinstance(first, ast.Constant) else ""
            if name and name in keyword_dict and name not in ALLOWED:
                bare.append(f"{path.name}:{node.lineno} {name}")
            called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            reads = called.startswith(("read_", "require_"))
            text = [a.value for a in node.args if isinstance(a, ast.Constant)] if reads else []
            unknown += [word for word in text if word and word in keyword_dict and word not in ATTRIBUTES]
    assert not bare and not unknown


@pytest.mark.parametrize(
    ("keyword", "raw", "reported"),
    [
        ("PixelSpacing", b"0,7\\0,7 ", "0,7\\\\0,7"),
        ("ImagePositionPatient", b"", "empty"),
        ("ImagePositionPatient", None, "missing"),
        ("ImageOrientationPatient", b"1\\1\\0\\0\\1\\0 ", "right angles"),
        ("RescaleSlope", b"0 ", "'0'"),
        ("RescaleIntercept", b"nan ", "nan"),
        ("BitsStored", b"abc ", "abc"),
        ("PhotometricInterpretation", b"RGB ", "RGB"),
        ("RescaleType", b"Z_EFF ", "Z_EFF"),
    ],
)
def test_one_bad_value_refuses_its_series_alone(
    tmp_path: Path, keyword: str, raw: Any, reported: str
) -> None:
    spoil(study(tmp_path) / "1.2.3.3_003.dcm", keyword, raw, vr="DS")
    choice = chosen(tmp_path)
    assert numbers(choice) == {"nc": "2", "venous": "4", "delayed": "5"}
    [row] = [row for row in choice.rows if row["number"] == "3"]
    [warning] = [warning for warning in choice.warnings if "arterial" in warning]
    for sentence in (row["why"], warning):
        assert keyword in sentence and reported in sentence and "1.2.3.3_003.dcm" in sentence


def test_a_bad_value_loses_no_other_patient_of_an_archive(tmp_path: Path) -> None:
    read, write = tmp_path / "in", tmp_path / "out"
    add(read / "a", 4, "ven")
    add(read / "b", 5, "ven", PatientID="P2", study="1.7")
    spoil(read / "b/1.2.3.5_003.dcm", "PixelSpacing", b"0,7\\0,7 ")
    add(read / "c", 6, "ven", PatientID="P3", study="1.8")
    for keyword in ("AcquisitionTime", "StudyDate", "AcquisitionDate", "PatientSex", "SeriesNumber"):
        spoil_all(read / "c", keyword, b"anonymized")
    with pytest.raises(CaseError) as caught:
        prepare(source="dicom", input_dir=read, dataset_dir=write)
    assert [fault.case for fault in caught.value.members or [caught.value]] == ["P2"]
    assert "0,7" in str(caught.value) and "1.2.3.5_003.dcm" in str(caught.value)
    assert (write / "phases/P1/venous.nii.gz").is_file() and (write / "phases/P3/venous.nii.gz").is_file()


def test_slices_that_share_one_instance_uid_are_all_there(tmp_path: Path) -> None:
    add(tmp_path, 4, "ven", SOPInstanceUID="1.2.3.4")
    [result] = find_studies(tmp_path)
    assert [series.slices for series in result.series] == [24] and not result.series[0].refused


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "SOPClassUID", "StudyInstanceUID",
                                     "SeriesInstanceUID", "SOPInstanceUID", "PatientID"])  # fmt: skip
@pytest.mark.parametrize("raw", [None, b"", b"anonymized"], ids=["missing", "empty", "placeholder"])
def test_identifiers_are_not_needed_for_the_volume(tmp_path: Path, keyword: str, raw: Any) -> None:
    spoil_all(add(tmp_path, 4, "ven"), keyword, raw)
    assert numbers(chosen(tmp_path)) == {"venous": "4"}
