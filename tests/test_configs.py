"""Every entry config is run on a tiny cohort, and its files are read back."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import ConfigParser, create_workflow
from training.toys import SIZE, SPACING, write_toys

from scripts.lidia.inference.case_evaluator import CohortError
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.runtime.weights import load_weights, read_state
from scripts.lidia.vocabulary import CLASSES, LESION_TYPES

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

CONFIGS = Path(__file__).parents[1] / "lidia_bundle/configs"
TYPES = {"train": "train", "evaluate": "evaluation", "inference": "infer"}
TINY = {
    "network_def#channels": [8, 8, 8, 8],
    "roi_size": [64, 64, 48],
    "device": "$torch.device('cpu')",
}
TRAINING = {
    **TINY,
    "spacing": list(SPACING),
    "max_epochs": 3,
    "steps_per_epoch": 2,
    "val_interval": 2,
    "train#stages": {
        "semantic": {"start": 0.0, "decoding": False, "crop": [32, 32, 32], "cases": 2},
        "full": {"start": 0.4, "decoding": True, "crop": [32, 32, 16], "cases": 1},
    },
}
NATIVE = {**TINY, "spacing": list(SPACING)}


def workflow(name: str, *overlays: str, **options: Any) -> Any:
    files = [str(CONFIGS / f"{name}.json"), *(str(CONFIGS / "overlays" / overlay) for overlay in overlays)]
    built = create_workflow(
        config_file=files if overlays else files[0],
        workflow_type=TYPES[name],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        **options,
    )
    built.initialize()
    return built


def reason(problem: BaseException) -> BaseException:
    """The bundle's own error under MONAI's 'Failed to evaluate'."""
    while not type(problem).__module__.startswith("scripts.lidia") and problem.__cause__ is not None:
        problem = problem.__cause__
    return problem


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toys(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="module")
def trained(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a training by train.json."""
    folder = tmp_path_factory.mktemp("train")
    options = {"dataset_dir": str(toys), "output_dir": str(folder), "cache_dir": str(folder / "cache")}
    workflow("train", **TRAINING, **options).run()
    return folder


def test_training_writes_weights_states_and_logs(trained: Path) -> None:
    load_weights(build_lidia(channels=(8, 8, 8, 8)), trained / "model.pt")
    assert sorted(path.name for path in trained.glob("state*")) == ["state_epoch=2.pt", "state_epoch=3.pt"]
    state = read_state(trained / "state_epoch=3.pt")
    expected = {"network", "average", "optimizer", "lr_scheduler", "criterion", "best", "trainer"}
    assert set(state) == expected
    assert state["trainer"]["iteration"] == 6
    assert any(name.startswith("bank") for name in state["criterion"])
    log = (trained / "training.log").read_text()
    assert "loss: " in log
    assert "auc8" in log
    assert list(trained.glob("events.out.tfevents.*"))


