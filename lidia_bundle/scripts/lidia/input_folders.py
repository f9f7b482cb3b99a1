"""List the files below a folder, following symbolic links without loops."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class FolderListing(NamedTuple):
    """Content of a folder and its sub-folders.

    Attributes:
        files: regular files, and links to them, sorted.
        folders: the folders that were entered, including the first, sorted.
        broken: dangling links, and entries that are neither file nor folder, sorted.
        repeated: links to a folder that was entered under another name; its files are not listed twice.
        unreadable: folders that cannot be read, with the system's message.
    """

    files: list[Path]
    folders: list[Path]
    broken: list[Path]
    repeated: list[Path]
    unreadable: dict[Path, str]


def list_files(folder: str | Path) -> FolderListing:
    """Lists a folder with its sub-folders; symbolic links to files and folders are followed.

    Data sets of DataLad and Nextflow consist of links. `Path.rglob` of Python before 3.13 does not enter them
    (https://github.com/python/cpython/issues/77609). A folder is entered once: by its own path if that lies
    below `folder`, else by its first link. A link to a parent folder is therefore not followed.

    Args:
        folder: the folder to list. If it is a file, only that file is listed.
    """
    listing = FolderListing([], [], [], [], {})
    root = Path(folder)
    if root.is_file():
        listing.files.append(root)
        return listing
    entered: set[tuple[int, int]] = set()
    links: list[Path] = []
    _enter_folder(root, listing, entered, links)
    while links:  # a folder's own path takes precedence over a link to it
        link = min(links)
        links.remove(link)
        if _identify_folder(link) in entered:
            listing.repeated.append(link)
        else:
            _enter_folder(link, listing, entered, links)
    for part in (listing.files, listing.folders, listing.broken, listing.repeated):
        part.sort()
    return listing


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

    def matching(content: FolderListing) -> list[Path]:
        return [path for path in (content.folders if folders else content.files) if path.match(pattern)]

    matches = matching(listing)
    resolved = {path.resolve() for path in matches} if listing.repeated else set()
    for link in listing.repeated:  # a pattern may match only the name of the link
        for path in matching(list_files(link)):
            if path.resolve() not in resolved:
                resolved.add(path.resolve())
                matches.append(path)
    return sorted(matches)


def _enter_folder(
    start: Path, listing: FolderListing, entered: set[tuple[int, int]], links: list[Path]
) -> None:
    queue = [start]
    while queue:
        folder = queue.pop()
        try:
            entered.add(_identify_folder(folder))
            with os.scandir(folder) as entries:
                children = list(entries)
        except OSError as error:
            listing.unreadable[folder] = error.strerror or str(error)
            continue
        listing.folders.append(folder)
        for entry in children:
            path = folder / entry.name
            if entry.is_symlink():
                if path.is_dir():
                    links.append(path)
                else:
                    (listing.files if path.is_file() else listing.broken).append(path)
            elif entry.is_dir(follow_symlinks=False):
                queue.append(path)
            else:
                (listing.files if entry.is_file(follow_symlinks=False) else listing.broken).append(path)


def _identify_folder(folder: Path) -> tuple[int, int]:
    state = folder.stat()
    return state.st_dev, state.st_ino
