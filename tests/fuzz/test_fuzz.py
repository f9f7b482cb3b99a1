"""Spoilt bytes by the thousand: one clear error or the whole truth, never a hang, a crash or a half answer.

`LIDIA_FUZZ=3000 pytest tests/fuzz` tries 3000 of each kind, 500 patients through the whole of inference.
"""

from __future__ import annotations

import gzip
import io
import json
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from ct_files import LIVER_MM, affine_of, radius
from dicom_files import write_series
from fuzz.mutations import EXAMPLES, in_time, many, spoilt
from hypothesis import given
from hypothesis import strategies as st
from monai.bundle import create_workflow

from scripts.lidia.check.check_patient import check_patient
from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_lists
from scripts.lidia.datalist.read_item import complete_item
from scripts.lidia.dicom.series import read_series
from scripts.lidia.inference.calibration import read_calibration
from scripts.lidia.inference.case_evaluator import CohortError
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.runtime.weights import WeightsError, load_weights

pytestmark = [
    pytest.mark.filterwarnings("default"),  # readers may warn of what they refuse in the next line
    pytest.mark.filterwarnings("ignore:parsing config_file"),
]

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"
SHAPE, SPACING = (14, 14, 12), (10.0, 10.0, 10.0)
AFFINE = affine_of(SPACING, SHAPE)
HEAD = 352
"""Bytes of a NIfTI-1 header."""


def body() -> np.ndarray:
    far = radius(AFFINE, SHAPE)
    noise = np.random.default_rng(0).normal(0, 5, SHAPE)
    return (np.where(far < LIVER_MM, 60, np.where(far < 60, -100, -1000)) + noise).astype(np.int16)


def nifti() -> bytes:
    image = nib.Nifti1Image(body(), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(AFFINE, 1)
    return image.to_bytes()


PLAIN = nifti()
ZIPPED = gzip.compress(PLAIN, mtime=0)


def believable(voxels: np.ndarray, affine: np.ndarray) -> None:
    """What may be taken for a CT: finite HU, a grid of a body, no dimension lost."""
    assert voxels.ndim == 3 and min(voxels.shape) >= 8 and np.isfinite(voxels).all()
    assert voxels.min() >= -1024 and voxels.max() <= 3071
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    assert np.isfinite(affine).all() and (sizes >= 0.2).all() and (sizes <= 15).all()


def read(path: Path) -> Any:
    try:
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_phase(path, "P1")
    except CaseError as fault:
        assert fault.file and fault.problem and fault.remedy
        return None


@many
@given(spoilt(ZIPPED))
def test_a_corrupt_gzip_is_refused_or_read_completely(tmp_path: Path, content: bytes) -> None:
    """The checksum lies at the end: what passes it has all voxels and the place of the original."""
    path = tmp_path / "v.nii.gz"
    path.write_bytes(content)
    result = read(path)
    if result is not None and "no_checksum" not in [remark.code for remark in result[2]]:
        assert np.array_equal(result[0], body()) and np.allclose(result[1], AFFINE)


@many
@given(spoilt(PLAIN, HEAD))
def test_a_corrupt_header_is_refused_or_plausible(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.nii"
    path.write_bytes(content)
    result = read(path)
    if result is not None:
        believable(result[0], result[1])


@many
@given(spoilt(PLAIN[:HEAD], HEAD))
def test_a_check_survives_any_header(tmp_path: Path, head: bytes) -> None:
    """The whole look at a patient, his file zipped anew so that its checksum is right."""
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(head + PLAIN[HEAD:], 1))
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        visible = check_patient(complete_item({"id": "P1", "phases": {"venous": str(path)}}, tmp_path))
    json.dumps(visible.measurements)
    assert not [fault for fault in visible.faults if fault["code"] == "unforeseen"]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    return write_series(folder, body(), affine_of(SPACING, SHAPE, flips=(-1, -1, 1)))


@many
@given(st.data())
def test_a_corrupt_slice_is_refused_or_plausible(series: Path, data: st.DataObject) -> None:
    path = sorted(series.iterdir())[data.draw(st.integers(0, SHAPE[2] - 1))]
    raw_bytes = path.read_bytes()
    try:
        path.write_bytes(data.draw(spoilt(raw_bytes, 900)))
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            voxels, affine, _ = read_series(series, case="P1")
        assert voxels.shape[:2] == SHAPE[:2] and np.isfinite(voxels).all()
        believable(np.clip(voxels, -1024, 3071), affine)
    except CaseError as fault:
        assert fault.file and fault.problem and fault.remedy
    finally:
        path.write_bytes(raw_bytes)


LIST = json.dumps({
    "training": [{"id": "P1", "phases": {"nc": "a.nii.gz", "venous": "b.nii.gz"}, "label": "l.nii.gz"}],
    "test": [{"image": "c.nii.gz"}, "d.nii.gz"],
}).encode()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "phases": st.dictionaries(st.sampled_from(("nc", "venous", "late")), VALUES, max_size=3) | VALUES,
        **dict.fromkeys(("image", "label", "liver", "instances", "malignant", "patient", "notes"), VALUES),
    },
)


