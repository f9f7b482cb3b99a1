"""Applies the table of options to a workflow, before anything of its job is made."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle.config_item import ConfigExpression, ConfigItem

from scripts.lidia.options.expand_paths import check_writable
from scripts.lidia.options.literal_text import literal
from scripts.lidia.options.option_kinds import FLAG, MAPPING, PATH, PATHS, TEXT, Kind
from scripts.lidia.options.option_sources import Given, find_workflow
from scripts.lidia.options.option_table import OPTIONS, WRITTEN
from scripts.lidia.options.renamed_keys import RELEASE, find_new_key, list_old_keys, list_old_targets
from scripts.lidia.options.unknown_keys import SEP, unknown_keys

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
STATE = "_lidia_options"


class OptionError(ValueError):
    """Options that were given and cannot be taken: one line each."""


class State(NamedTuple):
    """What is remembered of a workflow between two calls of its `initialize`."""

    given: Given
    base: dict[str, Any]
    """Merged content of the bundle's own configs among its files."""
    own: dict[str, set[str]]
    """Expressions that stand in config files, by key."""
    taken: dict[str, Any]
    """What this module wrote into the config, by key."""


def apply_options(frame: FrameType | None) -> None:
    """Checks the options of the workflow that is being initialised, and makes text of what is text.

    Args:
        frame: of the caller; the workflow is looked for behind it. Without one nothing happens.

    Raises:
        OptionError: an option is unknown, was given twice, or holds what it cannot hold.
    """
    workflow, given = find_workflow(frame)
    if workflow is None:
        return
    state = workflow.__dict__.get(STATE)
    if state is None:
        state = workflow.__dict__[STATE] = _state(workflow, given)
        given = state.given
    else:
        given = Given(state.given.files)
    problems = [*_strange(workflow, state, given), *_misfits(workflow.parser, state, given)]
    if problems:
        raise OptionError("\n".join(problems))


def _state(workflow: ConfigWorkflow, given: Given) -> State:
    files = _candidates(workflow) if given.files is None else [Path(file) for file in given.files]
    contents = {file: ConfigParser.load_config_file(str(file)) for file in files}
    if given.files is None:
        keys = set(workflow.parser.get())
        entries = {f: c for f, c in contents.items() if "bootstrap" in c and set(c) <= keys}
        laid = {f: c for f, c in contents.items() if "bootstrap" not in c and _fits(c, keys)}
        contents = {**entries, **laid}
    own: dict[str, set[str]] = {}
    for content in contents.values():
        for key, value in content.items():
            if isinstance(value, str):
                own.setdefault(key, set()).add(value)
    base: dict[str, Any] = {}
    for place, (file, content) in enumerate(contents.items()):
        if place == 0 or CONFIGS in file.resolve().parents:
            _lay_over(base, content)
    return State(given, base, own, {})


def _candidates(workflow: ConfigWorkflow) -> list[Path]:
    """Config files from which a workflow may have been made that was not made by `create_workflow`."""
    folders = {Path(workflow.config_root_path).resolve(), CONFIGS}
    kinds, others = (".json", ".yaml", ".yml"), ("metadata.json", "mlflow.json")
    paths = [path for folder in sorted(folders) for path in sorted(folder.rglob("*"))]
    return [path for path in paths if path.suffix in kinds and path.name not in others]


def _lay_over(base: dict[str, Any], content: Mapping[str, Any]) -> None:
    """Adds the keys of a config: nested ones as far as the block that they belong to is there."""
    parser = ConfigParser(base)
    for key, value in content.items():
        name = key.removeprefix("+")
        with suppress(KeyError, IndexError, ValueError, TypeError):
            if name == key or name not in parser or not isinstance(value, dict):
                parser[name] = value
            else:
                parser[name] = {**parser[name], **value}


def _fits(content: Mapping[str, Any], keys: set[str]) -> bool:
    return all(key.lstrip("+").replace("#", SEP).split(SEP)[0] in keys for key in content)


