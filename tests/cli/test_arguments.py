"""Command lines: inputs, options, switches, and what MONAI's `run` is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lidia.cli.check_options import MONAI_OPTIONS, check_options
from scripts.lidia.cli.command_error import CommandError
from scripts.lidia.cli.config_files import list_config_files
from scripts.lidia.cli.split_arguments import Arguments, format_options, split_arguments
from scripts.lidia.options.option_sources import RUN_PARAMETERS, read_arguments
from scripts.lidia.options.unknown_keys import TRACKING


@pytest.mark.parametrize(
    ("words", "inputs", "options"),
    [
        (["a.nii.gz", "b.nii.gz"], ["a.nii.gz", "b.nii.gz"], []),
        (["study", "-o", "out"], ["study"], [("output_dir", "out")]),
        (["-o=out", "study"], ["study"], [("output_dir", "out")]),
        (["--output-dir", "out", "study"], ["study"], [("output_dir", "out")]),
        (["--tta", "study"], ["study"], [("tta", "True")]),  # a switch takes no path
        (["--tta", "false", "study"], ["study"], [("tta", "false")]),
        (["study", "--tta"], ["study"], [("tta", "True")]),
        (["--case_id", "007", "study"], ["study"], [("case_id", "007")]),
        (["--case_id=a=b"], [], [("case_id", "a=b")]),
        (["--window", "-200,400"], [], [("window", "-200,400")]),
        (["--overlap", "--tta"], [], [("overlap", None), ("tta", "True")]),
        (["--inferer#margin_mm", "30"], [], [("inferer#margin_mm", "30")]),
        (["--tta", "--", "-study", "--help"], ["-study", "--help"], [("tta", "True")]),
    ],
)
def test_words_become_inputs_and_options(
    words: list[str], inputs: list[str], options: list[tuple[str, str | None]]
) -> None:
    assert split_arguments(words, "output_dir") == Arguments(inputs, options, wants_help=False)


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_is_found_behind_other_words(word: str) -> None:
    assert split_arguments(["study", "--tta", word], "output_dir").wants_help


def test_the_job_reads_the_same_texts_that_were_typed() -> None:
    options = [("case_id", "007"), ("nc", "a=b -c.nii"), ("inferer#margin_mm", "3"), ("overlap", None)]
    typed = read_arguments(format_options(options))
    assert typed == {"case_id": ["007"], "nc": ["a=b -c.nii"], "inferer::margin_mm": ["3"], "overlap": [None]}


def read_files(value: str | None, configs: Path) -> list[str]:
    """Config files of `--config_file VALUE`, without the command's own."""
    arguments = Arguments([], [("config_file", value)], wants_help=False)
    first, *rest = list_config_files(configs / "train.json", arguments)
    assert first == configs / "train.json"
    return [str(path) for path in rest]


def test_overlays_are_files_of_the_user_or_of_the_bundle(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = bundle / "configs"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my, own.yaml").write_text("seed: 3\n", encoding="utf-8")
    own, quick = str(tmp_path / "my, own.yaml"), str(configs / "overlays/quick/fast.yaml")
    assert read_files("my, own.yaml", configs) == [own]  # the comma is part of the name
    assert read_files("overlays/quick/fast.yaml", configs) == [quick]
    assert read_files(f"{quick},overlays/recipes/sam.yaml", configs) == [
        quick,
        str(configs / "overlays/recipes/sam.yaml"),
    ]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("overlays/quick/fats.yaml", "did you mean overlays/quick/fast.yaml?"),
        ("zzz.yaml", "no such file"),
        (None, "no value"),
    ],
)
def test_a_missing_overlay_names_the_nearest(bundle: Path, value: str | None, part: str) -> None:
    with pytest.raises(CommandError, match="--config_file") as caught:
        read_files(value, bundle / "configs")
    assert part in str(caught.value)


KEYS = ("overlap", "output_dir", "precision")


def test_options_of_monai_are_not_taken_for_misspelt_ones() -> None:
    names = RUN_PARAMETERS | TRACKING
    assert names.difference(MONAI_OPTIONS, KEYS) == set()
    for name in names:
        check_options(Arguments([], [(name, "x")], wants_help=False), [*KEYS, name + "s"])


@pytest.mark.parametrize(
    "options",
    [
        [("overlap", "0.5")],
        [("overlap#x", "0.5")],  # the config knows the arguments of its components
        [("bf16", "True")],  # renamed: the config names the new key
        [("zzz", "1")],  # the config lists its options
        [("_overlp", "1")],
        [("overlp", "0.5"), ("config_file", "mine.yaml")],  # perhaps a key of that file
    ],
)
def test_what_only_the_config_can_judge_passes(options: list[tuple[str, str | None]]) -> None:
    check_options(Arguments([], options, wants_help=False), KEYS)


def test_a_misspelt_option_names_the_nearest() -> None:
    with pytest.raises(CommandError, match="--outptu.*--output_dir"):
        check_options(Arguments([], [("overlap", "0"), ("outptu", "o")], wants_help=False), KEYS)
