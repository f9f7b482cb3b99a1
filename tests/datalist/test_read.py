from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ct_files import write_ct

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import load_datalist, read_sections
from scripts.lidia.datalist.read_item import complete_item, make_case_name
from scripts.lidia.datalist.write_datalist import write_datalist


def written(folder: Path, content: Any) -> Path:
    path = folder / "dataset.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ct(tmp_path / "set" / "P1" / "v.nii.gz")
    item = {"id": "P1", "phases": {"delayed": None, "venous": "P1/v.nii.gz"}, "malignant": {"3": True}}
    written(tmp_path / "set", {"test": [item], "description": "x", "references": ["a/b: c"]})
    monkeypatch.chdir("/")
    (got,) = load_datalist(tmp_path / "set", "test")
    assert got["phases"] == {"venous": str(tmp_path / "set/P1/v.nii.gz")}
    assert got["id"] == "P1" and got["malignant"] == {"3": True}


def test_phases_are_in_temporal_order() -> None:
    item = complete_item({"phases": {"delayed": "d.nii", "nc": "n.nii", "venous": "v.1.nii"}}, "/x")
    assert list(item["phases"]) == ["nc", "venous", "delayed"] and item["id"] == "v.1"


def test_monai_label_items_find_their_siblings(tmp_path: Path) -> None:
    image, _ = write_ct(tmp_path / "P1.nii.gz")
    arterial, _ = write_ct(tmp_path / "phases" / "P1" / "arterial.nii.gz")
    item = complete_item({"image": [image], "label": "l.nii.gz"}, tmp_path)
    assert item["phases"] == {"arterial": arterial, "venous": image}
    assert item["label"] == str(tmp_path / "l.nii.gz") and "image" not in item


def test_an_image_that_is_another_phase_is_not_the_venous_one() -> None:
    phases = {"delayed": "/data/a.nii.gz", "nc": "/data/b.nii.gz"}
    item = complete_item({"image": "/data/a.nii.gz", "phases": phases}, Path("/data"))
    assert item["phases"] == {"nc": "/data/b.nii.gz", "delayed": "/data/a.nii.gz"}


def test_lone_patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ct(tmp_path / "A.1.nii.gz")
    monkeypatch.chdir(tmp_path)
    (item,) = load_datalist(venous="A.1.nii.gz")
    assert item == {"id": "A.1", "phases": {"venous": str(tmp_path / "A.1.nii.gz")}}
    (item,) = load_datalist(venous="A.1.nii.gz", case_id="Q", liver="A.1.nii.gz")
    assert item["id"] == "Q" and item["liver"] == str(tmp_path / "A.1.nii.gz")


def test_phases_can_be_left_out_as_if_not_scanned(tmp_path: Path) -> None:
    items = [
        {"id": "P1", "phases": {"nc": "n1.nii.gz", "venous": "v1.nii.gz"}, "label": "l1.nii.gz"},
        {"id": "P2", "phases": {"venous": "v2.nii.gz"}},
    ]
    written(tmp_path, {"test": items})
    (got,) = load_datalist(tmp_path, "test", only=["nc", "delayed"], check=False)
    assert got["id"] == "P1" and got["label"] == str(tmp_path / "l1.nii.gz")
    assert got["phases"] == {"nc": str(tmp_path / "n1.nii.gz")}
    assert len(load_datalist(tmp_path, "test", only=["venous"], check=False)) == 2
    for only, code in ((["delayed"], "no_phase"), (["portal"], "unknown_phase"), ("nc", "unknown_phase")):
        with pytest.raises(CaseError) as caught:
            load_datalist(tmp_path, "test", only=only, check=False)
        assert caught.value.code == code


