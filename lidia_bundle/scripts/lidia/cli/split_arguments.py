"""Splits a command line into inputs and options, and keeps every value as the text that was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scripts.lidia.options.command_line import is_option
from scripts.lidia.options.option_kinds import FLAG, NO, YES
from scripts.lidia.options.option_table import OPTIONS

HELP = ("--help", "-h")


class Arguments(NamedTuple):
    """Arguments of a command."""

    inputs: list[str]
    """Words that are no options, such as paths."""
    options: list[tuple[str, str | None]]
    """Key and value of each option, in their order; None for an option without a value."""
    wants_help: bool

    def find(self, key: str) -> str | None:
        """Returns the last value of an option; None if it was not given."""
        return next((value for name, value in reversed(self.options) if name == key), None)

    @property
    def keys(self) -> set[str]:
        """Keys of the options."""
        return {key for key, _ in self.options}


def split_arguments(words: Sequence[str], output_option: str) -> Arguments:
    """Splits the words after the name of a command.

    A word that begins with `--` is an option. The next word is its value, unless that is an option too. A
    switch such as `--tta` takes the next word only if that is `true`, `false` or the like. All words behind
    a single `--` are inputs.

    Args:
        words: as typed.
        output_option: key that `-o` stands for.
    """
    inputs: list[str] = []
    options: list[tuple[str, str | None]] = []
    words, rest = _split_at_separator(words)
    places = iter(range(len(words)))
    for place in places:
        word = words[place]
        if word in HELP:
            return Arguments(inputs, options, wants_help=True)
        if not is_option(word):
            inputs.append(word)
            continue
        name, equals, text = word.lstrip("-").partition("=")
        key = output_option if word.partition("=")[0] == "-o" else name.replace("-", "_")
        value: str | None = text if equals else None
        if not equals and place + 1 < len(words) and _is_value(key, words[place + 1]):
            value = words[next(places)]
        if value is None and OPTIONS.get(key) is FLAG:
            value = "True"
        options.append((key, value))
    return Arguments([*inputs, *rest], options, wants_help=False)


def format_options(options: Sequence[tuple[str, str | None]]) -> list[str]:
    """Formats options as words of a command line, one word each."""
    return [f"--{key}" if value is None else f"--{key}={value}" for key, value in options]


def _split_at_separator(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    if "--" not in words:
        return words, ()
    place = list(words).index("--")
    return words[:place], words[place + 1 :]


def _is_value(key: str, word: str) -> bool:
    """Whether a word is the value of the option before it."""
    if is_option(word):
        return False
    return OPTIONS.get(key) is not FLAG or word.strip().lower() in (*YES, *NO)
