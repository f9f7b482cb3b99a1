"""Options reach the job unchanged through python-fire and MONAI, for every config; no job is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fire
import monai.bundle
import pytest
from monai.bundle import ConfigWorkflow, create_workflow

from scripts.lidia.options.apply_options import OptionError

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"
KEYS = ("case_id", "output_dir", "tta", "phases", "model_file", "venous", "spacing", "patients")
TEXTS = [
    *("P#1", "P#2", "1e5", "2023_01_05", "007", "None", "True", "[x]", "{a}", "a,b", "-1", '"quoted"', "'x'"),
    *("Müller-Lüdenscheidt", "a b  c", "back\\slash", "$1", "@seed", "@", "@output_dir", "$@tta", "%tta"),
    *("a::b", "x=y", "--", "1_000", "0x10", "f'{1}'", "(1,2)", "日本", "a#b::c", "~"),
]


def own(problem: BaseException | None) -> OptionError:
    """The bundle's error under MONAI's."""
    while problem is not None and not isinstance(problem, OptionError):
        problem = problem.__cause__ or problem.__context__
    assert problem is not None
    return problem


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Runs a command line up to the job; gives the values that the job would see."""
    recorded: dict[str, Any] = {}

    def collect(workflow: ConfigWorkflow) -> None:
        for key in workflow.parser.get():
            if key in KEYS:
                recorded[key] = workflow.parser.get_parsed_content(key)

    def run(*text: str, config: str = "inference.json") -> dict[str, Any]:
        recorded.clear()
        command = ["run", "--config_file", str(CONFIGS / config), "--logging_file", "False", *text]
        fire.Fire({"run": monai.bundle.run}, command=command)
        return recorded

    monkeypatch.setattr(ConfigWorkflow, "run", collect)
    monkeypatch.setattr(ConfigWorkflow, "finalize", lambda workflow: None)
    monkeypatch.chdir(tmp_path)
    yield run


def test_texts_reach_the_job_unchanged(typed: Callable[..., dict[str, Any]]) -> None:
    for text in TEXTS:
        assert typed(f"--case_id={text}")["case_id"] == text
        assert text == "--" or typed("--case_id", text)["case_id"] == text


def test_paths_reach_the_job_as_they_were_typed(typed: Callable[..., dict[str, Any]]) -> None:
    for text in ("2024", "1e5", "a#b/c", "$x", "@tta/y", "runs/", "a,b", "Ärzte/x y", "./~x"):
        assert typed("--output_dir", text)["output_dir"] == text
    home = str(Path("~").expanduser())
    assert typed("--output_dir=~/x")["output_dir"] == f"{home}/x"
    assert typed("--model_file", "['a#1.pt', '~/b.pt']")["model_file"] == ["a#1.pt", f"{home}/b.pt"]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        (["--tta", "false"], "tta", False),
        (["--tta"], "tta", True),
        (["--notta"], "tta", False),
        (["--phases", "venous,arterial"], "phases", ["venous", "arterial"]),
        (["--phases", "venous"], "phases", ["venous"]),
        (["--phases", "['nc','venous']"], "phases", ["nc", "venous"]),
        (["--spacing", "2,2,2.5"], "spacing", [2.0, 2.0, 2.5]),
        (["--patients", "12"], "patients", 12),
        (["--output-dir", "x"], "output_dir", "x"),
        (["--patients", "$3 + 4"], "patients", 7),
    ],
)
def test_values_have_their_kind(
    typed: Callable[..., dict[str, Any]], text: list[str], key: str, value: object
) -> None:
    assert typed(*text)[key] == value


MISTAKES = [
    (["--venus", "x"], ["--venus", "--venous"]),
    (["--ouput_dir", "x"], ["--ouput_dir", "--output_dir"]),
    (["--datasetdir", "x"], ["--datasetdir", "--dataset_dir"]),
    (["--Venous", "x"], ["--Venous", "--venous"]),
    (["--case", "x"], ["--case", "--case_id"]),
    (["--over_lap", "0.5"], ["--over_lap", "--overlap"]),
    (["--network_def#chanels", "3"], ["--network_def#chanels", "--network_def#channels"]),
    (["--inferer#margin", "3"], ["--inferer#margin", "--inferer#margin_mm"]),
    (["--spacing", "2"], ["--spacing", "2", "3 numbers"]),
    (["--spacing", "[2,2]"], ["--spacing", "3 numbers"]),
    (["--patients", "ten"], ["--patients", "ten", "whole number"]),
    (["--patients", "0"], ["--patients", "at least 1"]),
    (["--overlap", "1.5"], ["--overlap", "1.5", "below 1"]),
    (["--tta", "maybe"], ["--tta", "maybe", "True or False"]),
    (["--phases", "portal"], ["--phases", "portal", "venous"]),
    (["--runtime", "onxx"], ["--runtime", "onnx"]),
    (["--register", "deeds"], ["--register", "greedy", "False"]),
    (["--window", "400,-200"], ["--window", "rising"]),
    (["--num_workers", "-1"], ["--num_workers", "at least 0"]),
    (["--device", "cuda:77"], ["--device", "cuda:77", "cpu"]),
    (["--device", "gpu"], ["--device", "gpu", "cpu"]),
    (["--venous", "a", "--venous", "b"], ["--venous", "2 times", "a, b"]),
    (["--output_dir", "--tta", "True"], ["--output_dir", "no value"]),
    (["--output_dir", ""], ["--output_dir", "not empty"]),
    (["--output_dir", "~nobody-here/x"], ["--output_dir", "no user nobody-here"]),
    (["--phase_map", "venous"], ["--phase_map", "mapping"]),
    (["results"], ["'results'", "evaluating"]),
]