def test_patients_can_be_limited_before_phases_are_chosen(tmp_path: Path) -> None:
    complete = {phase: f"{phase}.nii.gz" for phase in ("nc", "arterial", "venous", "delayed")}
    items = [
        {
            "id": f"P{n}",
            "phases": {phase: f"{n}{file}" for phase, file in complete.items() if n != 1 or phase != "nc"},
        }
        for n in range(5)
    ]
    written(tmp_path, {"test": items})

    def ids(**chosen: object) -> list[str]:
        return [item["id"] for item in load_datalist(tmp_path, "test", check=False, **chosen)]

    assert ids(patients=2) == ["P0", "P1"]
    assert ids(patients=2, only=["nc"]) == ["P0"]
    for subset in (["nc"], ["venous", "delayed"]):
        assert ids(patients=3, complete_only=True, only=subset) == ["P0", "P2", "P3"]
    assert len(ids(patients=9)) == 5
    for bad in (0, 1.5, "3", True):
        with pytest.raises(CaseError) as caught:
            ids(patients=bad)
        assert caught.value.code == "bad_count"


def test_missing_files_are_named_all_at_once(tmp_path: Path) -> None:
    items = [{"id": f"P{n}", "phases": {"venous": f"{n}.nii.gz"}, "label": f"l{n}.nii.gz"} for n in (1, 2)]
    written(tmp_path, {"test": items})
    with pytest.raises(CaseError) as caught:
        load_datalist(tmp_path, "test")
    assert [f.code for f in caught.value.members] == ["missing"] * 4
    assert all(name in str(caught.value) for name in ("1.nii.gz", "2.nii.gz", "l1.nii.gz", "l2.nii.gz"))
    assert len(load_datalist(tmp_path, "test", check=False)) == 2


