"""Unpacks ZIP and TAR archives of DICOM files into a given folder; no file is written outside it."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

MAX_BYTES = 64 * 2**30
"""Largest unpacked size of an archive, in bytes. A larger one is refused before the disk is full."""
MAX_FILES = 200_000
CHUNK = 2**20
DOCUMENTS = (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".jar", ".apk", ".epub")
"""Endings of documents that are ZIP files inside, and are not unpacked."""
OTHER_ARCHIVES = {
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}
"""First bytes of archives that are not read."""
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
READ_ERRORS = (
    EOFError,
    ValueError,
    RuntimeError,
    OSError,
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
)
"""Exceptions that the archive readers raise for damaged archives."""


class ArchiveError(ValueError):
    """An archive that cannot be unpacked; the text names the reason and the remedy."""


def detect_archive_kind(path: Path) -> str:
    """Returns the kind of an archive: "ZIP", "TAR", a kind that is not read, or "" for any other file.

    Raises:
        OSError: if the file cannot be read.
    """
    name = path.name.lower()
    if name.endswith((".nii.gz", *DOCUMENTS)):
        return ""
    with path.open("rb") as file:
        head = file.read(262)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return "ZIP"
    if head[257:262] == b"ustar" or name.endswith(TAR_ENDINGS):
        return "TAR"
    if name.endswith(".iso"):
        return "ISO image"
    return next((kind for mark, kind in OTHER_ARCHIVES.items() if head.startswith(mark)), "")


def unpack(path: Path, folder: Path, *, room: int = MAX_BYTES) -> tuple[list[Path], dict[str, str]]:
    """Unpacks an archive; refuses links, devices and names that lead out of the folder.

    Args:
        path: a ZIP archive, or a TAR archive with or without gzip, bzip2 or xz compression.
        folder: destination; it is created.
        room: largest number of bytes to write.

    Returns:
        The unpacked files, and the reason for each member that was refused.

    Raises:
        ArchiveError: if the archive is encrypted, damaged, of another kind, or holds too much.
    """
    kind = detect_archive_kind(path)
    if kind not in ("ZIP", "TAR"):
        what = f"a {kind} archive cannot be read" if kind else "the file is not an archive"
        raise ArchiveError(f"{what}: unpack it, and pass the folder")
    files: list[Path] = []
    refused: dict[str, str] = {}
    members = (_iterate_zip_members if kind == "ZIP" else _iterate_tar_members)(path, refused)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, member in members:
            target = _make_target_path(folder, name)
            if target is None:
                refused[name] = "its path lies outside the archive"
                continue
            if target.exists():
                refused[name] = "the archive holds this name twice"
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            room -= _write_member(member, target, room)
            files.append(target)
            if len(files) > MAX_FILES:
                raise ArchiveError(f"more than {MAX_FILES} files: unpack it, and pass the folder")
    except ArchiveError:
        raise
    except READ_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk failed, not the archive
        raise ArchiveError(f"the archive is damaged ({error}): copy it again") from error
    return files, refused


def _iterate_zip_members(path: Path, refused: dict[str, str]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if any(member.flag_bits & 1 for member in members):
            raise ArchiveError("the archive is encrypted: unpack it with its password, and pass the folder")
        for member in members:
            if member.external_attr >> 28 == 0o12:
                refused[member.filename] = "a link"
                continue
            with archive.open(member) as file:
                yield member.filename, file


def _iterate_tar_members(path: Path, refused: dict[str, str]) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file
            elif not member.isdir():
                refused[member.name] = "a link or a device"


def _make_target_path(folder: Path, name: str) -> Path | None:
    """Returns the path of a member; None if its name leads out of the folder."""
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or not plain.parts or ":" in plain.parts[0]:
        return None
    target = folder.joinpath(*plain.parts)
    return target if target.resolve().is_relative_to(folder.resolve()) else None


def _write_member(member: IO[bytes], target: Path, room: int) -> int:
    written = 0
    with target.open("xb") as file:
        while part := member.read(CHUNK):
            written += len(part)
            if written > room:
                size = f"more than {MAX_BYTES / 2**30:.0f} GiB unpacked"
                raise ArchiveError(f"{size}: unpack it yourself, and pass the folder of one study")
            file.write(part)
    return written
