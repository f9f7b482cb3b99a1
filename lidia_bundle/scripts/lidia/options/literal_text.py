"""Protects text from MONAI's ConfigParser by converting it to a literal expression.

MONAI rewrites `#` to `::` in every string, resolves `@`, evaluates `$` and replaces `%`. The expression of a
string literal with escaped special characters yields the text itself, however often the config is parsed.
"""

from __future__ import annotations

from typing import Any

SPECIAL_CHARACTERS = "#@$%'\\"


def to_literal(value: Any) -> Any:
    """Converts texts, and lists and mappings of them, so that MONAI's parser does not change them.

    Only values are converted; keys of a mapping stay unchanged.
    """
    if isinstance(value, str):
        safe = not any(character in SPECIAL_CHARACTERS for character in value)
        return value if safe else "$'" + "".join(_escape(character) for character in value) + "'"
    if isinstance(value, dict):
        return {key: to_literal(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_literal(part) for part in value]
    return value


def _escape(character: str) -> str:
    plain = character.isascii() and character.isprintable() and character not in SPECIAL_CHARACTERS
    return character if plain else f"\\U{ord(character):08x}"
