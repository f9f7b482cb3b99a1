"""Finds the sources of a workflow's values: config files, keyword arguments, command line.

MONAI merges them before any code of a bundle runs. The frames of MONAI and python-fire that are active
while a config is initialised still hold them separately.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from monai.bundle import ConfigWorkflow, update_kwargs
from monai.bundle.reference_resolver import ReferenceResolver
from monai.utils import ensure_tuple

from scripts.lidia.options.command_line import is_option

WORKFLOW_PARAMETERS = frozenset(inspect.signature(ConfigWorkflow.__init__).parameters) - {"self", "override"}
RUN_PARAMETERS = WORKFLOW_PARAMETERS | {"args_file", "workflow_name"}
"""Parameters of MONAI's `run` and `create_workflow`, which are not options of a config."""
WORKFLOW_FACTORIES = {"create_workflow": "workflow_", "run": "workflow", "run_workflow": "workflow_"}
"""Functions of MONAI that create a workflow, and the local variable that holds it."""


class CallerOptions(NamedTuple):
    """Values that a caller gave."""

    files: tuple[str, ...] | None = None
    """Config files in their order; None if unknown."""
    options: Mapping[str, Any] | None = None
    """Values that override the files, by key; None if unknown."""
    typed: Mapping[str, Sequence[str | None]] = {}
    """All occurrences on the command line, by key, as typed; None for an option without a value."""


def find_workflow(frame: FrameType | None) -> tuple[ConfigWorkflow | None, CallerOptions]:
    """Finds the workflow that is being initialised, and its sources.

    Args:
        frame: first frame; its callers are searched.

    Returns:
        The workflow, or None if there is none, and the values that its caller gave.
    """
    workflow = None
    for caller in _iterate_callers(frame):
        if workflow is None:
            candidate = caller.f_locals.get("self")
            workflow = candidate if isinstance(candidate, ConfigWorkflow) else None
        elif caller.f_locals.get(WORKFLOW_FACTORIES.get(caller.f_code.co_name, "")) is workflow:
            return workflow, _read_frames(caller)
        elif caller.f_locals.get("self") is not workflow:
            break
    return workflow, CallerOptions()


def _iterate_callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _read_frames(create: FrameType) -> CallerOptions:
    """Reads the frame of MONAI's `create_workflow`, and that of python-fire behind `run`."""
    files = _split_files(create.f_locals.get("config_file"))
    arguments = create.f_locals.get("_args")
    if arguments is None:
        names = ("override", "kwargs")
        arguments = next((create.f_locals[name] for name in names if name in create.f_locals), {})
        arguments = update_kwargs(create.f_locals.get("args_file"), **arguments)
        files = files or _split_files(arguments.get("config_file"))
    normal = ReferenceResolver.normalize_id
    overrides = {key: value for key, value in arguments.items() if key not in RUN_PARAMETERS}
    options = {normal(key).removeprefix("+"): value for key, value in overrides.items()}
    typed: dict[str, list[str | None]] = {}
    for caller in list(_iterate_callers(create))[1:3]:
        if caller.f_code.co_name == "_CallAndUpdateTrace" and caller.f_globals.get("__name__") == "fire.core":
            typed = read_arguments(caller.f_locals["args"])
    typed = {key: values for key, values in typed.items() if key not in RUN_PARAMETERS}
    return CallerOptions(tuple(files), options, typed)


def _split_files(files: Any) -> list[str]:
    """Splits config files as MONAI does: one, several, or several in one text."""
    if isinstance(files, str) and not Path(files).is_file() and "," in files:
        return files.split(",")
    return [str(file) for file in ensure_tuple(files)] if files else []


def read_arguments(arguments: Sequence[str]) -> dict[str, list[str | None]]:
    """Splits a command line as python-fire does, but keeps every value as text.

    Args:
        arguments: arguments after `run`.

    Returns:
        Values by key, in their order; None for an option without a value.
    """
    typed: dict[str, list[str | None]] = {}
    words = iter(range(len(arguments)))
    for place in words:
        word = arguments[place]
        if not is_option(word):
            continue
        key, equals, value = word.lstrip("-").partition("=")
        text: str | None = value if equals else None
        if not equals and place + 1 < len(arguments) and not is_option(arguments[place + 1]):
            text = arguments[next(words)]
        key = ReferenceResolver.normalize_id(key.replace("-", "_")).removeprefix("+")
        if text is None and key.startswith("no") and not equals:
            key, text = key[2:], "False"  # python-fire's --noX
        typed.setdefault(key, []).append(text)
    return typed
