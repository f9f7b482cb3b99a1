"""Build and write a self-contained HTML page.

Styles, pictures and scripts are inside the file. Its content security policy blocks all network requests and
every script whose hash the policy does not list, so that text from a header or JSON cannot run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from scripts.lidia.atomic import write_text
from scripts.lidia.report.render_template import render_template


def _read_asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash_script(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def build_section(title: str, *blocks: str, name: str = "") -> Markup:
    """Build a section from a heading and its blocks; `name` is the target of links."""
    return render_template("section", title=title, blocks=blocks, name=name)


def write_page(
    path: Path, title: str, sections: Sequence[str], *, synthetic: bool, scripts: Sequence[str] = ()
) -> Path:
    """Write a page atomically.

    Args:
        path: the file.
        title: heading of the page.
        sections: HTML blocks (`Markup`) in their order.
        synthetic: whether the data are phantoms; the page then shows a note at its top.
        scripts: names of the scripts in this package that the page runs.
    """
    path, code = path.absolute(), [_read_asset(script) for script in scripts]
    page = render_template(
        "page",
        title=title,
        sections=sections,
        synthetic=synthetic,
        style=_read_asset("style.css"),
        code=code,
        hashes=" ".join(f"'sha256-{_hash_script(text)}'" for text in code) or "'none'",
    )
    write_text(path, page)
    return path
