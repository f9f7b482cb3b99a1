"""Records for every input file what it was used for, or why it was left out."""

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
from scripts.lidia.dicom.archives import MAX_BYTES, ArchiveError, detect_archive_kind, unpack
from scripts.lidia.input_folders import list_files

VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
MAX_DEPTH = 3
"""Nesting depth of archives that is unpacked."""
MAX_EXAMPLES = 5
"""Files that a summary names for each reason."""


class Reason(NamedTuple):
    """A reason to leave out files.

    Attributes:
        words: text for the log and the page.
        warns: whether such a file could show the liver, so that leaving it out is a warning.
    """

    words: str
    warns: bool = False


REASONS = {
    "not_dicom": Reason("not DICOM"),
    "index": Reason("an index of other files (DICOMDIR)"),
    "hidden": Reason("hidden"),
    "hidden_dicom": Reason("hidden DICOM: rename the file so that it is read", True),
    "volume": Reason("a volume, not DICOM: pass NIfTI files by --venous, --arterial and so on", True),
    "unpacked": Reason("an archive; the files in it are counted separately"),
    "packed": Reason("an archive that was not unpacked", True),
    "link": Reason("a link without a target, or not a regular file", True),
    "damaged": Reason("DICOM that cannot be read", True),
    "other_kind": Reason("DICOM, but not a CT image"),
    "localizer": Reason("a localizer"),
    "single_slices": Reason("bolus tracking or single slices"),
    "dose_report": Reason("a dose report"),
    "projection": Reason("a projection"),
    "computed_map": Reason("a computed map"),
    "reformat": Reason("a reformat of another orientation"),
    "short": Reason("too short to show the liver"),
    "geometry": Reason("CT slices that are not a regular volume", True),
    "bad_value": Reason("CT slices with an invalid attribute or stored value", True),
    "no_liver": Reason("a scan that shows no liver"),
    "reconstruction": Reason("another reconstruction of a scan that was read"),
    "same_phase": Reason("another scan of a phase that was read", True),
    "other_pass": Reason("a scan that continues a scan that was read: store both in one series", True),
    "not_chosen": Reason("a CT scan that was not selected for any phase", True),
    "not_wanted": Reason("of a phase that was not requested"),
    "copy": Reason("a copy of a slice"),
    "overlap": Reason("a slice at a position that an earlier pass covers"),
    "stray": Reason("a slice of another shape or acquisition than its series", True),
    "failed": Reason("of a patient with an error", True),
    "not_needed": Reason("not among the files that are read of this data set"),
    "unknown": Reason("not examined", True),
}
"""The closed list of reasons."""


class FileFate(NamedTuple):
    """What happened to a file."""

    reason: str = ""
    """A key of `REASONS`; empty for a file that was used."""
    use: str = ""
    """Use of the file: a phase, "label" or "table"."""
    series: str = ""
    case: str = ""
    detail: str = ""


