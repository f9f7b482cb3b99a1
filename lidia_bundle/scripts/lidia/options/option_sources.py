"""Where the values of a workflow come from: its config files, a caller's keywords, a command line.

MONAI merges all of them before any code of a bundle runs. The frames of MONAI and python-fire that are active
while a config is initialised still hold them apart.
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

OWN = frozenset(inspect.signature(ConfigWorkflow.__init__).parameters) - {"self", "override"}
RUN = OWN | {"args_file", "workflow_name"}
"""Parameters of MONAI's `run` and `create_workflow`, which are no options of a config."""
MAKERS = {"create_workflow": ("workflow_",), "run": ("workflow",), "run_workflow": ("workflow_",)}
"""Functions of MONAI that make a workflow, and what each calls it."""


class Given(NamedTuple):
    """What a caller gave."""

    files: tuple[str, ...] | None = None
    """Config files in their order; None if nobody knows them any more."""
    options: Mapping[str, Any] | None = None
    """Values that were laid over the files, by key; None if nobody knows which."""
    typed: Mapping[str, Sequence[str | None]] = {}
    """The same as they were typed on a command line, every occurrence; None where no value stands behind."""


def find_workflow(frame: FrameType | None) -> tuple[ConfigWorkflow | None, Given]:
    """Finds the workflow that is being initialised, and what it was made from.

    Args:
        frame: where to begin; the callers are searched.

    Returns:
        The workflow, or None outside of one.
    """
    workflow = None
    for caller in _callers(frame):
        if workflow is None:
            found = caller.f_locals.get("self")
            workflow = found if isinstance(found, ConfigWorkflow) else None
        elif any(caller.f_locals.get(name) is workflow for name in MAKERS.get(caller.f_code.co_name, ())):
            return workflow, _given(caller)
        elif caller.f_locals.get("self") is not workflow:
            break
    return workflow, Given()


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _given(create: FrameType) -> Given:
    """Reads the frame of MONAI's `create_workflow`, and that of python-fire behind `run`."""
    files = _listed(create.f_locals.get("config_file"))
    arguments = create.f_locals.get("_args")
    if arguments is None:
        names = ("override", "kwargs")
        arguments = next((create.f_locals[name] for name in names if name in create.f_locals), {})
        arguments = update_kwargs(create.f_locals.get("args_file"), **arguments)
        files = files or _listed(arguments.get("config_file"))
    normal = ReferenceResolver.normalize_id
    options = {normal(key).removeprefix("+"): value for key, value in arguments.items() if key not in RUN}
    typed: dict[str, list[str | None]] = {}
    for caller in list(_callers(create))[1:3]:
        if caller.f_code.co_name == "_CallAndUpdateTrace" and caller.f_globals.get("__name__") == "fire.core":
            typed = read_arguments(caller.f_locals["args"])
    for key in list(typed):
        if key in RUN:
            typed.pop(key)
    return Given(tuple(files), options, typed)


def _listed(files: Any) -> list[str]:
    """Config files as MONAI takes them: one, several, or several in one text."""
    if isinstance(files, str) and not Path(files).is_file() and "," in files:
        return files.split(",")
    return [str(file) for file in ensure_tuple(files)] if files else []


def read_arguments(arguments: Sequence[str]) -> dict[str, list[str | None]]:
    """Splits a command line as python-fire does, but leaves every value the text that was typed.

    Args:
        arguments: what stands behind `run`.

    Returns:
        Values by key, in their order; None for an option behind which no value stands.
    """
    typed: dict[str, list[str | None]] = {}
    words = iter(range(len(arguments)))
    for place in words:
        word = arguments[place]
        if not _is_option(word):
            continue
        key, equals, value = word.lstrip("-").partition("=")
        text: str | None = value if equals else None
        if not equals and place + 1 < len(arguments) and not _is_option(arguments[place + 1]):
            text = arguments[next(words)]
        key = ReferenceResolver.normalize_id(key.replace("-", "_")).removeprefix("+")
        if text is None and key.startswith("no") and not equals:
            typed.setdefault(key[2:], []).append("False")  # python-fire's --noX
        else:
            typed.setdefault(key, []).append(text)
    return typed


def _is_option(word: str) -> bool:
    """Whether python-fire takes a word for an option: `-1` is a number."""
    return word.startswith("--") or (word.startswith("-") and word[1:2].isalpha() and word[1:2].isascii())
