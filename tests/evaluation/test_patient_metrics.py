"""Evaluation from probabilities to files: rows, ranks, handlers, tables."""

from __future__ import annotations

import csv
import json
import logging
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from evaluation.small_cohort import AFFINE, SHAPE, cohort, filled, patient
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from PIL import Image
from sklearn.metrics import roc_auc_score

from scripts.lidia.evaluation.evaluation_files import EvaluationFiles, write_evaluation
from scripts.lidia.evaluation.patient_metrics import PatientScores, PatientTable
from scripts.lidia.inference.case_evaluator import CohortEvaluator
from scripts.lidia.metrics.intervals import compute_wilson_interval
from scripts.lidia.postprocess.diagnosis import diagnose


def test_the_metrics_of_a_small_cohort() -> None:
    scores = filled(cohort())
    metrics = scores.aggregate()
    assert scores.rows().ids == list("abcde")
    assert metrics["precision"] == pytest.approx(3 / 4) and metrics["sensitivity"] == pytest.approx(3 / 5)
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["liver_dice"] == 1 and metrics["dice"] == pytest.approx((1 + 1 + 0 + 0 + 2 / 3) / 5)
    columns = scores.rows().columns
    assert metrics["auc_HCC"] == pytest.approx(roc_auc_score([0, 1, 0, 1, 0], columns["livermax_HCC"]))
    assert columns["livermax_HCC"] == pytest.approx([0.3 / 9, 0.2 / 9, 0.4 / 9, 0.9, 0.2 / 9])
    assert columns["mm3_malignant"].tolist() == [0, 512, 0, 512, 512], "the flag of `others` counts"
    assert columns["phases"].tolist() == [4, 0, 0, 5, 0]
    assert "auc_FNH" not in metrics and all(np.isfinite(list(metrics.values())))


def test_a_given_diagnosis_is_not_computed_again() -> None:
    entry = patient("a", (2, 7), (2,))
    created = dict(entry)
    created["diagnosis"] = diagnose(entry["pred"], (2, 2, 2), AFFINE)
    created["pred"] = MetaTensor(torch.zeros((1, *SHAPE)), affine=AFFINE)
    np.testing.assert_array_equal(filled([created]).get_buffer(), filled([entry]).get_buffer())


def test_only_numbers_of_a_patient_are_kept() -> None:
    patients = cohort()
    scores = filled(patients)
    before = scores.aggregate()
    for entry in patients:
        entry["pred"].zero_()
        entry["label"].zero_()
        entry["id"] = "x"
    assert PatientScores.aggregate(scores) == before
    assert scores.get_buffer().dtype == torch.float64
    assert scores.get_buffer().shape == (5, len(scores.names))
    scores.reset()
    assert scores.aggregate() == {} and scores.get_buffer().shape == (0, len(scores.names))


def test_a_patient_handed_out_twice_counts_once() -> None:
    patients = cohort()
    assert filled([*patients, patients[1]]).aggregate() == filled(patients).aggregate()


def test_a_faulty_patient_is_an_error_and_adds_no_score() -> None:
    scores = PatientScores()
    broken = patient("a", (2,), (2,))
    broken["pred"][2, 6, 6, 6] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        scores([broken])
    shifted = patient("a", (2,), (2,))
    shifted["pred"].affine[0, 3] = 7
    with pytest.raises(ValueError, match="different grids"):
        scores([shifted])
    plain = {key: value.as_tensor() if key != "id" else value for key, value in patient("a", (), ()).items()}
    with pytest.raises(ValueError, match="affine"):
        scores([plain])
    short = patient("a", (2,), (2,))
    short["label"] = short["label"][:1]
    with pytest.raises(ValueError, match="instance"):
        scores([short])
    assert scores.get_buffer().shape[0] == 0


def evaluator(patients: list[dict], table: PatientTable, kind: type = SupervisedEvaluator, **more: object):
    """An evaluator whose network hands its image on: the image is the prediction."""
    items = [
        {"image": entry["pred"], **{k: v for k, v in entry.items() if k != "pred"}} for entry in patients
    ]
    for item in items:
        item.setdefault("malignant", {})
        item.setdefault("phases_used", ["venous"])
    return kind(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(items), batch_size=1),
        network=torch.nn.Identity(),
        key_val_metric={"auc8": table},
        **more,
    )


def test_the_handler_fills_the_engine_s_state() -> None:
    table = PatientTable()
    engine = evaluator(cohort(), table)
    engine.run()
    expected = filled(cohort()).aggregate()
    assert engine.state.metrics["auc8"] == engine.state.best_metric == expected["auc8"]
    assert engine.state.metrics["liver_dice"] == 1 and "auc_FNH" not in engine.state.metrics
    assert set(engine.state.metrics) <= set(table.shown)
    assert engine.state.metric_details["auc8"].shape == (5, len(table.scores.names))
    engine.run()
    assert engine.state.metrics["auc8"] == expected["auc8"], "a second run starts afresh"


def test_a_missing_key_metric_is_zero_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    engine = evaluator(cohort()[:1], PatientTable())
    engine.run()
    assert engine.state.metrics["auc8"] == 0 and "auc8 cannot be given" in caplog.text