TWICE = [
    {"test": [{"id": "p", "phases": {"nc": "a.nii"}}, {"id": "P", "phases": {"nc": "b.nii"}}]},
    {"test": [{"id": "\u00e4", "phases": {"nc": "a.nii"}}, {"id": "a\u0308", "phases": {"nc": "b.nii"}}]},
    {"test": [{"id": 7, "phases": {"nc": "a.nii"}}, {"id": "7", "phases": {"nc": "b.nii"}}]},
    {"training": [{"id": "P", "phases": {"nc": "a.nii"}}], "test": [{"id": "P", "phases": {"nc": "b.nii"}}]},
    {"training": [{"id": "P", "phases": {"nc": "a.nii"}}], "test": [{"id": "Q", "phases": {"nc": "a.nii"}}]},
    {"test": [{"id": "P", "phases": {"nc": "a.nii", "venous": "a.nii"}}]},
]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('{"test": [}', "bad_json"),
        ([], "bad_datalist"),
        ({"labels": {}}, "bad_datalist"),
        ({"test": [3]}, "bad_datalist"),
        ({"training": []}, "no_case"),
        ({"training": [{"id": "P", "phases": {"nc": "a.nii"}}]}, "no_section"),
        ({"training": [{"id": "P", "phases": {"nc": "a.nii"}}], "test": []}, "no_case"),
        ({"test": [{"id": 1e5, "phases": {"nc": "a.nii"}}]}, "bad_id"),
        ({"test": [{"id": "Errors", "phases": {"nc": "a.nii"}}]}, "bad_id"),
        ({"test": [{"id": "Aux.1", "phases": {"nc": "a.nii"}}]}, "bad_id"),
        ({"test": [{"id": "P", "phases": {"nc": "~nobody-here/a.nii"}}]}, "missing"),
        ({"test": [{"id": "P", "ignore": 3, "phases": {"nc": "a.nii"}}]}, "bad_datalist"),
        ({"test": [{"id": "P", "phases": {"portal": "a.nii"}}]}, "unknown_phase"),
        ({"test": [{"id": "P", "phases": ["a.nii"]}]}, "unknown_phase"),
        ({"test": [{"id": "P", "image": ["a.nii", "b.nii"]}]}, "unknown_phase"),
        ({"test": [{"id": "P", "phases": {}}]}, "no_phase"),
        ({"test": [{"id": "a/b", "phases": {"nc": "a.nii"}}]}, "bad_id"),
        *[(content, "duplicate") for content in TWICE],
    ],
)
def test_faulty_lists(tmp_path: Path, content: Any, code: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(CaseError) as caught:
        load_datalist(tmp_path, "test")
    assert caught.value.code == code and caught.value.file == str(path) and caught.value.remedy


def test_bad_json_names_the_line(tmp_path: Path) -> None:
    written(tmp_path, '{"test": [\n\n}')
    with pytest.raises(CaseError, match="line 3") as caught:
        load_datalist(tmp_path)
    assert caught.value.code == "bad_json"
    with pytest.raises(CaseError) as caught:
        load_datalist(tmp_path, file="other.json")
    assert (caught.value.code, caught.value.file) == ("missing", str(tmp_path / "other.json"))


def test_written_lists_can_be_moved(tmp_path: Path) -> None:
    image, _ = write_ct(tmp_path / "a" / "P1" / "v.nii.gz")
    path = write_datalist(
        tmp_path / "a" / "dataset.json", {"test": [{"id": "P1", "phases": {"venous": image}}]}, seed=3
    )
    assert json.loads(path.read_text())["seed"] == 3
    (tmp_path / "a").rename(tmp_path / "b")
    assert read_sections(tmp_path / "b" / "dataset.json")["test"][0]["phases"]["venous"].startswith(
        str(tmp_path / "b")
    )
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["P1", "dataset.json"]


def test_a_faulty_list_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(CaseError):
        write_datalist(tmp_path / "dataset.json", TWICE[0])
    assert list(tmp_path.iterdir()) == []


def test_names() -> None:
    assert [make_case_name(n) for n in ("a/P1.2.nii.gz", "P.nii", "folder")] == ["P1.2", "P", "folder"]


@pytest.mark.parametrize(
    "entry",
    [
        {"phases": {"nc": True}},
        {"phases": {"venous": ["a.nii.gz"]}},
        {"image": {"venous": "a.nii.gz"}},
        {"image": {}},
        {"image": "a.nii.gz", "label": 3},
        {"phases": {"venous": "a\0b"}},
    ],
)
def test_a_value_that_is_not_a_path_is_named(entry: dict[str, Any]) -> None:
    """Found by reading lists made at random."""
    with pytest.raises(CaseError) as caught:
        complete_item({"id": "P1", **entry}, "/data")
    assert caught.value.code == "bad_datalist" and caught.value.case == "P1"


def test_what_begins_with_a_sign_of_monai_is_text(tmp_path: Path) -> None:
    """Ids and paths of a list are never evaluated, resolved or expanded as variables."""
    marker = tmp_path / "marker"
    names = [f"$open('{marker.name}', 'w')", "@device", "%device", "$HOME", "a#b"]
    items = [{"id": name, "phases": {"nc": f"{name}.nii"}} for name in names]
    written(tmp_path, {"test": items})
    result = load_datalist(tmp_path, "test", check=False)
    assert [item["id"] for item in result] == names
    assert [item["phases"]["nc"] for item in result] == [str(tmp_path / f"{name}.nii") for name in names]


def test_byte_order_marks(tmp_path: Path) -> None:
    text = json.dumps({"test": [{"id": "P", "phases": {"nc": "a.nii"}}]})
    (tmp_path / "dataset.json").write_text(text, encoding="utf-8-sig")
    assert [item["id"] for item in load_datalist(tmp_path, "test", check=False)] == ["P"]
    for encoding in ("utf-16", "utf-16-le"):
        (tmp_path / "dataset.json").write_text(text, encoding=encoding)
        with pytest.raises(CaseError, match="UTF-16") as caught:
            load_datalist(tmp_path, "test")
        assert (caught.value.code, caught.value.file) == ("bad_json", str(tmp_path / "dataset.json"))