def _strange(workflow: ConfigWorkflow, state: State, given: Given) -> list[str]:
    """Options that are unknown or stand twice, and run ids that are not there."""
    problems = [
        f"{_shown(key, given)} was given {len(values)} times: {', '.join(map(str, values))}"
        for key, values in given.typed.items()
        if len(values) > 1
    ]
    ids = [str(name) for name in (workflow.init_id, workflow.run_id, workflow.final_id)]
    if not state.base:
        return problems
    options = ", ".join(sorted(key for key in OPTIONS if key in state.base))
    unknown = dict(unknown_keys(workflow.parser, state.base, ids))
    unknown |= dict.fromkeys(list_old_keys(workflow.parser.get(), state.base), "")
    for key, near in unknown.items():
        hint = f"did you mean {_shown(near, given)}?" if near else f"its options are {options}"
        new = find_new_key(key)
        if new:
            hint = f"since release {RELEASE} it is {_shown(new, given)}"
        elif near and "#" in key:
            hint = f"did you mean {_shown(key.rpartition('#')[0] + '#' + near, given)}?"
        problems.append(f"{_shown(key, given)}: there is no such option; {hint}")
    for key, old, new in list_old_targets(workflow.parser.get()):
        problems.append(f"{key}: there is no {old}; since release {RELEASE} its _target_ is {new}")
    runs = [key for key, part in state.base.items() if key != "initialize" and _runs(part)]
    for name in {workflow.init_id, workflow.run_id, workflow.final_id} - {"initialize", "finalize"}:
        if name not in workflow.parser:
            what = f"{name!r}: the config has no such run; its runs are {', '.join(sorted({*runs, 'run'}))}"
            problems.append(f"{what}. A value with spaces needs quotes.")
    return problems


def _runs(part: Any) -> bool:
    """Whether a value of a config is the steps of a run."""
    return isinstance(part, list) and part[:1] == ["@bootstrap"]


def _misfits(parser: ConfigParser, state: State, given: Given) -> list[str]:
    """Writes every option as its kind wants it; gives a line for each that cannot be."""
    problems = []
    for key, kind in OPTIONS.items():
        if key not in parser.get() and key not in given.typed:
            continue
        value, outside = _value(key, parser, given)
        if value is None and key in given.typed:
            problems.append(f"{_shown(key, given)} has no value: give {kind.name}")
        if value is None or key not in parser.get() or value == state.taken.get(key, given):
            continue
        if _keeps(key, value, kind, state, outside=outside):
            continue
        try:
            _refuse_lost(key, value, kind, given, outside=outside)
            found = kind.convert(value)
            if key in WRITTEN and outside:
                check_writable(found)
            found = literal(found) if kind.text else found
        except ValueError as problem:
            problems.append(f"{_shown(key, given)} {_told(value)}: give {problem}")
            continue
        state.taken[key] = found
        _set(parser, key, found)
    return problems


def _refuse_lost(key: str, value: Any, kind: Kind, given: Given, *, outside: bool | None) -> None:
    """Refuses a text of which MONAI or a file's reader has left something else than what was written.

    Raises:
        ValueError: it says how to write the text so that it is kept.
    """
    if kind in (TEXT, PATH, PATHS) and outside is False and isinstance(value, int | float):
        raise ValueError(f'a text; write it in quotes in the config file, as {key}: "{value}"')
    whole = isinstance(value, str) and outside is True
    if kind.text and not whole and outside is not False and key not in given.typed and "::" in str(value):
        raise ValueError(
            "a text without ::, which may have been a #; monai.bundle.create_workflow and the command line "
            "keep both in a single text"
        )


def _value(key: str, parser: ConfigParser, given: Given) -> tuple[Any, bool | None]:
    """The value of an option as near to its source as can be, and whether it comes from outside the files."""
    if key in given.typed:
        typed = given.typed[key][-1]
        return (True if typed is None and OPTIONS[key] is FLAG else typed), True
    if given.options is None:
        return parser.get(key), None
    return (given.options[key], True) if key in given.options else (parser.get(key), False)


def _keeps(key: str, value: Any, kind: Kind, state: State, *, outside: bool | None) -> bool:
    """Whether a value stays as it is: an expression or an object, where one may stand."""
    if outside is not True and isinstance(state.base.get(key, value), dict) and not isinstance(value, str):
        return kind is not MAPPING
    listed = state.base.get(key)
    if isinstance(listed, dict) or _runs(listed):
        return True
    if not isinstance(value, str) or value[:1] not in ("$", "@", "%"):
        return not isinstance(value, str | int | float | bool | list | tuple | dict) and outside is not True
    if not kind.text:
        return True
    return outside is False or (outside is None and value in state.own.get(key, ()))


def _set(parser: ConfigParser, key: str, value: Any) -> None:
    """Replaces a value of a config that is already parsed, and nothing of which was made yet."""
    parser.get()[key] = value
    resolver = parser.ref_resolver
    for name in [name for name in resolver.items if name == key or name.startswith(key + SEP)]:
        del resolver.items[name]
        resolver.resolved_content.pop(name, None)
    _add(parser, key, value)


def _add(parser: ConfigParser, key: str, value: Any) -> None:
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            _add(parser, f"{key}{SEP}{name}", part)
    expression = ConfigExpression.is_expression(value)
    item = ConfigExpression(value, key, parser.globals) if expression else ConfigItem(value, key)
    parser.ref_resolver.add_item(item)


def _shown(key: str, given: Given) -> str:
    return f"--{key}" if given.typed or not given.options else f"{key}="


def _told(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "and so on"
