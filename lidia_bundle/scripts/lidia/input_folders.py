"""List the files below a folder, following symbolic links without loops."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class FolderListing(NamedTuple):
    """What lies below a folder.

    Attributes:
        files: regular files, and links to them, sorted.
        folders: the folders that were entered, the first included, sorted.
        broken: links that lead nowhere, and what is neither file nor folder, sorted.
        repeated: links to a folder that was entered under another name; its files are not listed twice.
        unreadable: folders that cannot be read, with the system's words.
    """

    files: list[Path]
    folders: list[Path]
    broken: list[Path]
    repeated: list[Path]
    unreadable: dict[Path, str]


def list_files(folder: str | Path) -> FolderListing:
    """Lists a folder with its sub-folders; symbolic links to files and folders are followed.

    Data sets of DataLad and Nextflow consist of links. `Path.rglob` of Python before 3.13 does not enter them
    (https://github.com/python/cpython/issues/77609). A folder is entered once: by its own name, where it has
    one below `folder`, else by its first link. So a link to a folder above ends there.

    Args:
        folder: where to begin. If it is a file, that file alone is listed.
    """
    found = FolderListing([], [], [], [], {})
    root = Path(folder)
    if root.is_file():
        found.files.append(root)
        return found
    entered: set[tuple[int, int]] = set()
    linked: list[Path] = []
    _enter_folder(root, found, entered, linked)
    while linked:  # a folder's own name goes before a link to it
        link = min(linked)
        linked.remove(link)
        if _identify_folder(link) in entered:
            found.repeated.append(link)
        else:
            _enter_folder(link, found, entered, linked)
    for part in (found.files, found.folders, found.broken, found.repeated):
        part.sort()
    return found


def find_paths(folder: str | Path, pattern: str, *, folders: bool = False) -> list[Path]:
    """Finds files by the end of their path, as `Path.rglob` does, through symbolic links as well.

    Args:
        folder: searched with its sub-folders.
        pattern: such as `*.nii.gz` or `labels*/case_*.nii.gz`.
        folders: look for folders instead of files.

    Returns:
        Sorted paths.
    """
    listing = list_files(folder)

    def matching(part: FolderListing) -> list[Path]:
        return [path for path in (part.folders if folders else part.files) if path.match(pattern)]

    found = matching(listing)
    resolved = {path.resolve() for path in found} if listing.repeated else set()
    for link in listing.repeated:  # a pattern may fit the name of the link alone
        for path in matching(list_files(link)):
            if path.resolve() not in resolved:
                resolved.add(path.resolve())
                found.append(path)
    return sorted(found)


def _enter_folder(
    start: Path, found: FolderListing, entered: set[tuple[int, int]], linked: list[Path]
) -> None:
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        try:
            entered.add(_identify_folder(folder))
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError as error:
            found.unreadable[folder] = error.strerror or str(error)
            continue
        found.folders.append(folder)
        for entry in listed:
            path = folder / entry.name
            if entry.is_symlink():
                if path.is_dir():
                    linked.append(path)
                else:
                    (found.files if path.is_file() else found.broken).append(path)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                (found.files if entry.is_file(follow_symlinks=False) else found.broken).append(path)


def _identify_folder(folder: Path) -> tuple[int, int]:
    state = folder.stat()
    return state.st_dev, state.st_ino