def test_evaluation_writes_the_paper_s_metrics(toys: Path, trained: Path, tmp_path: Path) -> None:
    options = {"dataset_dir": str(toys), "output_dir": str(tmp_path), "model_file": str(trained / "model.pt")}
    workflow("evaluate", **NATIVE, **options).run()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert {"auc8", "auc2", "precision", "sensitivity", "accuracy", "dice"} <= set(metrics)
    with (tmp_path / "patients.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["toy_05", "toy_06"]
    assert json.loads((tmp_path / "errors.json").read_text()) == []


def test_evaluation_with_one_phase_of_all(toys: Path, trained: Path, tmp_path: Path) -> None:
    """The label stays on the venous grid although nobody looks at the venous phase."""
    options = {"dataset_dir": str(toys), "output_dir": str(tmp_path), "model_file": str(trained / "model.pt")}
    workflow("evaluate", **NATIVE, **options, phases=["arterial"]).run()
    with (tmp_path / "patients.csv").open() as file:
        assert [row["phases"] for row in csv.DictReader(file)] == ["arterial", "arterial"]


def by_itk(path: Path) -> dict[str, Any]:
    """Origin, spacing and direction as ITK reads them."""
    with warnings.catch_warnings():
        # SWIG's deprecation warnings, made errors, crash the interpreter while ITK's modules load.
        warnings.simplefilter("ignore")
        import itk

        image = itk.imread(str(path))
        return {
            "origin": np.array(image.GetOrigin()),
            "spacing": np.array(image.GetSpacing()),
            "direction": np.array(itk.array_from_matrix(image.GetDirection())),
        }


def check_patient(folder: Path, case: str, volume: Path) -> dict[str, Any]:
    """All four files are there, agree with one another, and lie on the volume's grid for every reader."""
    result = json.loads((folder / f"{case}.json").read_text())
    reference, present = nib.load(volume), by_itk(volume)
    for name, kind in (("lesions", np.uint8), ("instances", np.uint16), ("liver", np.uint8)):
        image = nib.load(folder / f"{case}_{name}.nii.gz")
        assert image.get_data_dtype() == kind
        assert image.shape == reference.shape
        np.testing.assert_allclose(image.affine, reference.affine, atol=1e-5)
        for key, value in by_itk(folder / f"{case}_{name}.nii.gz").items():
            np.testing.assert_allclose(value, present[key], atol=1e-4, err_msg=key)
    instances = np.asarray(nib.load(folder / f"{case}_instances.nii.gz").dataobj)
    assert {row["instance"] for row in result["lesions"]} == set(np.unique(instances[instances > 0]).tolist())
    assert list(result["probabilities"]) == list(LESION_TYPES)
    assert result["versions"]["weights_sha256"] != "none"
    assert result["calibrated"] is False
    return result


def test_inference_of_a_cohort(toys: Path, trained: Path, tmp_path: Path) -> None:
    options = {"dataset_dir": str(toys), "output_dir": str(tmp_path), "model_file": str(trained / "model.pt")}
    workflow("inference", **NATIVE, **options).run()
    for number in (5, 6):
        result = check_patient(tmp_path, f"toy_0{number}", toys / f"{number}_venous.nii.gz")
        assert result["grid_phase"] == "venous"
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if "toy_06" in path.name}
    for path in tmp_path.glob("toy_05_liver*"):
        path.unlink()
    workflow("inference", **NATIVE, **options, skip_existing=True).run()
    assert (tmp_path / "toy_05_liver.nii.gz").is_file()
    assert before == {name: (tmp_path / name).stat().st_mtime_ns for name in before}


@pytest.mark.parametrize("phases", [("venous", "arterial"), ("arterial",), ("nc", "delayed")])
def test_inference_of_one_patient_by_their_volumes(
    toys: Path, trained: Path, tmp_path: Path, phases: tuple[str, ...]
) -> None:
    inputs = {phase: str(toys / f"5_{phase}.nii.gz") for phase in phases}
    options = {"output_dir": str(tmp_path), "model_file": str(trained / "model.pt"), "case_id": "P1.2"}
    workflow("inference", **NATIVE, **options, **inputs, save_probabilities=True).run()
    reference = next(phase for phase in ("venous", "delayed", "arterial", "nc") if phase in phases)
    result = check_patient(tmp_path, "P1.2", toys / f"5_{reference}.nii.gz")
    assert result["grid_phase"] == reference
    assert set(result["phases_used"]) == set(phases)
    maps = nib.load(tmp_path / "P1.2_probabilities.nii.gz").get_fdata()
    assert maps.shape[3] == len(CLASSES)
    np.testing.assert_allclose(maps.sum(axis=3), 1.0, atol=1e-3)


def test_a_liver_mask_of_the_user_takes_the_place_of_the_network_s(
    toys: Path, trained: Path, tmp_path: Path
) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[15:25, 12:22, 10:20] = 255
    nib.save(nib.Nifti1Image(mask, nib.load(toys / "5_venous.nii.gz").affine), tmp_path / "mask.nii.gz")
    options = {"output_dir": str(tmp_path / "out"), "model_file": str(trained / "model.pt"), "case_id": "one"}
    options |= {"venous": str(toys / "5_venous.nii.gz"), "liver": str(tmp_path / "mask.nii.gz")}
    workflow("inference", **NATIVE, **options).run()
    liver = np.asarray(nib.load(tmp_path / "out/one_liver.nii.gz").dataobj)
    assert liver[mask > 0].all()
    assert json.loads((tmp_path / "out/one.json").read_text())["probabilities"]["HCC"] > 0


