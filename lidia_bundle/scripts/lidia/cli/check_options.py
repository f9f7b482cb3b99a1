"""Finds misspelt options before MONAI is loaded, which takes seconds."""

from __future__ import annotations

from collections.abc import Collection

from scripts.lidia.cli.command_error import CommandError
from scripts.lidia.cli.split_arguments import Arguments
from scripts.lidia.options.nearest_name import find_nearest
from scripts.lidia.options.renamed_keys import find_new_key

MONAI_OPTIONS = frozenset((
    "args_file",
    "config_file",
    "evaluator",
    "experiment_name",
    "final_id",
    "init_id",
    "is_not_rank0",
    "logging_file",
    "meta_file",
    "properties_path",
    "run_id",
    "run_name",
    "save_execute_config",
    "tracking",
    "tracking_uri",
    "trainer",
    "validator",
    "workflow_name",
    "workflow_type",
))
"""Options of MONAI's `run`, and keys that its experiment tracking adds."""


def check_options(arguments: Arguments, keys: Collection[str]) -> None:
    """Checks the names of options without levels (`#`) against the keys of a command's config.

    Only a name that resembles a key is an error here. The config reports all others, and those of a command
    line with configs of the user.

    Args:
        arguments: of the command.
        keys: of its config.

    Raises:
        CommandError: an option is not a key, and resembles one.
    """
    if arguments.keys & {"config_file", "args_file"}:
        return
    for key, _ in arguments.options:
        if not key.isidentifier() or key.startswith("_") or key in keys or key in MONAI_OPTIONS:
            continue
        nearest = find_nearest(key, [name for name in keys if not name.startswith("_")])
        if nearest and not find_new_key(key):
            raise CommandError(f"--{key}: there is no such option; did you mean --{nearest}?")
