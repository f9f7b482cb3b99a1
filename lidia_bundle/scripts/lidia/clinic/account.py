"""The account of a reading: of every file that was given, what it was used for, or why it was left out."""

from __future__ import annotations

import csv
import logging
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from scripts.lidia.atomic import write_text
from scripts.lidia.clinic.archives import MAX_BYTES, PackedError, archive_kind, unpack
from scripts.lidia.clinic.files import begins_as_dicom
from scripts.lidia.folders import list_files

VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
DEEPEST = 3
"""How deep archives may lie in one another."""
EXAMPLES = 5
"""Files that a summary names of a reason."""


class Reason(NamedTuple):
    """Why files are left out.

    Attributes:
        words: what the log and the page say.
        warns: whether such a file could show the liver.
    """

    words: str
    warns: bool = False


REASONS = {
    "not_dicom": Reason("no DICOM"),
    "index": Reason("an index of other files (DICOMDIR)"),
    "hidden": Reason("hidden"),
    "hidden_dicom": Reason("hidden, and DICOM: rename it to have it read", True),
    "volume": Reason("a volume, and no DICOM: name NIfTI by --venous, --arterial and so on", True),
    "unpacked": Reason("an archive; the files in it are counted by themselves"),
    "packed": Reason("an archive that was not unpacked", True),
    "link": Reason("a link that leads nowhere, or no regular file", True),
    "damaged": Reason("DICOM that cannot be read", True),
    "other_kind": Reason("DICOM, and no CT image"),
    "localizer": Reason("a localizer"),
    "single_slices": Reason("bolus tracking or single slices"),
    "dose_report": Reason("a dose report"),
    "projection": Reason("a projection"),
    "computed_map": Reason("a computed map"),
    "reformat": Reason("a reformat of another orientation"),
    "short": Reason("too short to show the liver"),
    "geometry": Reason("CT slices that are no regular volume", True),
    "bad_value": Reason("CT slices of which an attribute or a stored value has no meaning", True),
    "no_liver": Reason("a scan that shows no liver"),
    "reconstruction": Reason("another reconstruction of a scan that was read"),
    "same_phase": Reason("another scan of a phase that was read", True),
    "other_pass": Reason("a scan that goes on where one that was read ends: store both in one series", True),
    "not_chosen": Reason("a CT scan that was taken for no phase", True),
    "not_wanted": Reason("of a phase that was not wanted"),
    "copy": Reason("the same slice once more"),
    "overlap": Reason("a slice at a place that an earlier pass shows"),
    "stray": Reason("a slice of another shape or acquisition than its series", True),
    "failed": Reason("of a patient at fault", True),
    "not_needed": Reason("not among the files that are read of this data set"),
    "unknown": Reason("not looked at", True),
}
"""The closed list of reasons."""


class Fate(NamedTuple):
    """What became of a file."""

    reason: str = ""
    """A key of `REASONS`; empty for a file that was used."""
    use: str = ""
    """What it was used for: a phase, "label" or "table"."""
    series: str = ""
    case: str = ""
    detail: str = ""