def test_a_faulty_patient_does_not_stop_the_others(toys: Path, trained: Path, tmp_path: Path) -> None:
    items = json.loads((toys / "dataset.json").read_text())["test"]
    torn = tmp_path / "torn.nii.gz"
    torn.write_bytes((toys / "5_venous.nii.gz").read_bytes()[:2000])
    items.insert(0, {"id": "broken", "phases": {"venous": str(torn)}})
    (tmp_path / "list.json").write_text(
        json.dumps({"test": items}).replace('"5_', f'"{toys}/5_').replace('"6_', f'"{toys}/6_')
    )
    options = {
        "datalist": str(tmp_path / "list.json"),
        "output_dir": str(tmp_path / "out"),
        "model_file": str(trained / "model.pt"),
    }
    with pytest.raises(RuntimeError) as raised:
        workflow("inference", **NATIVE, **options).run()
    assert isinstance(reason(raised.value), CohortError)
    assert "1 failed: broken" in str(reason(raised.value))
    faults = json.loads((tmp_path / "out/errors.json").read_text())
    assert [(fault["case"], fault["severity"]) for fault in faults] == [("broken", "error")]
    assert set(faults[0]) == {"case", "file", "severity", "code", "problem", "remedy"}
    for number in (5, 6):
        check_patient(tmp_path / "out", f"toy_0{number}", toys / f"{number}_venous.nii.gz")


def test_no_weights(toys: Path, tmp_path: Path) -> None:
    options = {"dataset_dir": str(toys), "output_dir": str(tmp_path), "model_file": str(tmp_path / "none.pt")}
    with pytest.raises(RuntimeError) as raised:
        workflow("inference", **NATIVE, **options).run()
    assert "Train some" in str(reason(raised.value))


@pytest.mark.parametrize("name", TYPES)
def test_properties_of_the_specification(name: str, toys: Path, trained: Path, tmp_path: Path) -> None:
    options = {"dataset_dir": str(toys), "output_dir": str(tmp_path), "model_file": str(trained / "model.pt")}
    options |= {"cache_dir": str(tmp_path)} if name == "train" else {}
    built = workflow(name, **(TRAINING if name == "train" else NATIVE), **options)
    assert built.check_properties() == []
    run = "training" if name == "train" else "evaluating"
    assert built.parser["run"] == built.parser[run]


def plain(name: str) -> dict[str, Any]:
    parser = ConfigParser()
    parser.read_config(CONFIGS / f"{name}.json")
    return parser.get()


def test_train_evaluate_and_inference_mean_the_same() -> None:
    train, evaluate, inference = (plain(name) for name in TYPES)
    assert train["network_def"] == evaluate["network_def"] == inference["network_def"]
    for key in ("spacing", "window", "roi_size"):
        assert train[key] == evaluate[key] == inference[key]
    for config in (train["train"], train["validate"], evaluate, inference):
        steps = config["preprocessing"]
        assert (steps["spacing"], steps["window"]) == ("@spacing", "@window")
    faster = {key: value for key, value in inference["inferer"].items() if key != "runtime"}
    assert evaluate["inferer"] == faster
    assert train["validate"]["inferer"]["_target_"] == inference["inferer"]["_target_"]
    assert train["validate"]["inferer"]["overlap"] == evaluate["overlap"] == inference["overlap"]
    validated = train["validate"]["postprocessing"]
    for key in ("operating_point", "lesion_points"):
        assert validated[key] == evaluate[key] == inference[key], f"{key} of a training"


@pytest.mark.parametrize("name", TYPES)
def test_default_windows_fit_the_network(name: str) -> None:
    stride = build_lidia(**{
        k: v for k, v in plain(name)["network_def"].items() if not k.startswith("_")
    }).stride
    assert all(size % stride == 0 for size in plain(name)["roi_size"])
    assert all(size % stride == 0 for size in plain("train")["patch_size"])


def test_the_header_is_the_same_everywhere() -> None:
    keys = ("_comment", "bundle_root", "bootstrap")
    headers = [[plain(name)[key] for key in keys] for name in TYPES]
    assert headers[0] == headers[1] == headers[2]
