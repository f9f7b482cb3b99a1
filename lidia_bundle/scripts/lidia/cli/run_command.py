"""Runs a command line of `lidia`: finds the input, and hands everything else to MONAI's `run`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.cli.bundle_info import print_info, read_version
from scripts.lidia.cli.check_options import check_options
from scripts.lidia.cli.command_error import CommandError
from scripts.lidia.cli.command_table import COMMANDS, Command
from scripts.lidia.cli.config_files import list_config_files
from scripts.lidia.cli.help_text import (
    CONFIGS,
    OTHER_COMMANDS,
    format_command_help,
    format_overview,
    read_config,
)
from scripts.lidia.cli.split_arguments import HELP, Arguments, format_options, split_arguments
from scripts.lidia.options.expand_paths import expand_home
from scripts.lidia.options.nearest_name import find_nearest
from scripts.lidia.vocabulary import PHASES

OWN_OPTIONS = ("config_file", "run_id", "logging_file")
"""Options of MONAI's `run` that this module sets."""
TRUST_WARNING = "parsing config_file"
"""Start of MONAI's warning about configs of others, which does not apply to those of the bundle."""


def run_command(words: Sequence[str]) -> None:
    """Runs a command line.

    Args:
        words: without the name of the program.

    Raises:
        CommandError: the command or its input cannot be used. Errors of the job are those of its config.
    """
    name = words[0] if words else HELP[0]
    if name in (*HELP, "help"):
        sys.stdout.write(format_overview())
    elif name in ("--version", "version"):
        sys.stdout.write(f"lidia {read_version()}\n")
    elif name == "info":
        _run_with_fire(print_info, "info", _check_info_options(words[1:]))
    elif name in COMMANDS:
        _run_job(COMMANDS[name], words[1:])
    else:
        raise CommandError(_describe_unknown_command(name))


def _run_job(command: Command, words: Sequence[str]) -> None:
    arguments = split_arguments(words, command.output_option)
    if arguments.wants_help:
        sys.stdout.write(format_command_help(command))
        return
    check_options(arguments, read_config(command))
    files = list_config_files(CONFIGS / command.config, arguments)
    options = _read_input(command, arguments)
    options += [(key, value) for key, value in arguments.options if key not in OWN_OPTIONS]
    run_id = arguments.find("run_id") or command.run_id
    logging_file = arguments.find("logging_file") or str(CONFIGS / "logging.conf")
    own = [("run_id", run_id)] if run_id else []
    own += [("config_file", repr([str(file) for file in files])), ("logging_file", logging_file)]
    if all(CONFIGS in file.parents for file in files):
        warnings.filterwarnings("ignore", message=TRUST_WARNING)
    from monai.bundle import run  # takes seconds, which errors above do not need

    _run_with_fire(run, "run", format_options([*own, *options]))
    if (folder := _find_output(command, arguments)) is not None:
        sys.stdout.write(f"Results: {folder}\n")


def _run_with_fire(function: Any, name: str, words: Sequence[str]) -> None:
    import fire

    fire.Fire({name: function}, command=[name, *words], name="lidia")


def _read_input(command: Command, arguments: Arguments) -> list[tuple[str, str | None]]:
    """Reads the inputs of a command and prints what they are.

    Raises:
        CommandError: there is no input, or it was given twice.
    """
    named = arguments.keys.intersection(command.input_options)
    if not arguments.inputs:
        if command.needs_input and not named and "args_file" not in arguments.keys:
            raise CommandError(
                f"lidia {command.name} needs an input: {command.input_help} Example: {command.examples[0]}"
            )
        return []
    output_dir = _find_output(command, arguments) or Path.cwd()
    found = command.read_input(arguments.inputs, output_dir)
    others = named - set(PHASES) if set(found.options) & set(PHASES) else named
    if others:
        listed = ", ".join(f"--{key}" for key in sorted(others))
        raise CommandError(
            f"the input is given twice: {', '.join(arguments.inputs)} and {listed}. Give one of them."
        )
    if found.message:
        sys.stdout.write(f"Input: {found.message}\n")
    for warning in found.warnings:
        sys.stderr.write(f"Warning: {warning}\n")
    sys.stdout.flush()
    return [(key, value) for key, value in found.options.items() if key not in arguments.keys - set(PHASES)]


def _find_output(command: Command, arguments: Arguments) -> Path | None:
    """Returns the folder of the results; None if only the config knows it."""
    text = arguments.find(command.output_option)
    if text is None and not arguments.keys & {"config_file", "args_file"}:
        default = read_config(command).get(command.output_option)
        text = default if isinstance(default, str) and default[:1] not in ("$", "@", "%") else None
    try:
        return None if text is None else Path(expand_home(text)).absolute()
    except ValueError:
        return None  # the job reports it


def _check_info_options(words: Sequence[str]) -> Sequence[str]:
    """Checks the options of `lidia info`.

    Raises:
        CommandError: there is no such option.
    """
    for word in words:
        if word not in ("--json", *HELP):
            raise CommandError(f"lidia info has no {word}; its only option is --json")
    return words


def _describe_unknown_command(name: str) -> str:
    names = [*COMMANDS, *OTHER_COMMANDS]
    nearest = find_nearest(name, names)
    hint = f"did you mean lidia {nearest}?" if nearest else f"the commands are {', '.join(names)}"
    if Path(name).exists():
        hint = f"to analyse it: lidia predict {name}"
    return f"{name}: there is no such command; {hint}"