@pytest.mark.parametrize(("text", "parts"), MISTAKES, ids=[" ".join(text) for text, _ in MISTAKES])
def test_a_typing_error_is_one_line_that_names_it(
    typed: Callable[..., dict[str, Any]], text: list[str], parts: list[str]
) -> None:
    with pytest.raises(RuntimeError) as raised:
        typed(*text)
    problem = str(own(raised.value))
    assert all(part in problem for part in parts), problem
    assert "\n" not in problem


def test_nothing_that_is_text_is_evaluated(typed: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    evil = f"$__import__('pathlib').Path(r'{marker}').touch()"
    for key in ("case_id", "output_dir", "venous", "model_file"):
        assert typed(f"--{key}", evil)[key] == evil
    workflow = create_workflow(
        config_file=str(CONFIGS / "inference.json"),
        logging_file=False,
        workflow_type=None,
        phase_map={"venous": evil, "nc": "@tta"},
        case_id=evil,
    )
    assert workflow.parser.get_parsed_content("phase_map") == {"venous": evil, "nc": "@tta"}
    workflow.initialize()
    assert workflow.parser.get_parsed_content("case_id") == evil
    assert not marker.exists()


ENTRIES = sorted(
    path.name
    for path in CONFIGS.glob("*.json")
    if path.name not in ("metadata.json", "mlflow.json") and not path.name.startswith("multi_gpu")
)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_config_refuses_unknown_keys(typed: Callable[..., dict[str, Any]], name: str) -> None:
    with pytest.raises(RuntimeError) as raised:
        typed("--ouput_dirr", "x", config=name)
    assert "--ouput_dirr" in str(own(raised.value))
    typed(config=name)


def test_options_of_create_workflow_are_checked_too(tmp_path: Path) -> None:
    def created(**options: Any) -> ConfigWorkflow:
        files = str(CONFIGS / "inference.json")
        workflow = ConfigWorkflow(files, logging_file=False, workflow_type=None, **options)
        workflow.initialize()
        return workflow

    marker = tmp_path / "marker"
    evil = f"$__import__('pathlib').Path(r'{marker}').touch()"
    assert created(case_id=evil).parser.get_parsed_content("case_id") == evil
    assert created(case_id=7).parser.get_parsed_content("case_id") == "7"
    parser = created(bundle_root=str(CONFIGS.parent), device="cpu").parser
    assert parser.get_parsed_content("device").type == "cpu"
    for wrong in ({"venus": "x"}, {"overlap": 2}, {"case_id": "P#1"}, {"case_id": 1e5}):
        with pytest.raises(RuntimeError) as raised:
            created(**wrong)
        assert next(iter(wrong)) in str(own(raised.value))
    assert not marker.exists()


def test_a_user_s_own_file(tmp_path: Path) -> None:
    """Helper keys that the file refers to are its own business; a key that nothing uses is an error."""
    good = tmp_path / "good.yaml"
    good.write_text("""
_comment: mine
my_lr: 0.1
train#optimizer#lr: "@my_lr"
output_dir: "$@dataset_dir + '/o'"
""")
    lines = {"lerning_rate: 1": "lerning_rate", "pretrained: 007": "quotes", "train#optimizer#lrr: 1": "lr"}

    def created(file: Path) -> ConfigWorkflow:
        files = [str(CONFIGS / "train.json"), str(file)]
        return create_workflow(config_file=files, logging_file=False, workflow_type=None)

    parser = created(good).parser
    assert parser.get_parsed_content("output_dir") == "data/o"
    for number, (line, part) in enumerate(lines.items()):
        bad = tmp_path / f"bad{number}.yaml"
        bad.write_text(line)
        with pytest.raises(RuntimeError) as raised:
            created(bad)
        assert part in str(own(raised.value))
