"""Run inference over a cohort: failed patients are listed in a file, all others are completed."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.data import Dataset, list_data_collate
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents

from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.source_series import find_source_files
from scripts.lidia.inference.result_files import is_finished
from scripts.lidia.registration.register_case import register_phases
from scripts.lidia.registration.select_transform import check_method
from scripts.lidia.runtime.distributed import gather_strings

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""System errors of a file that cannot be written."""


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


class CohortDataset(Dataset):
    """Dataset that returns `{"fault": ...}` instead of raising if a patient cannot be loaded.

    An element holds the output of the preprocessing and `item`, the patient's item of the datalist; after a
    registration its `phases` and `notes` are those of the registered images. `collate_patient` builds a
    batch.

    Args:
        data: items of a datalist.
        transform: the preprocessing.
        finished_in: folder of results; patients with complete results there are skipped.
        dicom: whether SEG and SR belong to complete results of a patient with DICOM input.
        pages: whether the patient's page belongs to complete results.
        register: False, or the method that registers the phases of a patient before loading.
        registered_in: folder for the registered phases.
        register_limit_s: time limit in seconds per pair of phases.

    Raises:
        CaseError: the method of registration is unknown or not installed.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable[..., Any],
        finished_in: str | None = None,
        dicom: bool = True,
        pages: bool = True,
        register: str | bool = False,
        registered_in: str = "registered",
        register_limit_s: float = 300.0,
    ) -> None:
        if register:
            check_method(str(register))
        self.method, self.registered_in, self.limit_s = register, registered_in, register_limit_s
        unfinished = [
            item
            for item in data
            if finished_in is None
            or not is_finished(
                finished_in, item["id"], dicom=dicom and bool(find_source_files(item)), page=pages
            )
        ]
        super().__init__(unfinished, transform)

    def __getitem__(self, index: int) -> Any:
        try:
            return super().__getitem__(index)
        except Exception as problem:
            return {"fault": to_case_error(problem, self.data[index]).as_dict()}

    def _transform(self, index: int) -> Any:
        item = self.data[index]
        if self.method:
            item = register_phases(
                item, folder=self.registered_in, method=str(self.method), limit_s=self.limit_s
            )
        return {**self.transform(item), "item": item}


def collate_patient(elements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Builds a batch of one patient; `item` is not collated, because its values are not tensors.

    Args:
        elements: one element of a `CohortDataset`.

    Returns:
        The batch of MONAI's `list_data_collate`, and `item` as a list of one dictionary.
    """
    batch = list_data_collate([{k: v for k, v in row.items() if k != "item"} for row in elements])
    items = [row["item"] for row in elements if "item" in row]
    return {**batch, "item": items} if items else batch


class CohortEvaluator(SupervisedEvaluator):
    """MONAI's evaluator that continues after a patient whose loading, inference or writing failed.

    Each batch must hold one patient, see `collate_patient`. Postprocessing and handlers read the patient's
    `item` in `state.batch`. For a failed patient `state.batch` and `state.output` are empty lists. With
    several processes each has its own patients, possibly none; at the end the faults are gathered, and the
    first process writes them.

    Args:
        errors: file that lists the failed patients; written after each failure and at the end.
        **kwargs: arguments of `SupervisedEvaluator`.
    """

    def __init__(self, *, errors: str, **kwargs: Any) -> None:
        self.items: list[dict[str, Any]] = []
        super().__init__(**kwargs)
        self.errors = Path(errors)
        self.faults: list[CaseError] = []

    def _register_decollate(self) -> None:
        """Excludes the items from MONAI's decollation, which rejects None and converts every number."""
        super()._register_decollate()

        @self.on(IterationEvents.MODEL_COMPLETED)
        def _add_items(engine: Engine) -> None:
            for data, item in zip(engine.state.batch, self.items, strict=False):
                data["item"] = item

    def _iteration(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> Any:
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
        idist.barrier()  # all processes determine the finished patients before any process writes
        if self.state.epoch_length or idist.get_rank() == 0:
            super().run(*args, **kwargs)
        elif len(self.data_loader.dataset):
            # With more processes than patients MONAI would skip the events that the others wait for.
            self.fire_event(Events.EPOCH_COMPLETED)
            self.fire_event(Events.COMPLETED)
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