LISTS = st.builds(lambda items: json.dumps({"training": items}).encode(), st.lists(ITEMS, max_size=4))


@many
@given(spoilt(LIST) | LISTS)
def test_a_list_is_refused_or_safe(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "dataset.json"
    path.write_bytes(content)
    try:
        with in_time():
            sections, faults = read_lists(path)
    except CaseError:
        return
    assert all(fault.problem and fault.remedy for fault in faults)
    for item in (item for items in sections.values() for item in items):
        out = (tmp_path / "out" / f"{item['id']}.json").resolve()
        assert out.parent == tmp_path / "out", "an id leads nowhere else"
        assert item["phases"] and all(isinstance(file, str) for file in item["phases"].values())


def network() -> LIDIA:
    torch.manual_seed(0)
    return build_lidia(channels=(8, 8, 8, 8))


def saved() -> bytes:
    contents = io.BytesIO()
    torch.save(network().state_dict(), contents)
    return contents.getvalue()


WEIGHTS = saved()


@many
@given(spoilt(WEIGHTS))
def test_corrupt_weights_are_refused_or_complete(tmp_path: Path, content: bytes) -> None:
    path, filled, true = tmp_path / "model.pt", network(), network().state_dict()
    path.write_bytes(content)
    try:
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load_weights(filled, path)
    except WeightsError as problem:
        assert str(path) in str(problem)
        return
    for name, value in filled.state_dict().items():
        assert torch.equal(value, true[name]), f"{name} was loaded spoilt"


CALIBRATION = (Path(__file__).parents[2] / "lidia_bundle/models/calibration.json").read_bytes()


@many
@given(spoilt(CALIBRATION))
def test_a_corrupt_calibration_is_refused_or_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    weights = CONFIGS.parent / "models/model.pt"
    try:
        with in_time():
            stored = read_calibration(str(path), str(weights))
    except WeightsError as problem:
        assert str(path) in str(problem)
        return
    assert stored is None or all(np.isfinite(line).all() for line in stored.patients.lines.values())


@pytest.mark.parametrize("seed", [0])
def test_corrupt_patients_through_the_whole_inference(tmp_path: Path, seed: int) -> None:
    """Every patient is answered or listed; of the answers each lies on the grid of a believable file."""
    count, rng, items = max(12, EXAMPLES // 6), np.random.default_rng(seed), []
    for number in range(count):
        content = bytearray(PLAIN)
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(HEAD if rng.random() < 0.7 else len(content))] = rng.integers(256)
        path = tmp_path / f"{number}.nii.gz"
        path.write_bytes(gzip.compress(bytes(content), 1))
        items.append({"id": f"P{number}", "phases": {"venous": path.name}})
    (tmp_path / "dataset.json").write_text(json.dumps({"test": items}))
    torch.save(network().state_dict(), tmp_path / "model.pt")
    out = tmp_path / "out"
    workflow = create_workflow(
        config_file=str(CONFIGS / "inference.json"),
        workflow_type="infer",
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        dataset_dir=str(tmp_path),
        output_dir=str(out),
        model_file=str(tmp_path / "model.pt"),
        device="$torch.device('cpu')",
        spacing=[5.0, 5.0, 5.0],
        roi_size=[32, 32, 32],
        pages=False,
        **{"network_def#channels": [8, 8, 8, 8]},
    )
    workflow.initialize()
    before = {path for path in tmp_path.rglob("*") if out not in path.parents}
    try:
        workflow.run()
    except RuntimeError as problem:
        chain: BaseException | None = problem
        while chain is not None and not isinstance(chain, CohortError):
            chain = chain.__cause__
        assert chain is not None
    faults = {fault["case"]: fault for fault in json.loads((out / "errors.json").read_text())}
    assert not [fault for fault in faults.values() if fault["code"] == "unforeseen"], faults
    finished = {path.stem for path in out.glob("P*.json")}
    assert finished | set(faults) == {item["id"] for item in items} and not finished & set(faults)
    assert len(faults) > count // 20, "most changes of a header can be seen"
    for case in finished:
        believable(*read(tmp_path / f"{case[1:]}.nii.gz")[:2])
    assert {path for path in tmp_path.rglob("*") if out not in path.parents} - before <= {out}
