"""From a datalist to nnU-Net's raw folder: what is written, what a rerun does, what is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
from ct_files import affine_of, save, write_label
from prepare.raw_folders import NAME, export, fault_of, names, voxels
from training.toys import write_patient

from scripts.lidia.atomic import HOST, MARK
from scripts.lidia.prepare.prepare_data import prepare
from scripts.lidia.vocabulary import CLASSES, PHASES


def test_layout_of_the_raw_folder(raw: Path) -> None:
    training = [f"toy_{n:02d}" for n in range(5)]
    assert names(raw / "labelsTr") == [f"{case}.nii.gz" for case in training]
    assert names(raw / "imagesTr") == [f"{case}_{n:04d}.nii.gz" for case in training for n in range(4)]
    assert names(raw / "imagesTs") == [f"toy_{n:02d}_{c:04d}.nii.gz" for n in (5, 6) for c in range(4)]
    about = json.loads((raw / "dataset.json").read_text())
    assert about["numTraining"] == 5 and about["file_ending"] == ".nii.gz"
    assert list(about["labels"]) == list(CLASSES) and list(about["labels"].values()) == list(range(10))
    # air among the HU of the lesions would spoil the scale of the channel that some cases lack
    assert about["channel_names"] == {"0": "CT", "1": "CT", "2": "CT", "3": "delayed"}
    assert json.loads((raw / "splits_final.json").read_text()) == [
        {"train": ["toy_00", "toy_01", "toy_02"], "val": ["toy_03", "toy_04"]}
    ]


def test_an_absent_phase_is_air_and_all_channels_share_a_grid(toys: Path, raw: Path) -> None:
    assert set(np.unique(voxels(raw / "imagesTr/toy_01_0003.nii.gz"))) == {-1024}
    for channel in range(4):
        image = nib.load(raw / f"imagesTr/toy_00_{channel:04d}.nii.gz")
        present = nib.load(toys / f"0_{PHASES[channel]}.nii.gz")
        assert np.array_equal(image.affine, present.affine) and image.get_data_dtype() == np.int16
        assert np.array_equal(np.asarray(image.dataobj), np.asarray(present.dataobj))


def test_phases_come_onto_the_venous_grid_by_their_place_in_space(tmp_path: Path) -> None:
    """HU that rise linearly in space do so on any grid: turned, flipped, of other spacing and extent."""
    slope = np.array([1.5, -0.8, 2.0])

    def ramp(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"))
        place = np.einsum("ij,jxyz->ixyz", affine[:3, :3], index) + affine[:3, 3, None, None, None]
        return (np.einsum("i,ixyz->xyz", slope, place) - 100).astype(np.float32)

    venous, other = (40, 40, 30), (70, 60, 60)
    grids = {
        "venous": (affine_of((3.0, 3.0, 4.0), venous, flips=(-1, -1, 1)), venous),
        "arterial": (affine_of((2.5, 3.2, 1.5), other, turn=0.2), other),
    }
    phases = {p: save(tmp_path / f"{p}.nii.gz", ramp(*grid), grid[0]) for p, grid in grids.items()}
    label = write_label(tmp_path / "label.nii.gz", *grids["venous"])
    item = {"id": "P1", "phases": phases, "label": label}
    (tmp_path / "dataset.json").write_text(json.dumps({"training": [item]}))
    folder = export(tmp_path, tmp_path / "raw", phases=["arterial", "venous"])
    arterial, present = (voxels(folder / f"imagesTr/P1_000{n}.nii.gz").astype(float) for n in (0, 1))
    inside = arterial > -1024
    assert 0.5 < inside.mean() < 1.0, "the arterial volume is 90 mm high, the venous one 120 mm"
    deep = np.zeros_like(inside)
    deep[6:-6, 6:-6, 7:-7] = True  # smoothing bends the ramp at the edge of the volume
    assert inside[deep].all()
    assert np.abs(arterial - present)[deep].max() <= 1.01
    assert not (folder / "splits_final.json").exists(), "nobody asked for validation"


def test_chosen_phases_and_complete_cases(toys: Path, tmp_path: Path) -> None:
    folder = export(toys, tmp_path / "a", complete=True)
    assert names(folder / "labelsTr") == ["toy_00.nii.gz", "toy_02.nii.gz", "toy_03.nii.gz"]
    assert len(names(folder / "labelsTs")) == 2, "test cases stay"
    about = json.loads((folder / "dataset.json").read_text())
    assert set(about["channel_names"].values()) == {"CT"} and about["numTraining"] == 3
    folder = export(toys, tmp_path / "b", phases=["venous", "nc", "arterial"], complete=True, ct=False)
    about = json.loads((folder / "dataset.json").read_text())
    assert about["channel_names"] == {"0": "nc", "1": "arterial", "2": "venous"} and about["numTraining"] == 5
    assert len(names(folder / "imagesTr")) == 15


def test_a_rerun_does_what_is_missing_and_stale(toys: Path, tmp_path: Path) -> None:
    folder = export(toys, tmp_path)
    removed, remaining = folder / "imagesTr/toy_02_0001.nii.gz", folder / "imagesTr/toy_00_0001.nii.gz"
    content, stamp = removed.read_bytes(), remaining.stat().st_mtime_ns
    removed.unlink()
    (folder / f"imagesTr/{MARK}0@{HOST}-toy_02_0002.nii.gz").write_bytes(b"half")
    (folder / "dataset.json").unlink()
    export(toys, tmp_path)
    assert voxels(removed).shape and len(content) == removed.stat().st_size
    assert remaining.stat().st_mtime_ns == stamp
    assert (folder / "dataset.json").is_file() and not list(folder.rglob(".*"))
    os.utime(remaining, (0, 0))
    export(toys, tmp_path)
    assert remaining.stat().st_mtime_ns >= stamp


def test_the_good_cases_are_done_and_the_bad_one_named(tmp_path: Path) -> None:
    items = [write_patient(tmp_path / "in", number) for number in (0, 2)]
    cut = tmp_path / "in/0_arterial.nii.gz"
    data = cut.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    (tmp_path / "in/dataset.json").write_text(json.dumps({"training": items}))
    out = tmp_path / NAME
    fault = fault_of(source="to_nnunet", input_dir=tmp_path / "in", dataset_dir=out)
    assert (fault.code, fault.case, fault.file) == ("truncated", "toy_00", str(cut))
    assert names(out / "labelsTr") == ["toy_02.nii.gz"] and not (out / "dataset.json").exists()
    assert [entry["case"] for entry in json.loads((out / "errors.json").read_text())] == ["toy_00"]
    cut.write_bytes(data)
    prepare(source="to_nnunet", input_dir=tmp_path / "in", dataset_dir=out)
    assert len(names(out / "labelsTr")) == 2 and (out / "dataset.json").is_file()
    assert json.loads((out / "errors.json").read_text()) == []


def test_folders_are_not_mixed(toys: Path, tmp_path: Path) -> None:
    folder = export(toys, tmp_path)
    options = {"source": "to_nnunet", "input_dir": toys}
    other = fault_of(**options, dataset_dir=folder, phases=["venous"])
    assert other.code == "other_settings" and "phases" in other.problem
    shutil.copy(folder / "labelsTr/toy_00.nii.gz", folder / "labelsTr/stranger.nii.gz")
    assert fault_of(**options, dataset_dir=folder).code == "other_cases"
    assert fault_of(**options, dataset_dir=tmp_path / "LIDIA").code == "bad_id"
    assert fault_of(**options, dataset_dir=tmp_path / NAME, phases=["portal"]).code == "unknown_phase"