def test_an_evaluator_of_cohorts_goes_on_after_a_faulty_patient(tmp_path: Path) -> None:
    patients = cohort()
    patients[2]["label"] = patients[2]["label"][:, 1:]
    with pytest.raises(ValueError, match=r"\(40, 20, 16\).*\(39, 20, 16\)"):
        evaluator(patients, PatientTable()).run()
    table = PatientTable()
    engine = evaluator(patients, table, CohortEvaluator, errors=str(tmp_path / "errors.json"))
    engine.run()
    assert table.scores.rows().ids == list("abde")
    (fault,) = json.loads((tmp_path / "errors.json").read_text())
    assert fault["case"] == "c"


def test_every_file_is_read_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    table = PatientTable()
    files = EvaluationFiles(scores=table.scores, folder=str(tmp_path / "out"), draws=200)
    evaluator(cohort(), table, val_handlers=[files]).run()
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    for name, value in filled(cohort()).aggregate().items():
        assert metrics[name]["value"] == pytest.approx(value)
        assert set(metrics[name]) >= {"value", "low", "high", "n"}
    assert metrics["auc_FNH"]["value"] is None and metrics["auc_FNH"]["note"] == "0 with, 5 without"
    assert metrics["auc8"]["low"] <= metrics["auc8"]["value"] <= metrics["auc8"]["high"]
    assert "auc_FNH" in metrics["auc8"]["note"]
    assert (
        metrics["precision"]["wilson"] == pytest.approx(compute_wilson_interval(3, 4))
        and metrics["precision"]["n"] == 4
    )
    gap = metrics["auc8_minus_pixelcount"]
    assert gap["value"] == pytest.approx(metrics["auc8"]["value"] - metrics["pixelcount_auc8"]["value"])
    assert 0 < gap["p"] <= 1 and 0 < metrics["auc_HCC"]["p_against_pixelcount"] <= 1
    assert "p_against_pixelcount" not in metrics["auc_cyst"], "one patient has it"
    assert {"pixelcount_auc8", "pixelcount_auc2", "auc2_authors", "ece", "brier_skill"} <= set(metrics)

    patients = list(csv.DictReader((tmp_path / "out/patients.csv").read_text().splitlines()))
    assert [line["id"] for line in patients] == list("abcde")
    assert float(patients[3]["livermax_HCC"]) == pytest.approx(0.9) and patients[3]["phases"] == "nc+venous"
    assert patients[2]["dice_HCC"] == ""

    lesions = list(csv.DictReader((tmp_path / "out/lesions.csv").read_text().splitlines()))
    assert len(lesions) == 5 + 4
    kinds = [
        (line["id"], line["predicted"], line["type"], line["outcome"], line["partner_type"])
        for line in lesions
    ]
    assert kinds[:3] == [
        ("a", "truth", "cyst", "found", "hemangioma"),
        ("a", "prediction", "hemangioma", "true", "cyst"),
        ("b", "truth", "HCC", "missed", ""),
    ]
    assert float(lesions[1]["p_hemangioma"]) == pytest.approx(0.7)
    assert [float(lesions[0][axis]) for axis in ("x_mm", "y_mm", "z_mm")] == [-13, -13, 13]
    assert float(lesions[0]["diameter_mm"]) == pytest.approx(10, abs=0.01)

    with Image.open(tmp_path / "out/confusion.png") as picture:
        assert picture.size == (900, 780)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "candidates.csv",
        "confusion.png",
        "froc.csv",
        "froc.png",
        "lesions.csv",
        "metrics.json",
        "patients.csv",
        "reliability.png",
    ]
    assert "lesion sensitivity" in caplog.text and "LiverMax" in caplog.text


def test_an_evaluation_without_patients_writes_its_files(tmp_path: Path) -> None:
    scores = PatientScores()
    metrics = write_evaluation(tmp_path, scores.rows(), scores, draws=10)
    assert metrics["auc8"]["value"] is None and metrics["auc8"]["n"] == 0
    assert (tmp_path / "lesions.csv").read_text().startswith("id,predicted,instance,type")


def rank_of_three(rank: int, folder: Path) -> None:
    """One process of a distributed evaluation; the second has no patients."""
    os.environ["LOCAL_RANK"] = str(rank)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=3)
    scores = filled([cohort()[:2], [], cohort()[2:]][rank])
    result = [scores.aggregate(), scores.rows().ids, len(scores.rows().lesions)]
    (folder / f"{rank}.json").write_text(json.dumps(result))
    dist.destroy_process_group()


def test_three_ranks_one_of_them_empty_agree_with_one(tmp_path: Path) -> None:
    # Forked, since a fresh process spends most of a minute on imports on a busy machine.
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=rank_of_three, args=(rank, tmp_path)) for rank in range(3)]
    try:
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(timeout=60)
        assert [process.exitcode for process in ranks] == [0, 0, 0]
    finally:
        for process in ranks:
            process.kill()
    alone = filled(cohort())
    for rank in range(3):
        metrics, ids, lesions = json.loads((tmp_path / f"{rank}.json").read_text())
        assert metrics == alone.aggregate() and ids == list("abcde") and lesions == 9
