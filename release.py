"""Packs the bundle for release: one zip that `monai.bundle.download(url=...)` unpacks (`make release`).

The same bundle gives the same bytes on every machine: sorted names, one time and one mode for all, and
nothing is compressed, since compressors differ and the weights, most of it, would hardly shrink.
"""

from __future__ import annotations

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile, ZipInfo

CONTENT = (
    "LICENSE",
    "configs/**/*.json",
    "configs/**/*.yaml",
    "configs/logging.conf",
    "docs/**/*.md",
    "docs/**/*.txt",
    "docs/**/*.log",
    "docs/**/*.png",
    "docs/**/*.json",
    "docs/**/*.gz",
    "models/model.pt",
    "models/calibration.json",
    "scripts/**/*.css",
    "scripts/**/*.jinja",
    "scripts/**/*.js",
    "scripts/**/*.json",
    "scripts/**/*.py",
)
"""What belongs into a release; caches, exports and whatever else lies about stay outside."""
TIME = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can say."""
MODE = 0o100644
"""A plain file that its owner may write."""
UNIX = 3
"""The system that a zip must name for its modes to count."""


def members(bundle: Path) -> list[Path]:
    """Files of a release, sorted by the name that they have in it.

    Args:
        bundle: folder of the bundle.

    Raises:
        FileNotFoundError: a pattern of CONTENT without wildcards finds no file.
    """
    found: set[Path] = set()
    for pattern in CONTENT:
        files = [path for path in bundle.glob(pattern) if path.is_file()]
        if not files and "*" not in pattern:
            raise FileNotFoundError(f"{bundle / pattern} is not there: a release needs it. Restore it first.")
        found.update(files)
    return sorted(found, key=lambda path: path.relative_to(bundle).as_posix())


def pack(bundle: Path, output_dir: Path) -> Path:
    """Writes `NAME_vVERSION.zip`, the model zoo's name of it, and returns its path.

    Args:
        bundle: folder of the bundle; its name is the one top folder in the zip.
        output_dir: folder to write to; made if it is not there.

    Raises:
        FileNotFoundError: as `members`.
    """
    files = members(bundle)
    version = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))["version"]
    output_dir.mkdir(parents=True, exist_ok=True)
    path = output_dir / f"{bundle.name}_v{version}.zip"
    beside = path.with_suffix(".part")
    with ZipFile(beside, "w") as archive:
        for file in files:
            entry = ZipInfo(f"{bundle.name}/{file.relative_to(bundle).as_posix()}", TIME)
            entry.create_system = UNIX
            entry.external_attr = MODE << 16
            archive.writestr(entry, file.read_bytes())
    return beside.replace(path)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--bundle", type=Path, default=Path(__file__).parent / "lidia_bundle")
    options.add_argument("--output_dir", type=Path, default=Path("runs/release"))
    asked = options.parse_args()
    packed = pack(asked.bundle, asked.output_dir)
    sys.stdout.write(f"{sha256(packed.read_bytes()).hexdigest()}  {packed}\n")
