"""A cohort with faulty patients: the good ones are finished, the faulty ones listed, and the end says so."""

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
"""Why a file cannot be written."""


class CohortError(RuntimeError):
    """Some patients of a cohort failed; `errors.json` says which and why."""


def to_case_error(problem: BaseException, item: Mapping[str, Any]) -> CaseError:
    """The CaseError inside an exception, or one that tells of an exception nobody foresaw."""
    found = CaseError.find(problem)
    if found is not None:
        return found
    file = next(iter((item.get("phases") or {}).values()), "")
    if isinstance(problem, OSError) and problem.errno in FULL:
        remedy = "see that the folder can be written and has room, then go on with --skip_existing True"
        where = str(problem.filename or file)
        return CaseError(str(item.get("id", "unknown")), where, str(problem), remedy, "not_written")
    while problem.__cause__ is not None:  # MONAI's own word is that it applied a transform
        problem = problem.__cause__
    what = f"{type(problem).__name__}: {problem}"
    return CaseError(
        str(item.get("id", "unknown")), str(file), what, "report this with the file", "unforeseen"
    )


def note_failure(engine: Engine, problem: Exception, case: str) -> None:
    """Lists what a handler failed in for one patient, so that the handlers behind it still run.

    Args:
        engine: a `CohortEvaluator`; another engine has no list.
        problem: what the handler raised.
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
    """Patients of which one may fail without the others: a fault takes the place of the tensors.

    An element holds what the preprocessing gives and `item`: the patient's item of the datalist, whose
    `phases` and `notes` are those of the registration where there is one. `collate_patient` makes a batch.

    Args:
        data: items of a datalist.
        transform: the preprocessing.
        finished_in: folder of results; patients who are complete there are left out.
        dicom: whether SEG and SR of those who come as DICOM are among the results.
        pages: whether a page of each patient is.
        register: False, or the method by which the phases of a patient are registered before he is loaded.
        registered_in: folder for the registered phases.
        register_limit_s: seconds that a pair of phases may take.

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
        kept = [
            item
            for item in data
            if finished_in is None
            or not is_finished(
                finished_in, item["id"], dicom=dicom and bool(find_source_files(item)), page=pages
            )
        ]
        super().__init__(kept, transform)

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
    """Makes a batch of one patient; the item stays as it is, because its values are no tensors.

    Args:
        elements: one element of a `CohortDataset`.

    Returns:
        The batch of MONAI's `list_data_collate`, and `item` as a list of one dictionary.
    """
    batch = list_data_collate([{k: v for k, v in row.items() if k != "item"} for row in elements])
    items = [row["item"] for row in elements if "item" in row]
    return {**batch, "item": items} if items else batch


class CohortEvaluator(SupervisedEvaluator):
    """MONAI's evaluator that goes on after a patient who failed in loading, inference or writing.

    Takes the arguments of `SupervisedEvaluator`; its batches must hold one patient each, as `collate_patient`
    makes them. Postprocessing and handlers read the patient's `item` in `state.batch`. For a failed patient
    `state.batch` and `state.output` are empty lists. With several processes each has patients of its own,
    perhaps none; at the end all know all faults, and the first writes them.

    Args:
        errors: the file that lists the failed patients; written when the list grows and at the end.
        **kwargs: of `SupervisedEvaluator`.
    """

    def __init__(self, *, errors: str, **kwargs: Any) -> None:
        self.items: list[dict[str, Any]] = []
        super().__init__(**kwargs)
        self.errors = Path(errors)
        self.faults: list[CaseError] = []

    def _register_decollate(self) -> None:
        """Keeps the items out of MONAI's decollation, which refuses None and rebuilds every number."""
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
        """Writes the list as it stands; the first process alone."""
        if idist.get_rank() == 0:
            write_faults(self.errors, self.faults)

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Runs the cohort from its first patient; faults of an earlier run are forgotten."""
        self.faults = []
        idist.barrier()  # who is already finished is known to all before anybody writes
        if self.state.epoch_length or idist.get_rank() == 0:
            super().run(*args, **kwargs)
        elif len(self.data_loader.dataset):
            # More processes than patients: MONAI would skip what the others wait for.
            self.fire_event(Events.EPOCH_COMPLETED)
            self.fire_event(Events.COMPLETED)
        told = [json.loads(word) for words in gather_strings(self._encode_faults()) for word in words]
        self.faults = sorted((CaseError(**fault) for fault in told), key=lambda fault: fault.case)
        self.write_errors()
        idist.barrier()  # a process that fails now ends the others, and the list has to stand before

    def _encode_faults(self) -> list[str]:
        return [json.dumps(fault.as_dict()) for fault in self.faults]

    def finish(self) -> None:
        """Ends the command: silent if all patients are done.

        Raises:
            CohortError: a patient failed.
        """
        if self.faults:
            failed = sorted({fault.case for fault in self.faults})
            raise CohortError(
                f"{len(failed)} failed: {', '.join(failed[:10])}. The others are done; see {self.errors}."
            )
