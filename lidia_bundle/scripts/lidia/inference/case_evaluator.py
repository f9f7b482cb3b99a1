"""Run inference over a cohort: failed patients are listed in a file, all others are completed."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.runtime.deferred_evaluator import DeferredEvaluator
from scripts.lidia.runtime.distributed import gather_strings

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""System errors of a file that cannot be written."""
SERIES_FINDINGS = "series_findings"
"""Key of the output of a patient under which `WriteDicom` leaves its `SeriesFindings` to later handlers."""


class CohortError(RuntimeError):
    """Some patients of a cohort failed; `errors.json` lists them with the reasons."""


def to_case_error(problem: BaseException, item: Mapping[str, Any]) -> CaseError:
    """Returns the CaseError inside an exception, or a new one that describes an unforeseen exception."""
    case_error = CaseError.find(problem)
    if case_error is not None:
        return case_error
    file = next(iter((item.get("phases") or {}).values()), "")
    if isinstance(problem, OSError) and problem.errno in FULL:
        remedy = "see that the folder can be written and has room, then go on with --skip_existing True"
        where = str(problem.filename or file)
        return CaseError(str(item.get("id", "unknown")), where, str(problem), remedy, "not_written")
    while problem.__cause__ is not None:  # MONAI wraps the error of a transform
        problem = problem.__cause__
    description = f"{type(problem).__name__}: {problem}"
    return CaseError(
        str(item.get("id", "unknown")), str(file), description, "report this with the file", "unforeseen"
    )


def note_failure(engine: Engine, problem: Exception, case: str) -> None:
    """Lists the failure of a handler for one patient, so that the following handlers still run.

    Args:
        engine: a `CohortEvaluator`; another engine has no list.
        problem: exception of the handler.
        case: id of the patient.

    Raises:
        Exception: `problem`, if the engine has no list.
    """
    if not isinstance(engine, CohortEvaluator):
        raise problem
    engine.add_failure(to_case_error(problem, {"id": case}))


def write_faults(path: Path, faults: Sequence[CaseError]) -> None:
    """Writes `errors.json`: the failed patients, which may be none."""
    write_json(path, [fault.as_dict() for fault in faults])


class CohortEvaluator(DeferredEvaluator):
    """MONAI's evaluator that continues after a patient whose loading, inference or writing failed.

    Each batch must hold one patient, see `collate_patient`. Postprocessing and handlers read the patient's
    `item` in `state.batch`. For a failed patient `state.batch` and `state.output` are empty lists.
    `scans` of the item and `SERIES_FINDINGS` of the output are dropped when all handlers have run, before the
    next patient is loaded. With several processes each has its own patients, possibly none; at the end the
    faults are gathered, and the first process writes them.

    Args:
        errors: file that lists the failed patients; written after each failure and at the end.
        **kwargs: arguments of `SupervisedEvaluator`.
    """

    def __init__(self, *, errors: str, **kwargs: Any) -> None:
        self.items: list[dict[str, Any]] = []
        super().__init__(**kwargs)
        self.errors = Path(errors)
        self.faults: list[CaseError] = []
        self.add_event_handler(Events.ITERATION_COMPLETED, self.drop_volumes)

    def drop_volumes(self) -> None:
        """Drops the scans of the patient and the masks on their grid, which take hundreds of megabytes."""
        for item in self.items:
            item.pop("scans", None)
        for output in self.state.output:
            output.pop(SERIES_FINDINGS, None)

    def _register_decollate(self) -> None:
        """Excludes the items from MONAI's decollation, which rejects None and converts every number."""
        super()._register_decollate()

        @self.on(IterationEvents.MODEL_COMPLETED)
        def _add_items(engine: Engine) -> None:
            for data, item in zip(engine.state.batch, self.items, strict=False):
                data["item"] = item

    def _iteration(self, engine: DeferredEvaluator, batchdata: dict[str, Any]) -> Any:
        fault = batchdata.get("fault")
        self.items = batchdata.pop("item", [])
        if fault is None:
            item = {"id": batchdata["id"][0]} if "id" in batchdata else {}
            try:
                return super()._iteration(engine, batchdata)
            except Exception as problem:
                self.add_failure(to_case_error(problem, item))
        else:
            self.add_failure(CaseError(**{key: value[0] for key, value in fault.items()}))
        engine.state.batch, engine.state.output = [], []
        return engine.state.output

    def add_failure(self, fault: CaseError) -> None:
        """Adds a failed patient to the list and to the file."""
        self.faults.append(fault)
        self.logger.error(str(fault))
        self.write_errors()

    def write_errors(self) -> None:
        """Writes the list of failed patients; only in the first process."""
        if idist.get_rank() == 0:
            write_faults(self.errors, self.faults)

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Runs the cohort from its first patient; faults of an earlier run are deleted."""
        self.faults = []
        self.take_length()
        idist.barrier()  # all processes determine the finished patients before any process writes
        if self.state.epoch_length:
            super().run(*args, **kwargs)
        elif len(self.data_loader.dataset):
            # With more processes than patients MONAI would skip the events that the others wait for.
            self.fire_event(Events.EPOCH_COMPLETED)
            self.fire_event(Events.COMPLETED)
        else:
            self.logger.info("No patient is left: all have complete results.")
        faults = [json.loads(text) for texts in gather_strings(self._encode_faults()) for text in texts]
        self.faults = sorted((CaseError(**fault) for fault in faults), key=lambda fault: fault.case)
        self.write_errors()
        idist.barrier()  # a failing process ends the others, so the list must be written before

    def _encode_faults(self) -> list[str]:
        return [json.dumps(fault.as_dict()) for fault in self.faults]

    def finish(self) -> None:
        """Ends the command; raises an error if a patient failed.

        Raises:
            CohortError: a patient failed.
        """
        if self.faults:
            failed = sorted({fault.case for fault in self.faults})
            raise CohortError(
                f"{len(failed)} failed: {', '.join(failed[:10])}. The others are done; see {self.errors}."
            )
