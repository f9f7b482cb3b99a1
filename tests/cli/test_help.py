"""The help: every option with meaning, kind and default, made from configs and docstrings, without torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli.conftest import Run

from scripts.lidia.cli.command_table import COMMANDS
from scripts.lidia.cli.help_text import (
    JOB_MEANINGS,
    PLAIN_MEANINGS,
    describe_options,
    format_command_help,
    format_default,
    format_overview,
    read_config,
)
from scripts.lidia.cli.option_meanings import find_meanings, parse_arguments
from scripts.lidia.options.option_table import OPTIONS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_has_a_meaning(name: str) -> None:
    config = read_config(COMMANDS[name])
    meanings = describe_options(COMMANDS[name], config)
    assert set(meanings) == set(config) & set(OPTIONS)
    assert all(meanings.values()), [key for key, text in meanings.items() if not text]
    assert not [key for key, text in meanings.items() if text.startswith("see ")]
    help_text = format_command_help(COMMANDS[name])
    for key in meanings:
        assert f"\n  --{key}  ({OPTIONS[key].name}; default: {format_default(config[key])})\n" in help_text
    assert all(len(line) <= 120 for line in help_text.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_row_are_keys_of_its_config(name: str) -> None:
    command = COMMANDS[name]
    config = read_config(command)
    assert {command.output_option, *command.input_options} <= set(config)
    assert command.run_id is None or command.run_id in config
    assert all(example.startswith(f"lidia {name} ") for example in command.examples)


def test_the_overview_names_every_command() -> None:
    assert all(f"\n  {name} " in format_overview() for name in (*COMMANDS, "info"))


def test_no_written_meaning_is_left_unused() -> None:
    keys = {name: set(read_config(command)) for name, command in COMMANDS.items()}
    assert set(PLAIN_MEANINGS) <= set().union(*keys.values())
    assert all(key in keys[name] for name, key in JOB_MEANINGS)


def test_meanings_come_from_the_components_that_receive_a_key(bundle: Path) -> None:
    inference = json.loads((bundle / "configs/inference.json").read_text(encoding="utf-8"))
    meanings = find_meanings(inference)
    assert meanings["overlap"] == "overlap of adjacent windows, as a share of the window"  # WindowInferer
    assert meanings["arterial"] == "the same for the arterial phase"  # through an alias and `**choices`
    phantom = json.loads((bundle / "configs/phantom.json").read_text(encoding="utf-8"))
    assert find_meanings(phantom)["cohort"] == "`internal`, `external` or `hard`"


def test_arguments_of_a_docstring_are_parsed() -> None:
    docstring = "Does it.\n\nArgs:\n    a: first\n        line.\n    b (int): second: part.\n    **c: rest.\n"
    docstring += "\nReturns:\n    d: e."
    assert parse_arguments(docstring) == {"a": "first line", "b": "second: part", "**c": "rest"}
    assert parse_arguments("Does it.") == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        ([2.5, 2.5, 2.5], "[2.5,2.5,2.5]"),
        (False, "False"),
        ("@input_dir", "value of input_dir"),
        ("$@bundle_root + '/models/model.pt'", "the bundle's folder + /models/model.pt"),
        ("$@output_dir + '/registered'", "value of output_dir + /registered"),
        (
            "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
            "cuda if it is available, else cpu",
        ),
    ],
)
def test_defaults_are_shown_without_expressions(value: object, text: str) -> None:
    assert format_default(value) == text


def test_help_and_info_load_neither_torch_nor_monai(lidia: Run, bundle: Path) -> None:
    code = (
        "import runpy, sys; sys.argv = ['lidia', *sys.argv[2:]]; "
        f"runpy.run_path({str(bundle / 'scripts/lidia/cli/entry.py')!r}, run_name='__main__'); "
        "assert not {'torch', 'monai', 'nibabel', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    import subprocess

    for words in (["--help"], ["predict", "--help"], ["info", "--json"]):
        process = subprocess.run(
            [sys.executable, "-c", code, "-", *words], capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stderr[-1000:]


def test_info_describes_the_bundle(lidia: Run, bundle: Path) -> None:
    content = json.loads(lidia("info", "--json").stdout)
    metadata = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))
    assert content["version"] == metadata["version"]
    assert Path(content["path"]) == bundle
    assert content["packages"]["torch"]["tested"] == metadata["pytorch_version"]
    assert content["packages"]["torch"]["installed"]
    assert len(content["weights"]["sha256"]) == 64
    assert lidia("--version").stdout.strip() == f"lidia {metadata['version']}"
    text = lidia("info").stdout
    assert str(bundle) in text and content["weights"]["sha256"] in text
