"""One HTML file that needs nothing beside it: its frame, and how it is written.

Styles, pictures and scripts stand inside. The page's own policy forbids everything else: no address is
reached, and no script runs but those whose hash it names, whatever a header of a scan or a JSON may hold.
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


def page(title: str, sections: Sequence[str], *, synthetic: bool, scripts: Sequence[str] = ()) -> str:
    """Wrap sections into a page.

    Args:
        title: heading of the page.
        sections: HTML blocks in their order.
        synthetic: whether the data are phantoms; the page then says so at its top.
        scripts: names of the scripts beside this file that the page runs.

    Returns:
        The whole document; styles, scripts and pictures are inside.
    """
    style = _beside("style.css")
    code = [_beside(name) for name in scripts]
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in code) or "'none'"
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


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def section(title: str, *blocks: str, name: str = "") -> str:
    """A heading with what stands under it; `name` is where links lead."""
    mark = f' id="{name}"' if name else ""
    return f"<section{mark}><h2>{escape(title)}</h2>{''.join(blocks)}</section>"


def write_page(
    path: Path, title: str, sections: Sequence[str], *, synthetic: bool, scripts: Sequence[str] = ()
) -> Path:
    """Write a page, whole or not at all.

    Args:
        path: the file.
        title: heading of the page.
        sections: HTML blocks in their order.
        synthetic: whether the data are phantoms.
        scripts: as in `page`.

    Returns:
        The absolute path.
    """
    path = path.absolute()
    write_text(path, page(title, sections, synthetic=synthetic, scripts=scripts))
    return path
