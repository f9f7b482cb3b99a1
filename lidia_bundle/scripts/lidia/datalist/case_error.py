"""Defines the error for bad input: case, file, problem and remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LAYOUT = re.compile(
    r"\[(?P<code>\w+)\] case (?P<case>[^\n]*?): (?P<problem>.*?)"
    r"\n\s+file: (?P<file>[^\n]*)\n\s+remedy: (?P<remedy>[^\n]*)",
    re.DOTALL,
)


class CaseError(ValueError):
    """A fault of one case, or a warning about it when `severity` is "warning".

    The text of the error can be parsed back into its fields. This keeps the fault complete where only text is
    passed on: in the RuntimeError of a DataLoader worker, and in MONAI's 'applying transform ...'.

    Args:
        case: id of the case ("datalist" for a fault of the list itself). When it is the only argument, it is
            the text of a CaseError and is parsed; PyTorch rebuilds a worker's exception in this way.
        file: the file or folder at fault.
        problem: description of what is wrong.
        remedy: what the user can do, in one line.
        code: short stable name of the kind of fault, e.g. "truncated".
        severity: "error" or "warning".
        members: the individual faults, when this error combines several.
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
            match = _LAYOUT.search(case)
            fields = match.groupdict() if match else {"problem": case, "case": "unknown"}
            case, problem = fields["case"], fields["problem"]
            file, remedy = fields.get("file", file), fields.get("remedy", remedy)
            code = fields.get("code", code)
        self.case, self.file, self.problem = str(case), str(file), problem
        self.remedy, self.code, self.severity = remedy, code, severity
        self.members = tuple(members)
        # all arguments: pickle rebuilds an exception from them
        super().__init__(self.case, self.file, problem, remedy, code, severity, self.members)

    def __str__(self) -> str:
        headline = f"[{self.code}] case {self.case}: {self.problem}"
        return f"{headline}\n    file: {self.file}\n    remedy: {self.remedy}"

    def of_case(self, case: str) -> CaseError:
        """Returns the same fault for another case id, for callers that know the id."""
        fields = (self.file, self.problem, self.remedy, self.code, self.severity, self.members)
        return CaseError(case, *fields)

    def as_dict(self) -> dict[str, str]:
        """Returns the entry of `errors.json`: case, file, severity, code, problem, remedy."""
        names = ("case", "file", "severity", "code", "problem", "remedy")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def together(cls, faults: Sequence[CaseError], file: str) -> CaseError:
        """Combines several faults into one error, so that a user can correct all of them at once.

        Args:
            faults: at least one fault.
            file: the datalist that they come from.
        """
        if len(faults) == 1:
            return faults[0]
        lines = [f"  - {f.case}: {f.problem} ({f.file}); {f.remedy}" for f in faults[:50]]
        if len(faults) > 50:
            lines.append(f"  - and {len(faults) - 50} more")
        cases = len({f.case for f in faults})
        return cls(
            f"{cases} cases" if cases > 1 else faults[0].case,
            file,
            f"{len(faults)} faults\n" + "\n".join(lines),
            "correct the files above, or remove these cases from the list",
            "several" if len({f.code for f in faults}) > 1 else faults[0].code,
            members=faults,
        )

    @classmethod
    def find(cls, exception: BaseException) -> CaseError | None:
        """Finds the CaseError inside an exception that passed through MONAI, a worker or an engine.

        Returns:
            The fault, or None if the exception has another cause.
        """
        visited: set[int] = set()
        queue: list[BaseException] = [exception]
        while queue:
            error = queue.pop(0)
            if id(error) in visited:
                continue
            visited.add(id(error))
            if isinstance(error, cls):
                return error
            if _LAYOUT.search(str(error)):
                return cls(str(error))
            queue.extend(e for e in (error.__cause__, error.__context__) if e is not None)
        return None