class Account:
    """Files that were given, and what became of each.

    Args:
        folder: all files below it are given.
        private: no names of files are told.
        temporary: an empty folder of the caller, into which archives are unpacked; None leaves them packed.
    """

    def __init__(
        self, folder: str | Path, *, private: bool = False, temporary: str | Path | None = None
    ) -> None:
        self.folder, self.private = Path(folder), private
        self.temporary = None if temporary is None else Path(temporary)
        self.names: dict[Path, str] = {}
        self.fates: dict[Path, Fate] = {}
        self.closed: dict[Path, str] = {}
        self.depths: dict[Path, int] = {}
        self.room = MAX_BYTES
        self.add(self.folder)

    def add(self, folder: Path, name: str = "") -> None:
        """Adds the files below a folder.

        Args:
            folder: a folder or a file.
            name: what stands before their paths in lists, for a folder that others do not see.
        """
        listing = list_files(folder)
        self.closed |= listing.closed
        for path in (*listing.files, *listing.broken):
            inner = path.relative_to(folder).as_posix() if path != folder else path.name
            self.names[path] = f"{name}{inner}"
        self.leave(listing.broken, "link")

    def unpack(self, path: Path) -> None:
        """Adds the files of an archive, and gives the archive and what was refused of it their reasons."""
        if self.temporary is None:
            self.leave([path], "packed", detail=archive_kind(path))
            return
        depth = next((d for folder, d in self.depths.items() if folder in path.parents), 0) + 1
        if depth > DEEPEST:
            self.leave([path], "packed", detail=f"archives in one another, {depth} deep: unpack them")
            return
        folder = self.temporary / str(len(self.names))
        try:
            unpacked = unpack(path, folder, room=self.room)
        except PackedError as error:
            shutil.rmtree(folder, ignore_errors=True)
            self.leave([path], "packed", detail=str(error))
            return
        refused, self.depths[folder] = unpacked.refused, depth
        self.room -= sum(file.stat().st_size for file in unpacked.files)
        self.add(folder, f"{self.names[path]}/")
        for name, why in refused.items():
            member = folder / ".refused" / str(len(self.names))
            self.names[member] = f"{self.names[path]}/{name}"
            self.leave([member], "packed", detail=why)
        self.leave([path], "unpacked")

    def unread(self) -> Iterator[Path]:
        """The files that nobody spoke of yet; those that are added meanwhile come last."""
        seen: set[Path] = set()
        while fresh := [path for path in self.names if path not in seen and path not in self.fates]:
            seen.update(fresh)
            yield from fresh

    def is_hidden(self, path: Path) -> bool:
        """Whether a file or a folder on its way is hidden: Git's, or what macOS writes beside every file."""
        return any(part.startswith(".") for part in self.names[path].split("/"))

    def is_known(self, path: Path) -> bool:
        """Whether a hidden file is there under another name: DataLad keeps the files of its links so."""
        real = path.resolve()
        return any(other.resolve() == real for other in self.names if not self.is_hidden(other))

    def use(self, paths: Iterable[Path], use: str, *, series: str = "", case: str = "") -> None:
        """Files were used; that they were left out for something else no longer counts."""
        for path in paths:
            if path in self.names:
                self.fates[path] = Fate("", use, series, case)

    def leave(
        self, paths: Iterable[Path], reason: str, *, series: str = "", case: str = "", detail: str = ""
    ) -> None:
        """Files were left out; those that were used stay so, and the first reason counts."""
        for path in paths:
            if path in self.names:
                self.fates.setdefault(path, Fate(reason, "", series, case, detail))

    def close(self, reason: str = "unknown") -> None:
        """Gives a reason to the files that nobody spoke of."""
        self.leave(list(self.names), reason)

    def summary(self, case: str | None = None) -> dict[str, Any]:
        """Counts that add up to the number of files, ready for JSON.

        Args:
            case: of the files of one patient alone; None is all.

        Returns:
            `total`, `used`, `left_out`; `uses`, a list of `use`, `series` and `files`; `reasons`, a list of
            `reason`, `what`, `files`, `series`, `warning`, `details` and `examples`.
        """
        uses: Counter[tuple[str, str]] = Counter()
        groups: dict[str, list[Path]] = defaultdict(list)
        for path, fate in self.fates.items():
            if case is not None and fate.case != case:
                continue
            if fate.reason:
                groups[fate.reason].append(path)
            else:
                uses[fate.use, fate.series] += 1
        left, used = sum(map(len, groups.values())), sum(uses.values())
        return {
            "total": used + left,
            "used": used,
            "left_out": left,
            "uses": [{"use": use, "series": series, "files": n} for (use, series), n in uses.items()],
            "reasons": [self._told(reason, groups[reason]) for reason in REASONS if reason in groups],
        }

    def _told(self, reason: str, paths: list[Path]) -> dict[str, Any]:
        fates = [self.fates[path] for path in paths]
        return {
            "reason": reason,
            "what": REASONS[reason].words,
            "files": len(paths),
            "warning": REASONS[reason].warns,
            "series": sorted({fate.series for fate in fates if fate.series}),
            "details": sorted({fate.detail for fate in fates if fate.detail})[:EXAMPLES],
            "examples": [] if self.private else sorted(self.names[path] for path in paths)[:EXAMPLES],
        }

    def write(self, path: Path, case: str | None = None) -> None:
        """Writes a table of all files as CSV: file, status, use, case, series, reason, detail."""
        text = StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("file", "status", "use", "case", "series", "reason", "detail"))
        for file, name in sorted(self.names.items(), key=lambda pair: pair[1]):
            fate = self.fates.get(file, Fate("unknown"))
            if case is None or fate.case == case:
                status, what = ("left out", REASONS[fate.reason].words) if fate.reason else ("used", "")
                table.writerow((name, status, fate.use, fate.case, fate.series, what, fate.detail))
        write_text(path, text.getvalue())


def reason_without_header(path: Path, account: Account) -> str:
    """Why a file is no part of a study, as far as that is known without a header; empty if nothing is.

    Raises:
        OSError: if it cannot be read.
    """
    if account.is_hidden(path):
        return "hidden_dicom" if begins_as_dicom(path) and not account.is_known(path) else "hidden"
    if path.name.upper() == "DICOMDIR":
        return "index"
    if archive_kind(path):
        return "packed"
    return "volume" if path.name.lower().endswith(VOLUMES) else ""


def tell(summary: dict[str, Any], logger: logging.Logger, title: str) -> None:
    """Logs a summary: a line for all, and one a reason.

    Args:
        summary: of `Account.summary`.
        logger: where to.
        title: what was read.
    """
    uses = ", ".join(f"{_use_words(use)} {use['files']}" for use in summary["uses"])
    logger.info(
        f"{title}: {summary['total']} files, {summary['used']} used"
        + (f" ({uses})" if uses else "")
        + f", {summary['left_out']} left out"
    )
    for entry in summary["reasons"]:
        level = logging.WARNING if entry["warning"] else logging.INFO
        logger.log(level, f"{title}: {describe(entry)}")


def describe(entry: dict[str, Any]) -> str:
    """One reason of a summary as a sentence."""
    series = f", series {', '.join(entry['series'])}" if entry["series"] else ""
    details = f" ({'; '.join(entry['details'])})" if entry["details"] else ""
    named = entry["examples"][:2]
    more = " and others" if entry["files"] > len(named) else ""
    files = f": {', '.join(named)}{more}" if named else ""
    return f"{entry['files']} files left out, {entry['what']}{series}{details}{files}"


def _use_words(use: dict[str, Any]) -> str:
    return f"{use['use']} of series {use['series']}" if use["series"] else str(use["use"])
