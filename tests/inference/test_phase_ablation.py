"""A result without a phase equals the result of a scan without that phase."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from evaluation.small_cohort import patient
from monai.bundle import create_workflow
from training.toys import write_toys

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.evaluation.phase_subset_scores import SubsetScores, compute_subset_areas
from scripts.lidia.inference.liver_window_inferer import WindowInferer
from scripts.lidia.inference.phase_ablation import HidePhases, list_phase_subsets
from scripts.lidia.metrics.dice import compute_dice_from_counts
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"
SMALL = {"spacing": [4.0, 4.0, 4.0], "roi_size": [64, 64, 48], "device": "$torch.device('cpu')"}


def run(name: str, overlays: tuple[str, ...] = (), **options: Any) -> None:
    files = [str(CONFIGS / f"{name}.json"), *(str(CONFIGS / "overlays" / overlay) for overlay in overlays)]
    workflow = create_workflow(
        config_file=files,
        workflow_type={"inference": "infer", "evaluate": "evaluation"}[name],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        **{**SMALL, **options},
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def answer(folder: Path, case: str) -> dict[str, Any]:
    return json.loads((folder / f"{case}.json").read_text())


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toys(tmp_path_factory.mktemp("toys"), training=0, validation=2, test=2)


def test_an_explained_result_equals_that_of_the_scan_without_the_phase(toys: Path, tmp_path: Path) -> None:
    complete, part = tmp_path / "whole", tmp_path / "part"
    remaining = [phase for phase in PHASES if phase != "arterial"]
    common = {"dataset_dir": str(toys), "pages": False}
    run("inference", output_dir=str(complete), explain=True, **common)
    run("inference", output_dir=str(part), phases=remaining, **common)
    result = answer(complete, "toy_02")
    assert list(result["without"]) == list(PHASES)
    expected = answer(part, "toy_02")
    for name in LESION_TYPES:
        assert result["without"]["arterial"]["probabilities"][name] == pytest.approx(
            expected["probabilities"][name], abs=1e-5
        )
    assert result["without"]["arterial"]["malignant"] == pytest.approx(expected["malignant"], abs=1e-5)
    assert result["without"]["arterial"]["malignant"] != result["malignant"]
    assert "without" not in expected, "nobody asked"


def test_a_single_phase_has_no_ablation(toys: Path, tmp_path: Path) -> None:
    run(
        "inference",
        dataset_dir=str(toys),
        output_dir=str(tmp_path),
        explain=True,
        phases=["venous"],
        pages=False,
    )
    assert "without" not in answer(tmp_path, "toy_02")


def test_the_calibration_measures_every_subset(toys: Path, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    options: dict[str, Any] = {"dataset_dir": str(toys), "output_dir": str(tmp_path), "subset_patients": 1}
    run("evaluate", ("recipes/calibrate.yaml",), **options, **{"calibration#path": str(path)})
    content = json.loads(path.read_text())
    assert content["patients"] == 2 and content["subsets"]["patients"] == 1
    assert content["subsets"]["auc8"] == {}, "one patient has no area"


def test_areas_of_subsets_by_hand() -> None:
    from evaluation.test_fit_calibration import rows

    complete, subsets = rows(5), {"nc": rows(4), "venous": rows(4)}
    for table in (complete, *subsets.values()):
        table.columns["mm3_HCC"][:] = [900, 0, 900, 0, 0][: len(table.ids)]
        table.columns["mm3_cyst"][:] = 0
    complete.columns["livermax_HCC"][:] = [0.3, 0.2, 0.6, 0.5, 1.0]  # the fifth patient lacks a phase
    subsets["venous"].columns["livermax_HCC"][:] = [0.9, 0.2, 0.8, 0.1]
    subsets["nc"].columns["livermax_HCC"][:] = [0.1, 0.3, 0.3, 0.7]
    areas = compute_subset_areas(complete, subsets, 113.0)
    expected = {"nc+arterial+venous+delayed": 0.75, "nc": 0.125, "venous": 1.0}
    assert areas == {"patients": 4, "auc8": expected}


class HideNothing:
    """Stands in the place of the network: the diagnosis of all phases, whatever is hidden."""

    def __call__(self, data: dict[str, Any], subset: tuple[str, ...], device: Any) -> dict[str, Any]:
        return data


@pytest.mark.parametrize(("rank", "counted"), [(0, 2), (1, 1)])
def test_processes_share_the_patients_of_the_subsets(
    monkeypatch: pytest.MonkeyPatch, rank: int, counted: int
) -> None:
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: rank)
    scores = SubsetScores(HideNothing(), patients=3)  # type: ignore[arg-type]
    for number in range(4):
        case = {
            **patient(f"p{number}", (2,), (2,)),
            "result": {"phases_used": PHASES if number else PHASES[:3]},
        }
        scores(SimpleNamespace(state=SimpleNamespace(batch=[case], output=[{}], device=None)))  # type: ignore[arg-type]
    monkeypatch.undo()
    collected = scores.collect_rows()
    assert len(collected) == 14 and collected["nc"].ids == [f"p{number}" for number in range(1, counted + 1)]


@pytest.mark.slow
def test_the_shipped_weights_segment_the_liver_with_any_phases(cohort: Path, network: LIDIA) -> None:
    """Without a liver a result has no lesion; the box of the liver with 20 mm is one window."""
    [patient] = load_datalist(cohort, "training", complete_only=True)[:1]
    data = preprocessing(labels="network", margin_mm=20.0)(patient)
    truth = data["label"][0].numpy() > 0
    hidden = HidePhases(network=network, inferer=WindowInferer(roi_size=(240, 192, 80)), postprocessing=dict)
    for visible in list_phase_subsets():
        liver = hidden(data, visible, torch.device("cpu"))["pred"].argmax(0).numpy() > 0
        assert compute_dice_from_counts((liver & truth).sum(), liver.sum(), truth.sum()) > 0.85, visible
