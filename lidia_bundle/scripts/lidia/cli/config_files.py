"""Finds the config files of a command: its own config, then the overlays of `--config_file`."""

from __future__ import annotations

from pathlib import Path

from scripts.lidia.cli.command_error import CommandError
from scripts.lidia.cli.split_arguments import Arguments
from scripts.lidia.options.nearest_name import find_nearest
from scripts.lidia.options.option_kinds import as_paths


def list_config_files(config: Path, arguments: Arguments) -> list[Path]:
    """Lists the config files of a command in the order in which MONAI merges them.

    Args:
        config: config of the command.
        arguments: of the command. `--config_file` is a file, or a list `['a','b']` or `a,b`. It may be
            repeated.

    Returns:
        Absolute paths. A name that is no file in the working folder is one below the folder of `config`.

    Raises:
        CommandError: there is no such file.
    """
    files = [config]
    for key, value in arguments.options:
        if key == "config_file":
            if not value:
                raise CommandError(
                    "--config_file has no value: give a file, such as overlays/quick/fast.yaml"
                )
            files += [_find_file(text, config.parent) for text in _split(value)]
    return files


def _split(text: str) -> list[str]:
    if "," in text and not text.strip().startswith("[") and not Path(text).is_file():
        text = f"[{text}]"
    paths = as_paths(text)
    return paths if isinstance(paths, list) else [paths]


def _find_file(text: str, configs: Path) -> Path:
    for path in (Path(text).absolute(), configs / text):
        if path.is_file():
            return path
    names = [
        path.relative_to(configs).as_posix()
        for path in sorted(configs.rglob("*"))
        if path.suffix in (".json", ".yaml")
    ]
    nearest = find_nearest(text, names)
    hint = f"did you mean {nearest}?" if nearest else f"the overlays of the bundle are in {configs}"
    raise CommandError(f"--config_file {text}: there is no such file; {hint}")