class Account:
    """The input files of a run, and what happened to each.

    Args:
        folder: all files below it are input.
        private: leaves file names out of summaries.
        temporary: an empty folder into which archives are unpacked; None leaves them packed.
    """

    def __init__(
        self, folder: str | Path, *, private: bool = False, temporary: str | Path | None = None
    ) -> None:
        self.folder, self.private = Path(folder), private
        self.temporary = None if temporary is None else Path(temporary)
        self.names: dict[Path, str] = {}
        self.fates: dict[Path, FileFate] = {}
        self.closed: dict[Path, str] = {}
        self.depths: dict[Path, int] = {}
        self.room = MAX_BYTES
        self.add(self.folder)

    def add(self, folder: Path, name: str = "") -> None:
        """Adds the files below a folder.

        Args:
            folder: a folder or a file.
            name: prefix of their paths in lists, for a temporary folder.
        """
        listing = list_files(folder)
        self.closed |= listing.unreadable
        for path in (*listing.files, *listing.broken):
            inner = path.relative_to(folder).as_posix() if path != folder else path.name
            self.names[path] = f"{name}{inner}"
        self.leave_out(listing.broken, "link")

    def unpack(self, path: Path) -> None:
        """Unpacks an archive, adds its files, and records the archive and its refused members as left out."""
        if self.temporary is None:
            self.leave_out([path], "packed", detail=detect_archive_kind(path))
            return
        depth = next((d for folder, d in self.depths.items() if folder in path.parents), 0) + 1
        if depth > MAX_DEPTH:
            self.leave_out([path], "packed", detail=f"archives nested {depth} deep: unpack them")
            return
        folder = self.temporary / str(len(self.names))
        try:
            files, refused = unpack(path, folder, room=self.room)
        except ArchiveError as error:
            shutil.rmtree(folder, ignore_errors=True)
            self.leave_out([path], "packed", detail=str(error))
            return
        self.depths[folder] = depth
        self.room -= sum(file.stat().st_size for file in files)
        self.add(folder, f"{self.names[path]}/")
        for name, why in refused.items():
            member = folder / ".refused" / str(len(self.names))
            self.names[member] = f"{self.names[path]}/{name}"
            self.leave_out([member], "packed", detail=why)
        self.leave_out([path], "unpacked")

    def iterate_unread(self) -> Iterator[Path]:
        """Yields the files without a record; files that are added meanwhile come last."""
        yielded: set[Path] = set()
        while pending := [path for path in self.names if path not in yielded and path not in self.fates]:
            yielded.update(pending)
            yield from pending

    def is_hidden(self, path: Path) -> bool:
        """Returns whether a file, or a folder above it, has a name that begins with a dot."""
        return any(part.startswith(".") for part in self.names[path].split("/"))

    def is_linked(self, path: Path) -> bool:
        """Returns whether a visible file is a link to this hidden one, as in DataLad data sets."""
        real = path.resolve()
        return any(other.resolve() == real for other in self.names if not self.is_hidden(other))

    def use(self, paths: Iterable[Path], use: str, *, series: str = "", case: str = "") -> None:
        """Records files as used; this replaces an earlier record that they were left out."""
        for path in paths:
            if path in self.names:
                self.fates[path] = FileFate("", use, series, case)

    def leave_out(
        self, paths: Iterable[Path], reason: str, *, series: str = "", case: str = "", detail: str = ""
    ) -> None:
        """Records files as left out; files that have a record keep it."""
        for path in paths:
            if path in self.names:
                self.fates.setdefault(path, FileFate(reason, "", series, case, detail))

    def close(self, reason: str = "unknown") -> None:
        """Records all files without a record as left out for this reason."""
        self.leave_out(list(self.names), reason)

    def summary(self, case: str | None = None) -> dict[str, Any]:
        """Counts the files by use and reason, for JSON; the counts add up to the number of files.

        Args:
            case: counts only the files of this patient; None counts all.

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
        left_out, used = sum(map(len, groups.values())), sum(uses.values())
        return {
            "total": used + left_out,
            "used": used,
            "left_out": left_out,
            "uses": [{"use": use, "series": series, "files": n} for (use, series), n in uses.items()],
            "reasons": [
                self._summarize_reason(reason, groups[reason]) for reason in REASONS if reason in groups
            ],
        }

    def _summarize_reason(self, reason: str, paths: list[Path]) -> dict[str, Any]:
        fates = [self.fates[path] for path in paths]
        return {
            "reason": reason,
            "what": REASONS[reason].words,
            "files": len(paths),
            "warning": REASONS[reason].warns,
            "series": sorted({fate.series for fate in fates if fate.series}),
            "details": sorted({fate.detail for fate in fates if fate.detail})[:MAX_EXAMPLES],
            "examples": [] if self.private else sorted(self.names[path] for path in paths)[:MAX_EXAMPLES],
        }

    def write(self, path: Path, case: str | None = None) -> None:
        """Writes a table of all files as CSV: file, status, use, case, series, reason, detail."""
        text = StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("file", "status", "use", "case", "series", "reason", "detail"))
        for file, name in sorted(self.names.items(), key=lambda pair: pair[1]):
            fate = self.fates.get(file, FileFate("unknown"))
            if case is None or fate.case == case:
                status, what = ("left out", REASONS[fate.reason].words) if fate.reason else ("used", "")
                table.writerow((name, status, fate.use, fate.case, fate.series, what, fate.detail))
        write_text(path, text.getvalue())


def find_reason_without_header(path: Path, account: Account) -> str:
    """Returns why a file is not part of a study, as far as that is known without its header; empty otherwise.

    Raises:
        OSError: if it cannot be read.
    """
    from pydicom.misc import is_dicom

    if account.is_hidden(path):
        return "hidden_dicom" if is_dicom(path) and not account.is_linked(path) else "hidden"
    if path.name.upper() == "DICOMDIR":
        return "index"
    if detect_archive_kind(path):
        return "packed"
    return "volume" if path.name.lower().endswith(VOLUMES) else ""


def log_summary(summary: dict[str, Any], logger: logging.Logger, title: str) -> None:
    """Logs a summary: one line in total, and one line for each reason.

    Args:
        summary: from `Account.summary`.
        logger: the logger to write to.
        title: name of the input, first in each line.
    """
    uses = ", ".join(
        use["use"] + (f" of series {use['series']}" if use["series"] else "") + f" {use['files']}"
        for use in summary["uses"]
    )
    logger.info(
        f"{title}: {summary['total']} files, {summary['used']} used"
        + (f" ({uses})" if uses else "")
        + f", {summary['left_out']} left out"
    )
    for entry in summary["reasons"]:
        level = logging.WARNING if entry["warning"] else logging.INFO
        logger.log(level, f"{title}: {format_reason(entry)}")


def format_reason(entry: dict[str, Any]) -> str:
    """Formats one reason of a summary as a sentence."""
    series = f", series {', '.join(entry['series'])}" if entry["series"] else ""
    details = f" ({'; '.join(entry['details'])})" if entry["details"] else ""
    examples = entry["examples"][:2]
    more = " and others" if entry["files"] > len(examples) else ""
    files = f": {', '.join(examples)}{more}" if examples else ""
    return f"{entry['files']} files left out, {entry['what']}{series}{details}{files}"
