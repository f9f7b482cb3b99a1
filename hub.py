"""Writes the bundle as a folder for the Hugging Face Hub: a release and a model card (`make hub`).

`monai.bundle.download(source="huggingface_hub", repo=...)` takes such a repository.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import re
import shutil
import sys
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from release import members

CARD = "docs/README.md"
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)\s]+)(\))")
"""A link of Markdown to a file."""
LARGE = ("*.pt", "*.png", "*.gz")
"""Files that the Hub stores outside Git."""
TAGS = ("monai", "medical", "ct", "liver", "lesion-detection", "segmentation", "3d", "synthetic-data")
METRIC = re.compile(r"(\w+)_synthetic_(internal|external)")
"""Name of a metric in metadata.json: the quantity and the cohort."""


def write_hub_folder(bundle: Path, folder: Path, repo: str) -> Path:
    """Writes the folder anew and returns its path.

    Args:
        bundle: folder of the bundle.
        folder: folder to write; an older one is replaced.
        repo: name of the repository on the Hub, `OWNER/NAME`.

    Raises:
        FileNotFoundError: a file of the release is missing.
        ValueError: `repo` is no name of a repository.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise ValueError(f"--repo {repo}: give OWNER/NAME")
    files = members(bundle)
    shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        target = folder / file.relative_to(bundle)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    metadata = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))
    text = (bundle / CARD).read_text(encoding="utf-8")
    (folder / "README.md").write_text(make_card(text, metadata, bundle.name, repo), encoding="utf-8")
    attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE)
    (folder / ".gitattributes").write_text(attributes, encoding="utf-8")
    return folder


def make_card(text: str, metadata: dict, name: str, repo: str) -> str:
    """Makes the model card: front matter, how to download, then the card of the bundle.

    Args:
        text: card of the bundle, whose links begin in its own folder.
        metadata: content of metadata.json.
        name: name of the bundle.
        repo: name of the repository on the Hub.
    """
    results = []
    for key, value in metadata["eval_metrics"].items():
        if match := METRIC.fullmatch(key):
            quantity, cohort = match.groups()
            dataset = f"computed phantoms of configs/phantom.json, {cohort} cohort (synthetic)"
            results.append(
                EvalResult(
                    "image-segmentation", f"phantom-{cohort}", dataset, quantity, value, metric_name=quantity
                )
            )
    front = ModelCardData(
        license="apache-2.0",
        library_name="monai",
        pipeline_tag="image-segmentation",
        tags=list(TAGS),
        model_name=metadata["name"],
        eval_results=results,
    )
    how = (
        "```python\nfrom monai.bundle import download, load\n\n"
        f'download("{name}", source="huggingface_hub", repo="{repo}", bundle_dir="bundles")\n'
        f'network = load("{name}", bundle_dir="bundles", workflow_type="inference")\n```'
    )
    return f"---\n{front.to_yaml()}\n---\n\n{how}\n\n{LINK.sub(_link_from_top, text)}"


def _link_from_top(match: re.Match[str]) -> str:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(CARD), match[2]))
    return f"{match[1]}{path}{match[3]}"


if __name__ == "__main__":
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=here / "lidia_bundle")
    parser.add_argument("--folder", type=Path, default=Path("runs/hub/lidia_bundle"))
    parser.add_argument("--repo", default="OWNER/lidia_bundle", help="repository on the Hub, OWNER/NAME")
    options = parser.parse_args()
    sys.stdout.write(f"{write_hub_folder(options.bundle, options.folder, options.repo)}\n")
