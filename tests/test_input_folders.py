"""The search for input follows links, ends at loops, and names every entry it cannot read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.lidia.input_folders import find_paths, list_files


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def names(paths: list[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    make(tmp_path, "store/a/1", "store/a/b/2", "root/0")
    root = tmp_path / "root"
    (root / "series").symlink_to(tmp_path / "store/a", target_is_directory=True)
    (root / "file").symlink_to(tmp_path / "store/a/1")
    assert names(list_files(root).files, root) == ["0", "file", "series/1", "series/b/2"]
    assert names(list_files(tmp_path / "root/series").files, root) == ["series/1", "series/b/2"]


def test_loops_end_and_no_folder_is_read_twice(tmp_path: Path) -> None:
    make(tmp_path, "z/1", "z/deep/2")
    (tmp_path / "z/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "z/deep/here").symlink_to(tmp_path / "z/deep", target_is_directory=True)
    (tmp_path / "a").symlink_to(tmp_path / "z/deep", target_is_directory=True)
    files = list_files(tmp_path)
    assert names(files.files, tmp_path) == ["z/1", "z/deep/2"], "a folder's own name goes before a link"
    assert names(files.repeated, tmp_path) == ["a", "z/deep/here", "z/up"]


def test_two_links_that_lead_to_one_another(tmp_path: Path) -> None:
    make(tmp_path, "x/a/1", "x/b/2", "root/0")
    (tmp_path / "x/a/b").symlink_to(tmp_path / "x/b", target_is_directory=True)
    (tmp_path / "x/b/a").symlink_to(tmp_path / "x/a", target_is_directory=True)
    (tmp_path / "root/a").symlink_to(tmp_path / "x/a", target_is_directory=True)
    assert names(list_files(tmp_path / "root").files, tmp_path / "root") == ["0", "a/1", "a/b/2"]


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    make(tmp_path, "1")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    os.mkfifo(tmp_path / "pipe")
    files = list_files(tmp_path)
    assert names(files.broken, tmp_path) == ["gone", "pipe", "self"] and len(files.files) == 1


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "open/1", "closed/2")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("scripts.lidia.input_folders.os.scandir", refuse)
    files = list_files(tmp_path)
    assert names(files.files, tmp_path) == ["open/1"]
    assert files.unreadable == {tmp_path / "closed": "Permission denied"}


def test_patterns_fit_through_links_and_by_the_link_s_name(tmp_path: Path) -> None:
    make(tmp_path, "masks/c1/liver.nii.gz", "cases/c1/ct.nii.gz")
    (tmp_path / "cases/c1/segmentations").symlink_to(tmp_path / "masks/c1", target_is_directory=True)
    assert names(find_paths(tmp_path, "liver.nii.gz"), tmp_path) == ["masks/c1/liver.nii.gz"]
    by_link = find_paths(tmp_path, "segmentations/liver*.nii.gz")
    assert names(by_link, tmp_path) == ["cases/c1/segmentations/liver.nii.gz"]
    assert names(find_paths(tmp_path, "c1", folders=True), tmp_path) == ["cases/c1", "masks/c1"]
