"""The zip of a release: equal bytes in each build, only files of the bundle, no path outside the folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest
from monai.apps.utils import HashCheckError, extractall
from monai.bundle import download

GIT = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]


def pack(command: Path, bundle: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs release.py on a bundle."""
    options = [sys.executable, str(command), "--bundle", str(bundle), "--output_dir", str(folder)]
    return subprocess.run(options, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, all its files younger, with what lies about after some work."""
    folder = shutil.copytree(bundle, tmp_path / "lidia_bundle", copy_function=shutil.copyfile)
    for name in ("scripts/__pycache__/a.pyc", "models/model.ts", "configs/.a.json.swp", "eval/schema.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("stray", encoding="utf-8")
    (folder / "models/model.pt").chmod(0o755)
    return folder


def test_two_builds_are_the_same_bytes(bundle: Path, copy: Path, release: Path, tmp_path: Path) -> None:
    process = pack(bundle.parent / "release.py", copy, tmp_path / "again")
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "again" / release.name).read_bytes() == release.read_bytes()


def test_a_release_has_the_files_of_the_repository(bundle: Path, release: Path) -> None:
    if not (bundle.parent / ".git").exists():
        pytest.skip("not a checkout of git, which alone knows what belongs to the bundle")
    process = subprocess.run(
        [*GIT, bundle.name], cwd=bundle.parent, capture_output=True, text=True, check=True
    )
    with ZipFile(release) as archive:
        assert archive.namelist() == sorted(process.stdout.rstrip("\0").split("\0"))


def test_entries_have_one_top_folder_one_time_and_one_mode(bundle: Path, release: Path) -> None:
    version = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))["version"]
    assert release.name == f"lidia_bundle_v{version}.zip"
    with ZipFile(release) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    assert {entry.filename.split("/")[0] for entry in entries} == {"lidia_bundle"}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_a_bundle_without_weights_is_not_released(bundle: Path, copy: Path, tmp_path: Path) -> None:
    (copy / "models/model.pt").unlink()
    process = pack(bundle.parent / "release.py", copy, tmp_path / "out")
    assert process.returncode != 0
    assert "models/model.pt is not there" in process.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:No hash value provided")
@pytest.mark.parametrize("member", ["../{name}", "lidia_bundle/../../{name}", "/{folder}/{name}"])
def test_a_manipulated_release_cannot_write_outside_its_folder(
    release: Path, tmp_path: Path, member: str
) -> None:
    """MONAI unpacks into `bundle_dir`, and holds each member to it, whether it climbs or is absolute."""
    place = tmp_path / "work/bundles"
    place.mkdir(parents=True)
    spoilt = shutil.copy(release, place / "lidia_bundle.zip")
    with ZipFile(spoilt, "a") as archive:
        archive.writestr(member.format(folder=str(tmp_path).lstrip("/"), name="escaped.txt"), "escaped")
    options = {"name": "lidia_bundle", "bundle_dir": place, "progress": False}
    with pytest.raises(ValueError, match="Unsafe path"):
        download(url="http://127.0.0.1/lidia_bundle.zip", **options)  # the zip is there: nothing is asked for
    assert not list(tmp_path.rglob("escaped.txt"))


def test_a_release_with_another_checksum_is_not_unpacked(release: Path, tmp_path: Path) -> None:
    """The SHA-256 that `make release` prints, given to MONAI's `extractall`."""
    true = sha256(release.read_bytes()).hexdigest()
    spoilt = bytearray(release.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    (tmp_path / release.name).write_bytes(spoilt)
    with pytest.raises(HashCheckError):
        extractall(tmp_path / release.name, tmp_path / "out", true)
    assert not (tmp_path / "out").exists()
    extractall(release, tmp_path / "out", true)
    assert (tmp_path / "out/lidia_bundle/configs/inference.json").is_file()
