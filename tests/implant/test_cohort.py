from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import run
from scipy.ndimage import binary_dilation

from scripts.lidia.data.annotation import read_annotation
from scripts.lidia.datalist.read_datalist import load_datalist, read_sections
from scripts.lidia.prepare.write_implants import write_implants


def digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_the_config_implants_into_a_background(files: dict[str, str], tmp_path: Path, bundle: Path) -> None:
    for name in ("one", "two"):
        options = {"background": files["venous"], "liver": files["liver"], "cases": 1, "seed": 2}
        run(config_file=str(bundle / "configs/phantom.json"), dataset_dir=str(tmp_path / name), **options)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    items = load_datalist(tmp_path / "one", "test")
    written = json.loads((tmp_path / "one/dataset.json").read_text())
    assert written["backgrounds"] == ["ct"] and written["test"][0]["background"] == "ct"
    ct = nib.load(files["venous"])
    for file in (*items[0]["phases"].values(), items[0]["label"], items[0]["instances"], items[0]["liver"]):
        image = nib.load(file)
        assert image.shape == ct.shape
        np.testing.assert_allclose(image.affine, ct.affine, atol=1e-4)
    numbers = set(np.unique(np.asarray(nib.load(items[0]["instances"]).dataobj))) - {0}
    assert numbers == {lesion["instance"] for lesion in written["test"][0]["lesions"]}


def test_a_datalist_of_backgrounds_with_several_phases(files: dict[str, str], tmp_path: Path) -> None:
    """A phase that was scanned stays as it is; backgrounds are dealt out in blocks."""
    ct = nib.load(files["venous"])
    late = np.asarray(ct.dataobj) - 20 * (np.asarray(nib.load(files["liver"]).dataobj) > 0)
    image = nib.Nifti1Image(late.astype(np.int16), ct.affine)
    image.set_qform(ct.affine, 1)
    nib.save(image, tmp_path / "delayed.nii.gz")
    own = np.asarray(nib.load(files["liver"]).dataobj).copy()
    own[own.shape[0] // 2 :] = 0
    nib.save(nib.Nifti1Image(own, ct.affine), tmp_path / "own.nii.gz")
    cases = [
        {"id": "A", "phases": {"venous": "a.nii.gz"}, "liver": "liver_a.nii.gz", "ignored": "own.nii.gz"},
        {"id": "B", "phases": {"venous": "b.nii.gz", "delayed": "delayed.nii.gz"}, "liver": "liver_b.nii.gz"},
    ]
    for name in "ab":
        shutil.copy(files["venous"], tmp_path / f"{name}.nii.gz")
        shutil.copy(files["liver"], tmp_path / f"liver_{name}.nii.gz")
    (tmp_path / "list.json").write_text(json.dumps({"training": cases}))
    path = write_implants(
        dataset_dir=tmp_path / "out",
        background=str(tmp_path / "list.json"),
        cases=2,
        section="training",
        looks=["cyst"],
    )
    content = json.loads(path.read_text())["training"]
    assert [item["background"] for item in content] == ["A", "B"]
    folder = tmp_path / "out"
    created, real = (np.asarray(nib.load(folder / item["phases"]["delayed"]).dataobj) for item in content)
    lesion = np.asarray(nib.load(folder / content[1]["instances"]).dataobj) > 0
    far = ~binary_dilation(lesion, iterations=6)
    assert np.array_equal(real[far], late[far]), "scanned: the background's own voxels"
    assert not np.array_equal(created[far], late[far])
    # lesions that the patient has: implants avoid them, and the label that evaluation reads ignores them
    assert "ignored" not in content[1]
    item = read_sections(path)["training"][0]
    assert np.array_equal(np.asarray(nib.load(item["ignored"]).dataobj), own)
    instances = np.asarray(nib.load(item["instances"]).dataobj)
    assert own.any() and instances.any() and not instances[own > 0].any()
    classes = read_annotation(item, 0.0).classes[0].numpy()
    assert (classes[own > 0] == -1).all() and (classes[own == 0] >= 0).all()
