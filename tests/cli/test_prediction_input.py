"""What `lidia predict` finds in files and folders, and what it refuses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from dicom_files import write_series

from scripts.lidia.cli.command_error import CommandError
from scripts.lidia.cli.job_input import read_dataset
from scripts.lidia.cli.prediction_input import read_prediction_input


def touch(folder: Path, *names: str) -> list[Path]:
    """Makes files without content; only names are read."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return [folder / name for name in names]


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("P1_art.nii.gz", "arterial"),
        ("native.nii", "nc"),
        ("portal venous/P1.nii.gz", "delayed"),
        ("P1_5min.nii", "delayed"),
    ],
)
def test_the_phase_of_a_file_is_in_its_own_name(tmp_path: Path, name: str, phase: str) -> None:
    (file,) = touch(tmp_path, name)
    found = read_prediction_input([str(file)], tmp_path / "out")
    if name.startswith("portal"):  # a folder's name counts only below a folder that is given
        assert found.options == {"venous": str(file)} and "venous phase is assumed" in found.warnings[0]
    else:
        assert found.options == {phase: str(file)} and not found.warnings


def test_several_files_are_the_phases_of_one_patient(tmp_path: Path) -> None:
    files = touch(tmp_path, "P1_venous.nii.gz", "P1_nc.nii.gz", "P1_late_arterial.nii.gz")
    found = read_prediction_input([str(file) for file in files], tmp_path / "out")
    assert found.options == {"nc": str(files[1]), "arterial": str(files[2]), "venous": str(files[0])}


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["a_venous.nii", "b_pv.nii"], ["a_venous.nii", "b_pv.nii", "venous"]),
        (["a_venous.nii", "b.nii"], ["b.nii", "--arterial"]),
        (["a_venous.nii", "notes.txt"], ["notes.txt"]),
    ],
)
def test_files_that_are_not_one_patient_are_named(tmp_path: Path, names: list[str], parts: list[str]) -> None:
    files = touch(tmp_path, *names)
    with pytest.raises(CommandError) as caught:
        read_prediction_input([str(file) for file in files], tmp_path / "out")
    assert all(part in str(caught.value) for part in parts)


def test_a_folder_of_one_patient_gives_its_name_to_the_results(tmp_path: Path) -> None:
    folder = tmp_path / "P7"
    touch(folder, "arterial.nii.gz", "venous.nii.gz", "liver.nii.gz", "notes.txt")
    found = read_prediction_input([str(folder)], tmp_path / "out")
    assert found.options == {
        "case_id": "P7",
        "arterial": str(folder / "arterial.nii.gz"),
        "venous": str(folder / "venous.nii.gz"),
    }
    assert len(found.warnings) == 1 and "liver.nii.gz" in found.warnings[0]


def test_a_folder_of_several_patients_becomes_a_datalist(tmp_path: Path) -> None:
    folder, out = tmp_path / "cohort", tmp_path / "out"
    touch(
        folder, "P1/venous.nii.gz", "P1/nc.nii.gz", "delayed/P2.nii.gz", "P2_portal_venous.nii.gz", "P3.nii"
    )
    found = read_prediction_input([str(folder)], out)
    assert found.options == {"dataset_dir": str(out), "datalist": str(out / "dataset.json")}
    items = json.loads((out / "dataset.json").read_text(encoding="utf-8"))["test"]
    assert {
        item["id"]: {p: Path(f).relative_to(folder).as_posix() for p, f in item["phases"].items()}
        for item in items
    } == {
        "P1": {"nc": "P1/nc.nii.gz", "venous": "P1/venous.nii.gz"},
        "P2": {"venous": "P2_portal_venous.nii.gz", "delayed": "delayed/P2.nii.gz"},
        "P3": {"venous": "P3.nii"},
    }
    assert len(found.warnings) == 1 and "P3.nii" in found.warnings[0]
    assert all(name in found.message for name in ("P1", "P2", "P3"))


def test_two_files_of_a_phase_in_a_folder_are_an_error(tmp_path: Path) -> None:
    touch(tmp_path / "c", "P1/venous.nii.gz", "P1/portal.nii.gz", "P2/venous.nii.gz")
    with pytest.raises(CommandError, match="both the venous phase") as caught:
        read_prediction_input([str(tmp_path / "c")], tmp_path / "out")
    assert "P1/portal.nii.gz" in str(caught.value) and "P1/venous.nii.gz" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_dicom_is_found_in_folders_archives_and_single_files(tmp_path: Path) -> None:
    import numpy as np

    study = write_series(
        tmp_path / "study/deep", np.zeros((4, 4, 3), dtype=np.float32), np.diag([-1, -1, 1, 1])
    )
    touch(tmp_path / "study", "scan.nii.gz", "readme.txt")
    folder = read_prediction_input([str(tmp_path / "study")], tmp_path / "out")
    assert folder.options == {"dicom_dir": str(tmp_path / "study")}
    assert "1 NIfTI" in folder.message
    slice_ = sorted(study.iterdir())[0]
    assert read_prediction_input([str(slice_)], tmp_path).options == {"dicom_dir": str(slice_)}
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(slice_, "a.dcm")
    assert read_prediction_input([str(tmp_path / "packed.zip")], tmp_path).options == {
        "dicom_dir": str(tmp_path / "packed.zip")
    }


def test_a_datalist_is_found_as_a_file_and_in_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "v.nii.gz")
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"test": [{"id": "P1", "phases": {"venous": "v.nii.gz"}}], "training": []}))
    found = read_prediction_input([str(path)], tmp_path / "out")
    assert found.options == {"dataset_dir": str(tmp_path), "datalist": str(path)}
    assert "test 1, training 0" in found.message
    assert read_dataset([str(path)], tmp_path).options == found.options
    path.rename(tmp_path / "dataset.json")
    assert read_prediction_input([str(tmp_path)], tmp_path / "out").options == {"dataset_dir": str(tmp_path)}


@pytest.mark.parametrize(
    ("name", "content"), [("notes.txt", b"hello"), ("photo.png", b"\x89PNG"), ("empty", b"")], ids=str
)
def test_other_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).write_bytes(content)
    for path in (tmp_path / "folder" / name, tmp_path / "folder"):
        with pytest.raises(CommandError, match="is not a DICOM study") as caught:
            read_prediction_input([str(path)], tmp_path / "out")
        assert str(path) in str(caught.value)


def test_a_missing_path_names_the_nearest(tmp_path: Path) -> None:
    touch(tmp_path, "patient_1/venous.nii.gz")
    with pytest.raises(CommandError, match="did you mean .*patient_1"):
        read_prediction_input([str(tmp_path / "patent_1/venous.nii.gz")], tmp_path)
    (tmp_path / "dead.nii.gz").symlink_to(tmp_path / "gone.nii.gz")
    with pytest.raises(CommandError, match=r"dead.nii.gz is a link to .*gone.nii.gz"):
        read_prediction_input([str(tmp_path / "dead.nii.gz")], tmp_path)
