"""The one error of bad input: which case, which file, what is wrong, what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LAYOUT = re.compile(
    r"\[(?P<code>\w+)\] case (?P<case>[^\n]*?): (?P<problem>.*?)"
    r"\n\s+file: (?P<file>[^\n]*)\n\s+remedy: (?P<remedy>[^\n]*)",
    re.DOTALL,
)


class CaseError(ValueError):
    """A fault of one case, or a remark on it when `severity` is "warning".

    Its text can be read back. So the fault stays whole where only text survives: in the RuntimeError that a
    DataLoader worker hands over, and in MONAI's 'applying transform ...'.

    Args:
        case: id of the case ("datalist" for a fault of the list itself). When it is the only argument, it is
            the text of a CaseError and is read back; that is how PyTorch rebuilds a worker's exception.
        file: the file or folder at fault.
        problem: what is wrong, in words.
        remedy: what the user can do, in one line.
        code: short stable name of the kind of fault, e.g. "truncated".
        severity: "error" or "warning".
        members: the single faults, when this error sums up several.
    """

    def __init__(
        self,
        case: str,
        file: str = "",
        problem: str | None = None,
        remedy: str = "",
        code: str = "fault",
        severity: str = "error",
        members: Sequence[CaseError] = (),
    ) -> None:
        if problem is None:
            found = _LAYOUT.search(case)
            part = found.groupdict() if found else {"problem": case, "case": "unknown"}
            case, problem = part["case"], part["problem"]
            file, remedy = part.get("file", file), part.get("remedy", remedy)
            code = part.get("code", code)
        self.case, self.file, self.problem = str(case), str(file), problem
        self.remedy, self.code, self.severity = remedy, code, severity
        self.members = tuple(members)
        # all arguments: pickle rebuilds an exception from them
        super().__init__(self.case, self.file, problem, remedy, code, severity, self.members)

    def __str__(self) -> str:
        what = f"[{self.code}] case {self.case}: {self.problem}"
        return f"{what}\n    file: {self.file}\n    remedy: {self.remedy}"

    def of_case(self, case: str) -> CaseError:
        """Gives the same fault as one of another case: who finds it does not always know whose it is."""
        kept = (self.file, self.problem, self.remedy, self.code, self.severity, self.members)
        return CaseError(case, *kept)

    def as_dict(self) -> dict[str, str]:
        """Gives the entry of `errors.json`: case, file, severity, code, problem, remedy."""
        names = ("case", "file", "severity", "code", "problem", "remedy")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def together(cls, faults: Sequence[CaseError], file: str) -> CaseError:
        """Makes one error of several, so that a user mends them in one go.

        Args:
            faults: at least one fault.
            file: the list they came from.
        """
        if len(faults) == 1:
            return faults[0]
        shown = [f"  - {f.case}: {f.problem} ({f.file}); {f.remedy}" for f in faults[:50]]
        if len(faults) > 50:
            shown.append(f"  - and {len(faults) - 50} more")
        cases = len({f.case for f in faults})
        return cls(
            f"{cases} cases" if cases > 1 else faults[0].case,
            file,
            f"{len(faults)} faults\n" + "\n".join(shown),
            "mend the files above, or take these cases off the list",
            "several" if len({f.code for f in faults}) > 1 else faults[0].code,
            members=faults,
        )

    @classmethod
    def find(cls, exception: BaseException) -> CaseError | None:
        """Looks for a case's fault inside an exception that came through MONAI, a worker or an engine.

        Args:
            exception: what was caught.

        Returns:
            The fault, or None if the exception is about something else.
        """
        seen: set[int] = set()
        queue: list[BaseException] = [exception]
        while queue:
            error = queue.pop(0)
            if id(error) in seen:
                continue
            seen.add(id(error))
            if isinstance(error, cls):
                return error
            if _LAYOUT.search(str(error)):
                return cls(str(error))
            queue.extend(e for e in (error.__cause__, error.__context__) if e is not None)
        return None
