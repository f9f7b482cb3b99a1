"""Formats the help of `lidia` and of its commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import Any

from scripts.lidia.cli.bundle_info import BUNDLE
from scripts.lidia.cli.command_table import COMMANDS, Command
from scripts.lidia.cli.option_meanings import find_meanings
from scripts.lidia.options.option_table import OPTIONS

CONFIGS = BUNDLE / "configs"
WIDTH = 100
OTHER_COMMANDS = {"info": "show version, folder, weights and packages of this installation"}
RESEARCH_ONLY = "Research only. Not a medical device, not for diagnosis."

PLAIN_MEANINGS = {
    "config": "with --run_id expressions: config whose code is listed without running it",
    "case_id": "id of the patient, the first part of the names of the result files",
    "device": "device that computes, such as cpu, cuda or cuda:1",
    "deidentify": "writes nothing that identifies the patient; `uids` also replaces the UIDs in SEG and SR",
    "dicom": "writes SEG and SR (DICOM) for a patient who came as DICOM",
    "explain": "adds the probabilities without each phase, which shows what a phase contributes",
    "learning_rate": "learning rate of the optimizer",
    "max_epochs": "number of epochs",
    "num_workers": "number of processes that load data",
    "pages": "writes a page (HTML) for each patient",
    "precision": "precision of the network; bf16 falls back to float32 on CPUs without it",
    "progress": "text beside the progress bar",
    "rank": "number of this process, from 0",
    "register": "method that registers the phases of a patient first; False: none",
    "skip_existing": "leaves out patients whose results are complete",
    "world_size": "number of processes that share the work",
}
"""Meanings of options whose components have no description for users."""
JOB_MEANINGS = {
    ("follow", "datalist"): "JSON file of the datalist; `dataset_dir/dataset.json` if none",
    ("follow", "register"): "method that aligns the dates of a patient; False: none",
    ("follow", "register_limit_s"): "time limit in seconds per pair of dates",
    ("predict", "liver"): "liver mask of the patient (NIfTI); without it the network finds the liver",
    ("predict", "model_file"): "file of weights, or a list of files for an ensemble",
    ("predict", "phase_map"): "series of a phase by number, UID or description, {'venous': '5'}",
    ("predict", "phases"): "phases to use, as if the others had not been scanned",
    (
        "predict",
        "rank",
    ): "number of this part of the cohort, from 0, such as the index in a job array",
    ("predict", "save_probabilities"): "writes the probability map of each class",
    ("predict", "world_size"): "number of parts into which independent processes divide the cohort",
    ("train", "output_dir"): "folder of weights, state and logs",
    ("train", "pretrained"): "weights to start from",
}
"""Meanings of options in one command."""
RUN_OPTIONS = {
    "config_file": "overlay on the config, or a list of them; a name is looked up in the working folder, "
    "then in the configs of the bundle",
    "logging_file": "settings of Python's logging",
    "tracking": "`mlflow`, or a file of settings such as the bundle's configs/mlflow.json",
    "args_file": "JSON or YAML file with options",
}
"""Options of MONAI's `run`, which every command takes."""


def format_overview() -> str:
    """Formats the help of `lidia` itself."""
    names = {name: command.summary for name, command in COMMANDS.items()} | OTHER_COMMANDS
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {summary}" for name, summary in names.items()]
    examples = [f"  {COMMANDS[name].examples[0]}" for name in ("phantom", "predict", "train")]
    return "\n".join([
        "lidia finds liver lesions on contrast-enhanced CT, names their types and gives probabilities.",
        RESEARCH_ONLY,
        "",
        "Usage: lidia COMMAND INPUT -o FOLDER [--option value]",
        "",
        "Commands:",
        *lines,
        "",
        "Examples:",
        *examples,
        "",
        "lidia COMMAND --help lists the options of a command. lidia --version shows the version.",
        "",
    ])


def format_command_help(command: Command) -> str:
    """Formats the help of a command: usage, examples, and all options of its config.

    Args:
        command: row of the table.
    """
    config = read_config(command)
    sentence = command.summary[0].upper() + command.summary[1:] + "."
    objects = [key for key, value in config.items() if key not in OPTIONS and isinstance(value, dict)]
    parts = ", ".join(objects)
    return "\n".join([
        f"Usage: lidia {command.name} {command.input_name} [-o FOLDER] [--option value]",
        "",
        sentence,
        "",
        _wrap(f"{command.input_name}: {command.input_help}", ""),
        f"-o FOLDER: the same as --{command.output_option}",
        "",
        "Examples:",
        *(f"  {example}" for example in command.examples),
        "",
        f"Options, the keys of configs/{command.config}:",
        *_format_options(command, config),
        "",
        "Options of every command:",
        *(line for key, text in RUN_OPTIONS.items() for line in (f"  --{key}", _wrap(text, "      "))),
        "",
        _wrap(
            f"Every other value of the config can be set too, levels joined by #, such as "
            f"--{objects[0]}#ARGUMENT value. Parts: {parts}.",
            "",
        )
        if objects
        else "",
        "",
    ])


def read_config(command: Command) -> dict[str, Any]:
    """Reads the config of a command."""
    content: dict[str, Any] = json.loads((CONFIGS / command.config).read_text(encoding="utf-8"))
    return content


def describe_options(command: Command, config: Mapping[str, Any]) -> dict[str, str]:
    """Finds the meaning of each option of a command.

    Args:
        command: row of the table.
        config: content of its config.

    Returns:
        Text by key, in the order of the config; "" for an option without a description.
    """
    meanings = find_meanings(config)
    return {
        key: JOB_MEANINGS.get((command.name, key)) or PLAIN_MEANINGS.get(key) or meanings.get(key, "")
        for key in config
        if key in OPTIONS
    }


def format_default(value: Any) -> str:
    """Formats the value of a config key for readers who do not know MONAI's expressions."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return "[" + ",".join(map(str, value)) + "]"
    text = str(value)
    if text.startswith("$torch.device"):
        return "cuda if it is available, else cpu"
    joined = re.fullmatch(r"\$@(\w+) \+ '([^']*)'", text)
    if joined:
        start = "the bundle's folder" if joined[1] == "bundle_root" else f"value of {joined[1]}"
        return f"{start} + {joined[2]}"
    return f"value of {text[1:]}" if text.startswith("@") else text


def _format_options(command: Command, config: Mapping[str, Any]) -> Iterator[str]:
    for key, meaning in describe_options(command, config).items():
        yield f"  --{key}  ({OPTIONS[key].name}; default: {format_default(config[key])})"
        if meaning:
            yield _wrap(meaning, "      ")


def _wrap(text: str, indent: str) -> str:
    return fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent or "  ", break_long_words=False)
