"""The jobs of a study, their order, and when a row is finished."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.study.archive import is_kept, store_result
from experiments.study.cohorts import COHORTS, Cohort, read_cohort
from experiments.study.jobs import (
    Job,
    StudyPaths,
    count_steps,
    find_given_weights,
    locate_trained_weights,
    make_cases_job,
    make_difficulty_jobs,
    make_evaluation_jobs,
    make_phase_jobs,
    make_training_job,
)
from experiments.study.schedule import select_required
from experiments.study.systems import Run, list_runs, read_systems
from scripts.lidia.inference.phase_ablation import list_phase_subsets

BUNDLE = Path(__file__).parents[2] / "lidia_bundle"


def places(output: str = "/a", digest: str = "one") -> StudyPaths:
    cohorts = {name: Cohort(f"{output}/{name}", "cafe", digest, {"test": 10}) for name in COHORTS}
    return StudyPaths(BUNDLE, Path(output), cohorts)


def of(name: str, where: StudyPaths, options: dict | None = None, **settings: object) -> list[Job]:
    (system,) = read_systems({name: settings})
    training = make_training_job(where, Run(system, 0), options or {}, 1.0)
    return [training, *make_evaluation_jobs(where, Run(system, 0), locate_trained_weights(training), {}, 2.0)]


def test_an_overlay_and_its_options_reach_every_process() -> None:
    options = {"training": {"max_epochs": 7}, "evaluation": {"overlap": 0.5}}
    training, *evaluated = of(
        "unet",
        places(),
        {"steps_per_epoch": 3},
        overlays=["networks/unet.yaml", "baselines/unet.yaml"],
        **options,
    )
    assert training.command[-4:] == ["--steps_per_epoch", "3", "--max_epochs", "7"]
    for job, cohort in zip(evaluated, COHORTS, strict=True):
        assert job.name == f"unet/{cohort}" and job.after == "unet/training"
        assert job.command[job.command.index("--dataset_dir") + 1] == f"/a/{cohort}"
        assert job.command[-2:] == ["--overlap", "0.5"]
        assert job.cost == 20.0
    assert all("networks/unet.yaml" in job.command[6] for job in (training, *evaluated))
    assert (
        training.portable_command.endswith("--steps_per_epoch 3 --max_epochs 7")
        and "/a" not in training.portable_command
    )


def test_the_hash_knows_configs_options_and_cohorts_but_no_folders(tmp_path: Path) -> None:
    keys = [job.key for job in of("lidia", places())]
    assert keys == [job.key for job in of("lidia", places("/b"))]
    assert len(set(keys)) == 3 or len(set(keys)) == 2  # both cohorts have one digest here
    for other in (
        of("lidia", places(digest="two")),
        of("lidia", places(), {"steps_per_epoch": 3}),
        of("lidia", places(), overlays=["networks/unet.yaml", "baselines/unet.yaml"]),
    ):
        assert not {job.key for job in other} & set(keys)
    evaluated = of("lidia", places(), evaluation={"overlap": 0.5})
    assert evaluated[0].key == keys[0] and evaluated[1].key != keys[1]
    copy = tmp_path / "lidia_bundle/configs"
    copy.mkdir(parents=True)
    for name in ("train.json", "evaluate.json"):
        content = json.loads((BUNDLE / "configs" / name).read_text())
        (copy / name).write_text(json.dumps(content, indent=1))
    shifted = places()._replace(bundle=copy.parent)
    assert [job.key for job in of("lidia", shifted)] == keys, "another place and other blanks change nothing"
    content = json.loads((copy / "train.json").read_text()) | {"steps_per_epoch": 99}
    (copy / "train.json").write_text(json.dumps(content))
    assert not {job.key for job in of("lidia", shifted)} & set(keys)


def test_seeds_come_after_all_first_ones() -> None:
    systems = read_systems({"a": {"seeds": 3}, "b": {}, "c": {"seeds": 2}})
    assert [run.name for run in list_runs(systems)] == ["a", "b", "c", "a_seed1", "c_seed1", "a_seed2"]
    keys = [make_training_job(places(), run, {}, 0.0) for run in list_runs(systems)]
    assert keys[3].command[-2:] == ["--seed", "1"] and "--seed" not in keys[0].command
    assert count_steps(places(), list_runs(systems)[0], {"max_epochs": 3, "steps_per_epoch": 5}) == 15


def test_invalid_systems_are_refused() -> None:
    for systems, text in (
        ({"a": {"overlay": []}}, "'a': unknown overlay"),
        ({"a": {"table": 1, "rule": "mean"}}, "unknown rule 'mean'"),
        ({"a": {"seeds": 2}, "a_seed1": {}}, "a_seed1"),
        ({"a": {"cohorts": ["abroad"]}}, "'a': unknown abroad"),
    ):
        with pytest.raises(ValueError, match=text):
            read_systems(systems)


def test_a_system_may_be_in_several_tables() -> None:
    rows = [{"table": 1, "paper": "LIDIA"}, {"table": 3, "paper": "+ACL", "label": "with ACL"}]
    entry, other, third = read_systems({
        "a": {"rows": rows, "label": "A"},
        "b": {"table": [1, 2], "rule": "branch"},
        "c": {},
    })
    assert [(row.table, row.label, row.paper) for row in entry.rows] == [
        (1, "A", "LIDIA"),
        (3, "with ACL", "+ACL"),
    ]
    assert [(row.table, row.rule) for row in other.rows] == [(1, "branch"), (2, "branch")]
    assert third.rows == ()


def test_existing_weights_are_evaluated_without_a_training() -> None:
    (system,) = read_systems({"shipped": {"weights": "models/model.pt", "cohorts": ["external"]}})
    run = Run(system, 0)
    weights = find_given_weights(places(), run)
    assert weights is not None and weights.after is None
    (job,) = make_evaluation_jobs(places(), run, weights, {}, 2.0)
    assert job.name == "shipped/external" and job.after is None
    assert job.command[job.command.index("--model_file") + 1] == str(BUNDLE / "models/model.pt")
    (other,) = make_evaluation_jobs(places(), run, weights._replace(key="other"), {}, 2.0)
    assert other.key != job.key, "other weights, another row"
    with pytest.raises(FileNotFoundError, match=r"none\.pt.*'a'"):
        find_given_weights(places(), Run(read_systems({"a": {"weights": "models/none.pt"}})[0], 0))


def test_subsets_of_phases_are_evaluated_on_the_same_patients() -> None:
    (system,) = read_systems({"lidia": {}})
    training = make_training_job(places(), Run(system, 0), {}, 0.0)
    jobs = list(
        make_phase_jobs(places(), Run(system, 0), locate_trained_weights(training), {}, 1.0, patients=100)
    )
    assert len(jobs) == len(list_phase_subsets()) == 15
    assert jobs[5].name == "lidia/phases/nc+venous" and jobs[5].cost == 100
    assert jobs[5].command[-6:] == [
        "--phases",
        "['nc', 'venous']",
        "--complete_only",
        "True",
        "--patients",
        "100",
    ]
    cases = make_cases_job(places(), Run(system, 0), locate_trained_weights(training), {}, 1.0, 4)
    assert "inference.json" in cases.command[6] and cases.after == "lidia/training"


def test_the_oracle_is_given_the_cohorts_alone() -> None:
    where = places()
    for job, cohort in zip(make_difficulty_jobs(where, 1.0), COHORTS, strict=True):
        inputs = dict(zip(job.command[7::2], job.command[8::2], strict=True))
        folders = {"--dataset_dir": "/a/internal", "--judged_dir": f"/a/{cohort}"}
        assert inputs == folders | {"--output": f"/a/oracle/{cohort}/difficulty.json"}
        assert job.after is None


def test_a_row_of_the_archive_is_not_run_again(tmp_path: Path) -> None:
    jobs = of("lidia", places())
    assert select_required(jobs, lambda job: is_kept(tmp_path, job)) == jobs
    training = jobs[0]._replace(folder=tmp_path / "run")
    training.folder.mkdir()
    (system,) = read_systems({"lidia": {}})
    store_result(tmp_path, training, places(), Run(system, 0), 10)
    budget = json.loads((tmp_path / "lidia/budget.json").read_text())
    assert budget["steps"] == 10 and budget["cpu_seconds"] is None and budget["key"] == training.key
    assert budget["command"].startswith("python -m monai.bundle run training")
    # Its weights are not kept: who judges them needs the training
    assert select_required(jobs, lambda job: is_kept(tmp_path, job)) == jobs
    for job in jobs[1:]:
        place = tmp_path / job.name
        place.mkdir(parents=True)
        (place / "job.json").write_text(json.dumps({"key": job.key}))
    assert select_required(jobs, lambda job: is_kept(tmp_path, job)) == []
    changed = of("lidia", places(), {"steps_per_epoch": 3})
    assert select_required(changed, lambda job: is_kept(tmp_path, job)) == changed
    assert select_required(changed, lambda job: is_kept(tmp_path, job, ["lidia"])) == []


def test_a_cohort_is_known_by_its_patients(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="phantom.json"):
        read_cohort(str(tmp_path))
    digests = set()
    for ids in ("AB", "AB", "AC"):
        items = [{"id": name, "phases": {"nc": f"{name}.nii.gz"}} for name in ids]
        (tmp_path / "dataset.json").write_text(json.dumps({"recipe": "cafe", "test": items}))
        cohort = read_cohort(str(tmp_path))
        assert cohort.counts == {"test": 2} and cohort.recipe == "cafe"
        digests.add(cohort.digest)
    assert len(digests) == 2


def test_every_system_of_the_config_is_sound() -> None:
    content = json.loads((BUNDLE.parent / "experiments/configs/study.json").read_text())
    systems = read_systems(content["systems"])
    assert len(systems) >= 14 and content["reference"] in content["systems"]
    for system in systems:
        assert all((BUNDLE / "configs/overlays" / name).is_file() for name in system.overlays)
        assert count_steps(places(), Run(system, 0), content["options"]) >= 1000
    seeds = {system.name: system.seeds for system in systems}
    assert seeds["lidia"] == seeds["nnunet"] == seeds["mask2former"] == 3
