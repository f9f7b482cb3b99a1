"""Reads the inputs of the commands that take a folder or a list of cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lidia.cli.command_error import CommandError
from scripts.lidia.options.expand_paths import expand_home
from scripts.lidia.options.nearest_name import find_nearest


class JobInput(NamedTuple):
    """Input of a job, as options of its config."""

    options: dict[str, str]
    """Texts by key."""
    message: str = ""
    """What the input is, in one line or more."""
    warnings: tuple[str, ...] = ()


ReadInput = Callable[[Sequence[str], Path], JobInput]
"""Reads the inputs of a command; the second argument is the folder of its results."""


def resolve_path(text: str) -> Path:
    """Returns the absolute path of an input that exists.

    Raises:
        CommandError: it does not exist; the error names the most similar name in its folder.
    """
    try:
        path = Path(expand_home(text)).absolute()
    except ValueError as problem:
        raise CommandError(f"{text}: give {problem}") from problem
    if path.exists():
        return path
    if path.is_symlink():
        raise CommandError(f"{path} is a link to {path.readlink()}, which does not exist")
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        names = []
    missing = path.relative_to(folder).parts[0]
    nearest = find_nearest(missing, names)
    hint = f"did you mean {folder / nearest}?" if nearest else f"{folder} has no {missing}"
    raise CommandError(f"{path}: there is no such file or folder; {hint}")


def require_one(inputs: Sequence[str]) -> Path:
    """Returns the path of the only input.

    Raises:
        CommandError: there are several, or it does not exist.
    """
    if len(inputs) > 1:
        listed = ", ".join(inputs)
        raise CommandError(f"this command takes one input, not {len(inputs)}: {listed}. Quote spaces.")
    return resolve_path(inputs[0])


def read_dataset(inputs: Sequence[str], _output_dir: Path) -> JobInput:
    """Reads a data set: its folder, or the JSON file of a datalist.

    Raises:
        CommandError: the input is neither.
    """
    path = require_one(inputs)
    if path.is_dir():
        return JobInput({"dataset_dir": str(path)})
    if path.suffix.lower() == ".json":
        return JobInput({"dataset_dir": str(path.parent), "datalist": str(path)})
    raise CommandError(f"{path} is no data set: give its folder, or the JSON file of its datalist")


def take_folder(key: str) -> ReadInput:
    """Makes the function that gives an existing path to one option.

    Args:
        key: the option.
    """

    def read(inputs: Sequence[str], _output_dir: Path) -> JobInput:
        return JobInput({key: str(require_one(inputs))})

    return read


def take_folders(key: str) -> ReadInput:
    """Makes the function that gives one or more existing paths to one option.

    Args:
        key: the option.
    """

    def read(inputs: Sequence[str], _output_dir: Path) -> JobInput:
        return JobInput({key: repr([str(resolve_path(text)) for text in inputs])})

    return read


def take_new_path(key: str) -> ReadInput:
    """Makes the function that gives a path to one option that need not exist yet.

    Args:
        key: the option.
    """

    def read(inputs: Sequence[str], _output_dir: Path) -> JobInput:
        if len(inputs) > 1:
            raise CommandError(f"this command takes one path, not {len(inputs)}: {', '.join(inputs)}")
        return JobInput({key: inputs[0]})

    return read
