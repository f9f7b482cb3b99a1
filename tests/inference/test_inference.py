"""From a volume in any orientation to labels on its own grid, by the steps of inference.json."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from training.toys import SIZE, write_patient

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.inference.liver_window_inferer import WindowInferer
from scripts.lidia.inference.postprocessing import postprocessing
from scripts.lidia.inference.result_files import (
    WriteResults,
    describe_inputs,
    is_finished,
    renumber,
    result_files,
    write_volume,
)
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.postprocess.diagnosis import Diagnosis
from scripts.lidia.vocabulary import CYST, LIVER

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"


def by_intensity(image: torch.Tensor) -> torch.Tensor:
    """A 'network' that knows the toys: the bright ball of the venous phase is liver, dark spots included."""
    hu = (image[:, 2] + 1) * 300 - 200
    kinds = torch.zeros(hu.shape, dtype=torch.long)
    kinds[hu > 85] = LIVER
    scores = torch.nn.functional.one_hot(kinds, 10).movedim(-1, 1).float()
    return (scores * 0.9 + 0.01).contiguous()


def turned(path: Path, out: Path, axes: tuple[int, ...], flips: tuple[bool, ...], tilt: float) -> np.ndarray:
    """The same patient stored with other axes, as another scanner would, lying tilted; gives the affine."""
    image = nib.load(path)
    voxels, affine = np.asarray(image.dataobj), image.affine.copy()
    cos, sin = np.cos(tilt), np.sin(tilt)
    affine = np.array([[cos, -sin, 0, 0], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ affine
    voxels = voxels.transpose(axes)
    affine = affine[:, [*axes, 3]]
    for axis, flip in enumerate(flips):
        if flip:
            voxels = np.flip(voxels, axis)
            affine[:, 3] += affine[:, axis] * (voxels.shape[axis] - 1)
            affine[:, axis] *= -1
    nib.save(nib.Nifti1Image(np.ascontiguousarray(voxels), affine), out)
    return affine


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_labels_come_back_onto_the_grid_they_came_from(tmp_path: Path, axes: tuple[int, ...]) -> None:
    write_patient(tmp_path, 0, kind=CYST)
    flips = (axes[0] == 0, axes[1] != 1, axes[2] == 2)
    affine = turned(tmp_path / "0_venous.nii.gz", tmp_path / "turned.nii.gz", axes, flips, tilt=0.3)
    turned(tmp_path / "0_label.nii.gz", tmp_path / "truth.nii.gz", axes, flips, tilt=0.3)
    before = preprocessing(spacing=(3.0, 3.0, 3.0))
    item: dict[str, Any] = before({"id": "toy", "phases": {"venous": str(tmp_path / "turned.nii.gz")}})
    item["pred"] = by_intensity(item["image"].as_tensor()[None])[0]
    finished = postprocessing(transform=before)(item)
    truth = np.asarray(nib.load(tmp_path / "truth.nii.gz").dataobj) > 0
    assert finished["pred"].dtype == torch.uint8
    assert tuple(finished["pred"].shape) == (1, *truth.shape)
    np.testing.assert_allclose(finished["pred"].affine.numpy(), affine, atol=1e-4)
    liver = np.asarray(finished["pred"][0]) > 0
    assert 2 * (liver & truth).sum() / (liver.sum() + truth.sum()) > 0.9
    apart = affine[:3, :3] @ (np.argwhere(liver).mean(axis=0) - np.argwhere(truth).mean(axis=0))
    assert np.linalg.norm(apart) < 1.2


def test_a_prediction_without_affine_is_not_written(tmp_path: Path) -> None:
    write_patient(tmp_path, 0)
    before = preprocessing(spacing=(4.0, 4.0, 4.0))
    item: dict[str, Any] = before({"id": "toy", "phases": {"venous": str(tmp_path / "0_venous.nii.gz")}})
    item["pred"] = by_intensity(item["image"].as_tensor()[None])[0]
    item["image"] = item["image"].as_tensor()
    with pytest.raises(RuntimeError):
        postprocessing(transform=before)(item)


def test_the_same_config_serves_monai_label(tmp_path: Path) -> None:
    """As its server calls it: one path, parts of inference.json one by one, no engine, no writer."""
    write_patient(tmp_path, 0)
    beside = tmp_path / "phases/0_venous"
    beside.mkdir(parents=True)
    (tmp_path / "0_arterial.nii.gz").rename(beside / "arterial.nii.gz")
    parser = ConfigParser()
    parser.read_config(CONFIGS / "inference.json")
    root = str(CONFIGS.parent)
    parser.config.update({"bundle_root": root, "spacing": [4.0, 4.0, 4.0], "roi_size": [64, 64, 48]})
    before, inferer, after = (
        parser.get_parsed_content(key) for key in ("preprocessing", "inferer", "postprocessing")
    )
    path = str(tmp_path / "0_venous.nii.gz")
    data = before({"image": path, "image_path": path, "device": "cpu"})
    assert data["phases_used"] == ["arterial", "venous"]
    data["pred"] = inferer(data["image"][None], by_intensity)[0]
    finished = after(data)
    assert finished["pred"].dtype == torch.uint8
    assert tuple(finished["pred"].shape) == (1, *SIZE)
    assert json.loads(json.dumps(finished["result"]))["phases_used"] == ["arterial", "venous"]


def test_padding_is_air_and_mirrors_are_turned_back() -> None:
    recorded = []

    def network(image: torch.Tensor) -> torch.Tensor:
        recorded.append(image)
        ramp = torch.linspace(0, 1, 48).view(1, 1, 48, 1, 1).expand(1, 10, 48, 48, 48)
        return ramp.clone()

    image = MetaTensor(torch.zeros(1, 4, 40, 48, 48))
    plain = WindowInferer(roi_size=(48, 48, 48), coarse=0)(image, network)
    assert isinstance(plain, MetaTensor)
    assert float(recorded[0].min()) == -1.0, "what pads is air, not 0, which is 100 HU"
    assert plain.shape == (1, 10, 40, 48, 48)
    mean = WindowInferer(roi_size=(48, 48, 48), tta=True, coarse=0)(image, network)
    assert len(recorded) == 9
    torch.testing.assert_close(mean.as_tensor(), mean.as_tensor().flip(2), atol=1e-6, rtol=0)
    assert not torch.equal(plain.as_tensor(), plain.as_tensor().flip(2))


def bright_is_liver(image: torch.Tensor) -> torch.Tensor:
    liver = (image[:, 2:3] > 0).float()
    return torch.cat([1 - liver, liver, *[torch.zeros_like(liver)] * 8], dim=1)


def test_only_the_liver_s_box_is_examined_at_full_resolution() -> None:
    recorded = []

    def network(image: torch.Tensor) -> torch.Tensor:
        recorded.append(tuple(image.shape[2:]))
        return bright_is_liver(image)

    image = torch.full((1, 4, 96, 80, 64), -1.0)
    image[:, 0] = torch.nan
    image[..., 40:56, 40:52, 20:30] = 1.0  # the liver, 30 ml
    image[..., 4:6, 4:6, 4:6] = 1.0  # what looks like one, far away
    image[:, 0] = torch.nan
    inferer = WindowInferer(roi_size=(96, 80, 64), margin_mm=10.0, spacing=(2.5, 2.5, 2.5), least_ml=25.0)
    output = inferer(image, network)
    assert recorded[0] == (48, 48, 32), "a coarse pass, no larger than it has to be"
    assert recorded[1:] == [(32, 32, 32)], "16 x 12 x 10 voxels and four round them, in steps of 16"
    assert torch.equal(output[0, 1] > 0.5, (image[0, 2] > 0) & (torch.arange(96) > 20)[:, None, None])
    torch.testing.assert_close(output.sum(1), torch.ones(1, 96, 80, 64))


def test_the_box_is_no_longer_than_a_liver() -> None:
    image = torch.full((1, 4, 64, 64, 160), -1.0)
    image[..., 16:48, 16:48, 100:140] = 1.0  # the liver
    image[..., 20:40, 20:40, 10:30] = 1.0  # a bladder
    image[..., 16:20, 20:40, 10:140] = 1.0  # the wall of the belly, from one to the other
    output = WindowInferer(roi_size=(64, 64, 160), margin_mm=10.0, spacing=(2.5, 2.5, 2.5))(
        image, bright_is_liver
    )
    assert (output[0, 1, :, :, 100:140] > 0.5).sum() == (image[0, 2, :, :, 100:140] > 0).sum()
    assert not (output[0, 1, :, :, :60] > 0.5).any()


@pytest.mark.parametrize(
    ("shape", "visible"), [((32, 32, 90), [(32, 32, 96)]), ((32, 64, 90), [(32, 48, 64)] * 4)]
)
def test_a_window_is_limited_by_its_voxels_rather_than_its_sides(
    shape: tuple[int, int, int], visible: list[tuple[int, int, int]]
) -> None:
    calls = []

    def network(image: torch.Tensor) -> torch.Tensor:
        calls.append(tuple(image.shape[2:]))
        return bright_is_liver(image)

    WindowInferer(roi_size=(32, 48, 64), coarse=0)(torch.zeros(1, 4, *shape), network)
    assert calls == visible


def test_the_smallest_volume_is_not_too_small() -> None:
    image = torch.full((1, 4, 12, 16, 10), -1.0)
    with torch.no_grad():
        output = WindowInferer(roi_size=(144, 112, 80))(image, build_lidia().eval())
    assert output.shape == (1, 10, 12, 16, 10)
    torch.testing.assert_close(output.sum(1), torch.ones(1, 12, 16, 10))


def test_a_liver_too_small_at_low_resolution_is_searched_at_full_resolution() -> None:
    recorded = []

    def network(image: torch.Tensor) -> torch.Tensor:
        recorded.append(tuple(image.shape[2:]))
        classes = bright_is_liver(image)
        if len(recorded) == 1:  # from afar all but an edge of the liver is missed
            classes[:, 1, 9:], classes[:, 0, 9:] = 0, 1
        return classes

    image = torch.full((1, 4, 96, 80, 64), -1.0)
    image[..., 16:56, 16:48, 20:36] = 1.0  # 320 ml
    output = WindowInferer(roi_size=(96, 80, 64), margin_mm=10.0, spacing=(2.5, 2.5, 2.5))(image, network)
    assert recorded == [(48, 48, 32), (96, 80, 64), (48, 48, 32)], "from afar, all of it, the box"
    assert torch.equal(output[0, 1] > 0.5, image[0, 2] > 0)


def test_without_a_liver_the_whole_volume_is_examined() -> None:
    image = torch.full((1, 4, 64, 48, 48), -1.0)
    image[..., 10, 10, 10] = 1.0  # too little to be seen from afar
    output = WindowInferer(roi_size=(64, 48, 48))(image, bright_is_liver)
    assert output[0, 1].sum() == 1


def test_half_precision_is_the_network_s_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.lidia.runtime.precision.supports_bf16", lambda device: True)
    torch.manual_seed(0)
    image = torch.rand(1, 4, 32, 32, 32) * 2 - 1
    image[:, 3] = torch.nan
    kinds = []

    network = build_lidia().eval()
    network.mask_features.register_forward_hook(lambda _, __, out: kinds.append(out.dtype))
    with torch.no_grad():
        exact = WindowInferer(roi_size=(32, 32, 32), coarse=0)(image, network)
        half = WindowInferer(roi_size=(32, 32, 32), coarse=0, precision="bf16")(image, network)
    assert kinds == [torch.float32, torch.bfloat16]
    assert half.dtype == exact.dtype == torch.float32
    torch.testing.assert_close(half.sum(1), torch.ones(1, 32, 32, 32))
    assert 0 < float((half - exact).abs().max()) < 0.1


def test_a_volume_has_one_place_for_both_headers(tmp_path: Path) -> None:
    affine = np.array([[-0.7, 0.1, 0, 90], [0.1, 0.7, 0, -80], [0, 0, 5, 3], [0, 0, 0, 1]])
    affine[:3, 0] *= 0.7 / np.linalg.norm(affine[:3, 0])
    write_volume(tmp_path / "a.nii.gz", np.ones((3, 4, 5), np.uint16), affine)
    image = nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(image.get_sform(), affine, atol=1e-5)
    np.testing.assert_allclose(image.get_qform(), affine, atol=1e-5)
    assert image.header["qform_code"] == image.header["sform_code"] == 1
    assert image.header.get_xyzt_units()[0] == "mm"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.nii.gz"]


def test_a_patient_is_finished_when_all_their_files_exist(tmp_path: Path) -> None:
    for path in result_files(tmp_path, "P1.2").values():
        assert not is_finished(tmp_path, "P1.2")
        path.touch()
    assert is_finished(tmp_path, "P1.2")
    assert not is_finished(tmp_path, "P1")


def test_numbers_of_a_foreign_labelmap_are_mapped_to_the_classes(tmp_path: Path) -> None:
    affine = np.diag([-1.0, 2.0, 3.0, 1.0])
    write_volume(tmp_path / "a.nii.gz", np.array([[[0, 1, 2, 3]]], np.uint8), affine)
    renumber(tmp_path / "a.nii.gz", {1: 3, 3: 1})
    got = nib.load(tmp_path / "a.nii.gz")
    assert np.asarray(got.dataobj).ravel().tolist() == [0, 3, 2, 1]
    assert np.allclose(got.affine, affine)


def test_fields_of_an_item_are_copied_to_its_result(tmp_path: Path) -> None:
    item = {"id": "toy", "patient": "P1", "date": "2025-03-01"}
    item |= {"notes": {"registration": {"arterial": "rigid"}, "warnings": ["arterial moved"]}}
    (tmp_path / "series").mkdir()
    for number in (1, 2):
        (tmp_path / f"series/{number}.dcm").write_bytes(bytes([number]))
    (tmp_path / "nc.nii.gz").write_bytes(b"volume")
    item["phases"] = {"nc": str(tmp_path / "nc.nii.gz"), "venous": str(tmp_path / "series")}
    settings = {"overlap": 0.25}
    writer = WriteResults(folder=str(tmp_path), weights="none", settings=settings)
    labels = MetaTensor(torch.zeros(1, 2, 2, 2), affine=torch.eye(4))
    nothing = np.zeros((2, 2, 2))
    diagnosis = Diagnosis(nothing, nothing, nothing, [], {}, {}, [])
    result = {"id": "toy", "warnings": ["no liver"]}
    written = writer.write({"diagnosis": diagnosis, "pred": labels, "result": result, "item": item})
    record = json.loads((tmp_path / "toy.json").read_text())
    assert record == written
    assert record["registration"] == {"arterial": "rigid"}
    assert record["warnings"] == ["arterial moved", "no liver"]
    assert record["patient"] == "P1" and record["date"] == "2025-03-01"
    assert record["inputs"]["nc"] == {"path": "nc.nii.gz", "sha256": sha256(b"volume").hexdigest()}
    assert record["settings"] == settings
    slices = sorted(sha256(bytes([number])).hexdigest() for number in (1, 2))
    assert record["inputs"]["venous"]["sha256"] == sha256("\n".join(slices).encode()).hexdigest()
    assert record["inputs"]["venous"]["path"] == "series" and "dicom" not in record["inputs"]["venous"]


def test_inputs_outside_the_results_have_absolute_paths(tmp_path: Path) -> None:
    (tmp_path / "v.nii.gz").write_bytes(b"v")
    item = {"phases": {"venous": str(tmp_path / "v.nii.gz")}, "source": [str(tmp_path / "1.dcm")]}
    inputs = describe_inputs(item, tmp_path / "results")
    assert inputs["venous"]["path"] == str(tmp_path / "v.nii.gz")
    assert inputs["venous"]["dicom"] == [str(tmp_path / "1.dcm")]
