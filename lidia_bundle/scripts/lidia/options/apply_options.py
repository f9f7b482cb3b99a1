"""Validates and converts the options of a workflow before its components are created."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle.config_item import ConfigExpression, ConfigItem

from scripts.lidia.options.expand_paths import check_writable
from scripts.lidia.options.literal_text import to_literal
from scripts.lidia.options.needed_overlays import find_missing_overlays
from scripts.lidia.options.option_kinds import FLAG, MAPPING, PATH, PATHS, TEXT, OptionKind
from scripts.lidia.options.option_sources import CallerOptions, find_workflow
from scripts.lidia.options.option_table import OPTIONS, OUTPUT_FOLDERS
from scripts.lidia.options.renamed_keys import (
    RELEASE,
    find_new_key,
    list_old_keys,
    list_old_targets,
    list_removed_items,
)
from scripts.lidia.options.unknown_keys import SEPARATOR, find_unknown_keys

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
STATE_ATTRIBUTE = "_lidia_options"


class OptionError(ValueError):
    """Invalid options, one line each."""


class OptionState(NamedTuple):
    """State of a workflow that is kept between two calls of its `initialize`."""

    caller: CallerOptions
    base: dict[str, Any]
    """Merged content of the bundle's own configs among the workflow's files."""
    own: dict[str, set[str]]
    """Texts in config files, by key."""
    converted: dict[str, Any]
    """Values that this module wrote into the config, by key."""


def apply_options(frame: FrameType | None) -> None:
    """Checks the options of the workflow that is being initialised, and converts them to their kinds.

    Args:
        frame: frame of the caller, whose callers are searched for the workflow. Without one nothing happens.

    Raises:
        OptionError: if an option is unknown, was given twice, or has an invalid value, or if an overlay is
            missing that another one needs.
    """
    workflow, caller = find_workflow(frame)
    if workflow is None:
        return
    state = workflow.__dict__.get(STATE_ATTRIBUTE)
    if state is None:
        state = workflow.__dict__[STATE_ATTRIBUTE] = _make_state(workflow, caller)
        caller = state.caller
    else:
        caller = CallerOptions(state.caller.files)
    problems = _find_unknown_options(workflow, state, caller)
    problems += map(str, find_missing_overlays(workflow.parser.get()))
    problems += _convert_options(workflow.parser, state, caller)
    if problems:
        raise OptionError("\n".join(problems))


def _make_state(workflow: ConfigWorkflow, caller: CallerOptions) -> OptionState:
    files = _list_candidates(workflow) if caller.files is None else [Path(file) for file in caller.files]
    contents = {file: ConfigParser.load_config_file(str(file)) for file in files}
    if caller.files is None:
        keys = set(workflow.parser.get())
        entries = {f: c for f, c in contents.items() if "bootstrap" in c and set(c) <= keys}
        overlays = {f: c for f, c in contents.items() if "bootstrap" not in c and _has_known_roots(c, keys)}
        contents = {**entries, **overlays}
    own: dict[str, set[str]] = {}
    for content in contents.values():
        for key, value in content.items():
            if isinstance(value, str):
                own.setdefault(key, set()).add(value)
    base: dict[str, Any] = {}
    for place, (file, content) in enumerate(contents.items()):
        if place == 0 or CONFIGS in file.resolve().parents:
            _merge_config(base, content)
    return OptionState(caller, base, own, {})


def _list_candidates(workflow: ConfigWorkflow) -> list[Path]:
    """Lists config files that a workflow may use that was not made by `create_workflow`."""
    folders = {Path(workflow.config_root_path).resolve(), CONFIGS}
    kinds, others = (".json", ".yaml", ".yml"), ("metadata.json", "mlflow.json")
    paths = [path for folder in sorted(folders) for path in sorted(folder.rglob("*"))]
    return [path for path in paths if path.suffix in kinds and path.name not in others]


def _merge_config(base: dict[str, Any], content: Mapping[str, Any]) -> None:
    """Merges the keys of a config; nested keys only if their block exists."""
    parser = ConfigParser(base)
    for key, value in content.items():
        name = key.removeprefix("+")
        with suppress(KeyError, IndexError, ValueError, TypeError):
            if name == key or name not in parser or not isinstance(value, dict):
                parser[name] = value
            else:
                parser[name] = {**parser[name], **value}


def _has_known_roots(content: Mapping[str, Any], keys: set[str]) -> bool:
    return all(key.lstrip("+").replace("#", SEPARATOR).split(SEPARATOR)[0] in keys for key in content)


def _find_unknown_options(workflow: ConfigWorkflow, state: OptionState, caller: CallerOptions) -> list[str]:
    """Returns a line for each unknown or repeated option and each unknown run id."""
    problems = [
        f"{_format_key(key, caller)} was given {len(values)} times: {', '.join(map(str, values))}"
        for key, values in caller.typed.items()
        if len(values) > 1
    ]
    ids = [str(name) for name in (workflow.init_id, workflow.run_id, workflow.final_id)]
    if not state.base:
        return problems
    options = ", ".join(sorted(key for key in OPTIONS if key in state.base))
    unknown = dict(find_unknown_keys(workflow.parser, state.base, ids))
    unknown |= dict.fromkeys(list_old_keys(workflow.parser.get(), state.base), "")
    for key, suggestion in unknown.items():
        hint = f"its options are {options}"
        if new_key := find_new_key(key):
            hint = f"since release {RELEASE} it is {_format_key(new_key, caller)}"
        elif suggestion:
            block, level, _ = key.rpartition("#")
            hint = f"did you mean {_format_key(block + level + suggestion, caller)}?"
        problems.append(f"{_format_key(key, caller)}: there is no such option; {hint}")
    for key, old, new_key in list_old_targets(workflow.parser.get()):
        problems.append(f"{key}: there is no {old}; since release {RELEASE} its _target_ is {new_key}")
    for key in list_removed_items(workflow.parser.get()):
        problems.append(
            f"{key}: since release {RELEASE} there is no such argument; a handler finds the patient's item "
            "in the batch. Remove the key."
        )
    runs = [key for key, part in state.base.items() if key != "initialize" and _is_run(part)]
    for name in {workflow.init_id, workflow.run_id, workflow.final_id} - {"initialize", "finalize"}:
        if name not in workflow.parser:
            what = f"{name!r}: the config has no such run; its runs are {', '.join(sorted({*runs, 'run'}))}"
            problems.append(f"{what}. A value with spaces needs quotes.")
    return problems


def _is_run(part: Any) -> bool:
    """Whether a value of a config is the list of steps of a run."""
    return isinstance(part, list) and part[:1] == ["@bootstrap"]


def _convert_options(parser: ConfigParser, state: OptionState, caller: CallerOptions) -> list[str]:
    """Converts every option to its kind; returns a line for each that is invalid."""
    problems = []
    for key, kind in OPTIONS.items():
        if key not in parser.get() and key not in caller.typed:
            continue
        value, outside = _read_source(key, parser, caller)
        if value is None and key in caller.typed:
            problems.append(f"{_format_key(key, caller)} has no value: give {kind.name}")
        if value is None or key not in parser.get() or value == state.converted.get(key, caller):
            continue
        if _is_kept(key, value, kind, state, outside=outside):
            continue
        try:
            _refuse_altered_text(key, value, kind, caller, outside=outside)
            converted = kind.convert(value)
            if key in OUTPUT_FOLDERS and outside:
                check_writable(converted)
            converted = to_literal(converted) if kind.text else converted
        except ValueError as problem:
            problems.append(f"{_format_key(key, caller)} {_shorten(value)}: give {problem}")
            continue
        state.converted[key] = converted
        _replace_value(parser, key, converted)
    return problems


def _refuse_altered_text(
    key: str, value: Any, kind: OptionKind, caller: CallerOptions, *, outside: bool | None
) -> None:
    """Refuses a text that MONAI or a file reader has changed.

    Raises:
        ValueError: the message says how to write the text so that it is kept.
    """
    if kind in (TEXT, PATH, PATHS) and outside is False and isinstance(value, int | float):
        raise ValueError(f'a text; write it in quotes in the config file, as {key}: "{value}"')
    whole = isinstance(value, str) and outside is True
    if kind.text and not whole and outside is not False and key not in caller.typed and "::" in str(value):
        raise ValueError(
            "a text without ::, which may have been a #; monai.bundle.create_workflow and the command line "
            "keep both in a single text"
        )


def _read_source(key: str, parser: ConfigParser, caller: CallerOptions) -> tuple[Any, bool | None]:
    """Returns the original value of an option, and whether it comes from outside the config files."""
    if key in caller.typed:
        typed = caller.typed[key][-1]
        return (True if typed is None and OPTIONS[key] is FLAG else typed), True
    if caller.options is None:
        return parser.get(key), None
    return (caller.options[key], True) if key in caller.options else (parser.get(key), False)


def _is_kept(key: str, value: Any, kind: OptionKind, state: OptionState, *, outside: bool | None) -> bool:
    """Whether a value stays unchanged: an expression or an object where these are allowed."""
    if outside is not True and isinstance(state.base.get(key, value), dict) and not isinstance(value, str):
        return kind is not MAPPING
    listed = state.base.get(key)
    if isinstance(listed, dict) or _is_run(listed):
        return True
    if not isinstance(value, str) or value[:1] not in ("$", "@", "%"):
        return not isinstance(value, str | int | float | bool | list | tuple | dict) and outside is not True
    if not kind.text:
        return True
    return outside is False or (outside is None and value in state.own.get(key, ()))


def _replace_value(parser: ConfigParser, key: str, value: Any) -> None:
    """Replaces a value of a parsed config whose components do not exist yet."""
    parser.get()[key] = value
    resolver = parser.ref_resolver
    for name in [name for name in resolver.items if name == key or name.startswith(key + SEPARATOR)]:
        del resolver.items[name]
        resolver.resolved_content.pop(name, None)
    _add_items(parser, key, value)


def _add_items(parser: ConfigParser, key: str, value: Any) -> None:
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            _add_items(parser, f"{key}{SEPARATOR}{name}", part)
    expression = ConfigExpression.is_expression(value)
    item = ConfigExpression(value, key, parser.globals) if expression else ConfigItem(value, key)
    parser.ref_resolver.add_item(item)


def _format_key(key: str, caller: CallerOptions) -> str:
    return f"--{key}" if caller.typed or not caller.options else f"{key}="


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + " (cut)"
