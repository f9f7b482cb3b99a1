"""Build and write a self-contained HTML page.

Styles, pictures and scripts are inside the file. Its content security policy blocks all network requests and
every script whose hash the policy does not list, so that text from a header or JSON cannot run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path

from scripts.lidia.atomic import write_text

CAUTION = "Research software. Not a medical device, not for diagnosis."
SYNTHETIC = "Everything on this page is synthetic: the patients are computed phantoms, not people."


def build_page(title: str, sections: Sequence[str], *, synthetic: bool, scripts: Sequence[str] = ()) -> str:
    """Wrap sections into a page.

    Args:
        title: heading of the page.
        sections: HTML blocks in their order.
        synthetic: whether the data are phantoms; the page then shows a note at its top.
        scripts: names of the scripts in this package that the page runs.

    Returns:
        The whole document.
    """
    style = _read_asset("style.css")
    code = [_read_asset(name) for name in scripts]
    hashes = " ".join(f"'sha256-{_hash_script(text)}'" for text in code) or "'none'"
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src {hashes}"
    )
    warning = f"<strong>{SYNTHETIC}</strong> {CAUTION}" if synthetic else CAUTION
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        '<a class="skip" href="#main">To the content</a>'
        f'<header><h1>{escape(title)}</h1><p class="warn">{warning}</p></header>'
        f'<main id="main">{"".join(sections)}</main><footer><p class="soft">{CAUTION}</p></footer>'
        f"{''.join(f'<script>{text}</script>' for text in code)}</body></html>\n"
    )


def _read_asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash_script(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def build_section(title: str, *blocks: str, name: str = "") -> str:
    """Build a section from a heading and its blocks; `name` is the target of links."""
    mark = f' id="{name}"' if name else ""
    return f"<section{mark}><h2>{escape(title)}</h2>{''.join(blocks)}</section>"


def write_page(
    path: Path, title: str, sections: Sequence[str], *, synthetic: bool, scripts: Sequence[str] = ()
) -> Path:
    """Write a page atomically.

    Args:
        path: the file.
        title: heading of the page.
        sections: HTML blocks in their order.
        synthetic: whether the data are phantoms.
        scripts: as in `build_page`.

    Returns:
        The absolute path.
    """
    path = path.absolute()
    write_text(path, build_page(title, sections, synthetic=synthetic, scripts=scripts))
    return path
