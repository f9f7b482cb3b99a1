"""Registration of phases: its error on phantoms of known breathing, and detected failures."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from experiments.study.breathing_truth import redraw_displacements
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.phantom.write_cohort import write_cohort
from scripts.lidia.registration import register_case, select_transform
from scripts.lidia.registration.lattice import make_lattice
from scripts.lidia.registration.liver_roi import estimate_liver
from scripts.lidia.registration.quality import compute_folded_fraction, compute_local_correlation
from scripts.lidia.registration.register_case import register_phases

SEED, SPACING = 5, (4.0, 4.0, 4.0)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A coarse phantom patient with raw breathing: venous, and the delayed phase 14 mm away at most."""
    folder = tmp_path_factory.mktemp("raw")
    write_cohort(dataset_dir=folder, cases=1, seed=SEED, breathing="raw", spacing=SPACING)
    item = json.loads((folder / "dataset.json").read_text())["test"][0]
    phases = {phase: str(folder / item["phases"][phase]) for phase in ("venous", "delayed")}
    return {"id": item["id"], "phases": phases, "true_liver": str(folder / item["liver"])}


@pytest.fixture(scope="module")
def registered_patient(patient: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The patient, registered once for all tests."""
    return register_phases(patient, folder=tmp_path_factory.mktemp("registered"), method="greedy")


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*.nii.gz"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def errors_of(patient: dict[str, Any], phase: str, field: Path) -> tuple[float, float]:
    """Mean error (mm) in the liver, before and after: true and estimated displacements."""
    liver = nib.load(patient["true_liver"])
    index = np.argwhere(np.asarray(liver.dataobj) > 0).T
    places = liver.affine[:3, :3] @ index + liver.affine[:3, 3:]
    true = redraw_displacements(SEED, 0, spacing=SPACING)[phase].locate(places)
    result = nib.load(field)
    at = np.linalg.inv(result.affine)
    at = at[:3, :3] @ places + at[:3, 3:]
    parts = np.asarray(result.dataobj)[:, :, :, 0]
    displaced = places + [map_coordinates(parts[..., axis], at, order=1) for axis in range(3)]
    return float(np.linalg.norm(places - true, axis=0).mean()), float(
        np.linalg.norm(displaced - true, axis=0).mean()
    )


def test_registration_reverses_breathing(patient: dict[str, Any], registered_patient: dict[str, Any]) -> None:
    path = Path(registered_patient["phases"]["delayed"])
    before, after = errors_of(patient, "delayed", path.with_name("delayed_field.nii.gz"))
    assert before > 5
    assert after < 1.5
    quality = registered_patient["notes"]["registration"]["delayed"]
    assert (
        quality["accepted"] and quality["method"] == "greedy" and not registered_patient["notes"]["warnings"]
    )
    assert quality["quality_after"] > quality["quality_before"] + 0.05


@pytest.mark.slow
def test_convexadam_reverses_breathing(patient: dict[str, Any], tmp_path: Path) -> None:
    registered_patient = register_phases(patient, folder=tmp_path, method="convexadam")
    quality = registered_patient["notes"]["registration"]["delayed"]
    assert quality["accepted"] and quality["method"] == "convexadam"
    before, after = errors_of(patient, "delayed", tmp_path / patient["id"] / "delayed_field.nii.gz")
    assert before > 5
    assert after < 2


def test_a_registered_phase_has_the_venous_grid_and_venous_is_unchanged(
    patient: dict[str, Any], registered_patient: dict[str, Any]
) -> None:
    assert registered_patient["phases"]["venous"] == patient["phases"]["venous"]
    grid, phase = (nib.load(registered_patient["phases"][name]) for name in ("venous", "delayed"))
    assert phase.shape == grid.shape and phase.get_data_dtype() == np.int16
    np.testing.assert_allclose(phase.affine, grid.affine, atol=1e-5)


def test_the_same_pair_is_not_registered_twice(
    patient: dict[str, Any], registered_patient: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    folder = Path(registered_patient["phases"]["delayed"]).parents[1]
    assert register_phases(patient, folder=folder, method="greedy") == registered_patient
    for file in folder.rglob("*.json"):  # a record of an earlier release
        file.write_text(file.read_text().replace('"message"', '"said"'))
    assert register_phases(patient, folder=folder, method="greedy") == registered_patient


def test_the_same_pair_gives_the_same_bytes(
    patient: dict[str, Any], registered_patient: dict[str, Any], tmp_path: Path
) -> None:
    register_phases(patient, folder=tmp_path, method="greedy")
    assert digest(tmp_path) == digest(Path(registered_patient["phases"]["delayed"]).parent)


def with_moving(
    patient: dict[str, Any], folder: Path, voxels: np.ndarray, affine: np.ndarray
) -> dict[str, Any]:
    path = folder / "moving.nii.gz"
    nib.save(nib.Nifti1Image(voxels.astype(np.int16), affine), path)
    return {**patient, "phases": {**patient["phases"], "delayed": str(path)}}


def test_a_phase_of_noise_is_not_registered(patient: dict[str, Any], tmp_path: Path) -> None:
    image = nib.load(patient["phases"]["delayed"])
    noise = np.random.default_rng(0).normal(-100, 300, image.shape)
    item = with_moving(patient, tmp_path, noise, image.affine)
    result = register_phases(item, folder=tmp_path / "out", method="greedy")
    quality = result["notes"]["registration"]["delayed"]
    assert not quality["accepted"] and quality["method"] == "none"
    assert result["phases"] == item["phases"]
    assert "delayed" in result["notes"]["warnings"][0]


def test_a_phase_of_another_region_is_not_registered(patient: dict[str, Any], tmp_path: Path) -> None:
    image = nib.load(patient["phases"]["delayed"])
    away = image.affine.copy()
    away[2, 3] += 400
    item = with_moving(patient, tmp_path, np.asarray(image.dataobj), away)
    result = register_phases(item, folder=tmp_path / "out", method="greedy")
    quality = result["notes"]["registration"]["delayed"]
    assert not quality["accepted"] and "shows 0%" in quality["message"]
    assert result["phases"] == item["phases"]


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Another script in the place of run_greedy.py."""
    (folder / "run_greedy.py").write_text(code)
    monkeypatch.setattr(select_transform, "__file__", str(folder / "select_transform.py"))


def test_a_hanging_method_is_stopped_at_the_time_limit(
    patient: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift = np.eye(4)
    shift[:3, 3] = 500
    code = f"import sys, time, numpy as np\nnp.save(sys.argv[1] + '/rigid.npy', np.array({shift.tolist()}))\n"
    stand_in(tmp_path, monkeypatch, code + "time.sleep(60)\n")
    start = time.monotonic()
    result = register_phases(patient, folder=tmp_path / "out", method="greedy", limit_s=2)
    assert time.monotonic() - start < 30
    quality = result["notes"]["registration"]["delayed"]
    assert not quality["accepted"] and "stopped after 2 s" in quality["message"]
    assert quality["method"] == "none", "half a metre is no breath"
    assert not list((tmp_path / "out").rglob("*.json")), "with more time it may work"


def test_a_crashed_method_is_reported_with_its_exit(
    patient: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    result = register_phases(patient, folder=tmp_path / "out", method="greedy")
    quality = result["notes"]["registration"]["delayed"]
    assert not quality["accepted"] and f"status {-signal.SIGSEGV}" in quality["message"]


def test_a_folding_or_invalid_field_is_rejected(
    patient: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys, numpy as np\n"
        "shape = np.load(sys.argv[1] + '/task.npz')['fixed'].shape\n"
        "field = np.random.default_rng(0).normal(0, {size}, (3, *shape)).astype('f4')\n"
        "field[0, 3:] *= {factor}\n"
        "np.save(sys.argv[1] + '/field.npy', field)\n"
    )
    cases = {"folds": (6.0, 1.0), "not finite": (1.0, "np.nan"), "reaches": (1.0, 100.0)}
    for word, (size, factor) in cases.items():
        stand_in(tmp_path, monkeypatch, code.format(size=size, factor=factor))
        result = register_phases(patient, folder=tmp_path / word, method="greedy")
        quality = result["notes"]["registration"]["delayed"]
        assert quality["method"] == "none" and word in quality["message"], quality


def test_a_missing_package_is_named(patient: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(select_transform.PACKAGES, "greedy", ("no_such_package", "picsl-greedy"))
    with pytest.raises(CaseError) as caught:
        register_phases(patient, folder="nowhere", method="greedy")
    assert caught.value.code == "no_method" and caught.value.remedy == "pip install picsl-greedy"
    with pytest.raises(CaseError) as caught:
        register_phases(patient, folder="nowhere", method="elastix")
    assert caught.value.code == "unknown_method" and "'elastix'" in caught.value.problem


def test_a_kill_leaves_no_half_file(
    patient: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def result(target: select_transform.Target, *_: Any, **__: Any) -> select_transform.Alignment:
        field = np.zeros((3, *target.lattice.shape), np.float32)
        return select_transform.Alignment("greedy", field, 0.1, 0.2, "")

    def killed(beside: Path, path: Path) -> None:
        assert beside.parent == path.parent and beside.name.startswith(".")
        raise KeyboardInterrupt

    monkeypatch.setattr(register_case, "align_pair", result)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "replace", killed)
        register_phases(patient, folder=tmp_path, method="greedy")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    register_phases(patient, folder=tmp_path, method="greedy")
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"delayed.nii.gz", "delayed_field.nii.gz", "delayed.json"}


def test_the_liver_is_located_in_every_phase(patient: dict[str, Any]) -> None:
    truth = np.asarray(nib.load(patient["true_liver"]).dataobj) > 0
    guesses = {}
    for phase in ("venous", "delayed"):
        hu = np.asarray(nib.load(patient["phases"][phase]).dataobj, dtype=np.float32)
        guesses[phase] = estimate_liver(hu, 4.0)
        assert guesses[phase] is not None
        assert 0.6 < guesses[phase].sum() / truth.sum() < 1.5, phase
    overlap = 2 * (guesses["venous"] & truth).sum() / (guesses["venous"].sum() + truth.sum())
    assert overlap > 0.7
    assert estimate_liver(np.full((40, 40, 40), -1000, np.float32), 4.0) is None


def test_similarity_ignores_contrast_and_is_low_for_noise() -> None:
    draw = np.random.default_rng(0)
    image = draw.normal(0, 50, (30, 30, 30)).astype(np.float32)
    where = np.ones(image.shape, bool)
    assert compute_local_correlation(image, image * -0.5 + 100, where) == pytest.approx(1, abs=1e-3)
    assert compute_local_correlation(image, draw.normal(0, 50, image.shape).astype(np.float32), where) < 0.02
    assert compute_local_correlation(image, image, np.zeros_like(where)) == 0


def test_folding_is_measured() -> None:
    x = np.arange(20, dtype=np.float32)
    field = np.zeros((3, 20, 20, 20), np.float32)
    where = np.ones((20, 20, 20), bool)
    assert compute_folded_fraction(field, 2.0, where) == 0
    field[1] = (-3.0 * x)[None, :, None]  # y becomes -y/2 at 2 mm a voxel
    assert compute_folded_fraction(field, 2.0, where) == 1


def test_a_lattice_covers_a_turned_volume() -> None:
    cos, sin = np.cos(0.4), np.sin(0.4)
    affine = np.array([[-2 * cos, 2 * sin, 0, 90], [2 * sin, 2 * cos, 0, 10], [0, 0, 3, -50], [0, 0, 0, 1.0]])
    lattice = make_lattice(Volume(np.zeros((30, 40, 20), np.float32), affine), 3.0)
    ends = np.array(np.meshgrid((0, 29), (0, 39), (0, 19))).reshape(3, -1)
    corners = affine[:3, :3] @ ends + affine[:3, 3:]
    low = lattice.affine[:3, 3]
    assert (corners.min(1) >= low - 1e-6).all()
    assert (corners.max(1) < low + 3.0 * np.array(lattice.shape)).all()
