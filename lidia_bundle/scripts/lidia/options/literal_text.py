"""A text as MONAI's ConfigParser keeps it: what would be changed or evaluated becomes a literal expression.

MONAI rewrites `#` to `::` in every string, resolves `@`, evaluates `$` and replaces `%`. The expression of a
string literal, all odd characters escaped, yields the text itself however often the config is parsed.
"""

from __future__ import annotations

from typing import Any

ODD = "#@$%'\\"


def literal(value: Any) -> Any:
    """Gives a value whose texts survive MONAI's parser: texts, and lists and mappings of them.

    A key of a mapping that MONAI would take apart is not changed; only values are.
    """
    if isinstance(value, str):
        safe = not any(character in ODD for character in value)
        return value if safe else "$'" + "".join(_escaped(character) for character in value) + "'"
    if isinstance(value, dict):
        return {key: literal(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [literal(part) for part in value]
    return value


def _escaped(character: str) -> str:
    plain = character.isascii() and character.isprintable() and character not in ODD
    return character if plain else f"\\U{ord(character):08x}"
