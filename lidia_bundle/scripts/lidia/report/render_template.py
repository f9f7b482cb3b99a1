"""Render the HTML templates of the report; text is escaped, `Markup` is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=StrictUndefined,
)
_TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}


def render_template(template: str, /, **content: Any) -> Markup:
    """Render `templates/TEMPLATE.html.jinja`.

    Args:
        template: name.
        content: variables of the template; text is escaped unless it is `Markup`.
    """
    return Markup(_TEMPLATES.get_template(f"{template}.html.jinja").render(content))
