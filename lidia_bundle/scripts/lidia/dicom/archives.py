"""ZIP and TAR archives of DICOM files: unpacked into a folder of our own, in which all their files stay."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

MAX_BYTES = 64 * 2**30
"""Bytes that an archive may hold unpacked: one that holds more is refused before the disk is full."""
MAX_FILES = 200_000
CHUNK = 2**20
DOCUMENTS = (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".jar", ".apk", ".epub")
"""ZIP archives by their content that nobody means to be unpacked."""
OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}
"""First bytes of what is packed in another way."""
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
BROKEN = (EOFError, ValueError, RuntimeError, OSError, tarfile.TarError,
          zipfile.BadZipFile, lzma.LZMAError, zlib.error)  # fmt: skip
"""What the readers of archives raise of damaged ones."""


class PackedError(ValueError):
    """An archive cannot be unpacked; the text says why and what to do."""


class Unpacked(NamedTuple):
    """What an archive gave.

    Attributes:
        files: the files that were unpacked.
        refused: members that were not unpacked, each with its reason.
    """

    files: list[Path]
    refused: dict[str, str]


def archive_kind(path: Path) -> str:
    """Names the kind of an archive: "ZIP", "TAR", one that is not read, or "" for what is none.

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
    return next((kind for mark, kind in OTHERS.items() if head.startswith(mark)), "")


def unpack(path: Path, folder: Path, *, room: int = MAX_BYTES) -> Unpacked:
    """Unpacks an archive; names that would lead out of the folder, links and devices are refused.

    Args:
        path: of a ZIP or TAR archive, the latter compressed by gzip, bzip2 or xz or not at all.
        folder: where to; it is made.
        room: bytes that may be written.

    Returns:
        The files, and the members that were refused.

    Raises:
        PackedError: if the archive is encrypted, damaged, of another kind, or holds too much.
    """
    kind = archive_kind(path)
    if kind not in ("ZIP", "TAR"):
        raise PackedError(f"{kind or 'no'} archive: unpack it, and name the folder")
    found = Unpacked([], {})
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, member in (_zip_members if kind == "ZIP" else _tar_members)(path, found.refused):
            target = _inside(folder, name)
            if target is None:
                found.refused[name] = "its name leads out of the archive"
                continue
            if target.exists():
                found.refused[name] = "the archive holds it twice"
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            room -= _write(member, target, room)
            found.files.append(target)
            if len(found.files) > MAX_FILES:
                raise PackedError(f"more than {MAX_FILES} files: unpack it, and name the folder")
    except PackedError:
        raise
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, not of the archive
        raise PackedError(f"the archive is damaged ({error}): copy it again") from error
    return found


def _zip_members(path: Path, refused: dict[str, str]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if any(member.flag_bits & 1 for member in members):
            raise PackedError("the archive is encrypted: unpack it with its password, and name the folder")
        for member in members:
            if member.external_attr >> 28 == 0o12:
                refused[member.filename] = "a link"
                continue
            with archive.open(member) as file:
                yield member.filename, file


def _tar_members(path: Path, refused: dict[str, str]) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file
            elif not member.isdir():
                refused[member.name] = "a link or a device"


def _inside(folder: Path, name: str) -> Path | None:
    """Where a member goes; None if its name would lead elsewhere."""
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or not plain.parts or ":" in plain.parts[0]:
        return None
    target = folder.joinpath(*plain.parts)
    return target if target.resolve().is_relative_to(folder.resolve()) else None


def _write(member: IO[bytes], target: Path, room: int) -> int:
    written = 0
    with target.open("xb") as file:
        while part := member.read(CHUNK):
            written += len(part)
            if written > room:
                size = f"more than {MAX_BYTES / 2**30:.0f} GiB unpacked"
                raise PackedError(f"{size}: unpack it yourself, and name the folder of one study")
            file.write(part)
    return written
