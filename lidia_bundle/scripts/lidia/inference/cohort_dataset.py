"""Load the patients of a cohort: a patient who cannot be loaded becomes a fault, the others are completed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from monai.data import Dataset, list_data_collate

from scripts.lidia.datalist.deferred_list import DeferredList
from scripts.lidia.dicom.source_series import find_source_files
from scripts.lidia.inference.case_evaluator import to_case_error
from scripts.lidia.inference.result_files import is_finished, remove_leftovers
from scripts.lidia.inference.shards import check_rank, take_part
from scripts.lidia.registration.register_case import register_phases
from scripts.lidia.registration.select_transform import check_method


class CohortDataset(Dataset):
    """Dataset that returns `{"fault": ...}` instead of raising if a patient cannot be loaded.

    An element holds the output of the preprocessing and `item`, the patient's item of the datalist; after a
    registration its `phases` and `notes` are those of the registered images. `scans` of the preprocessing
    are moved to the item. `collate_patient` builds a
    batch. The patients and their results are looked up when the length is needed for the first time.

    Independent processes share a cohort by `rank` and `world_size`: each takes its part of the whole list,
    whatever results exist, so that every patient belongs to exactly one of them.

    Args:
        data: items of a datalist.
        transform: the preprocessing.
        finished_in: folder of results; patients with complete results there are skipped.
        dicom: whether SEG and SR belong to complete results of a patient with DICOM input.
        rtstruct: whether the RT Structure Set belongs to them.
        pdf: whether the PDF belongs to them.
        pages: whether the patient's page belongs to complete results.
        register: False, or the method that registers the phases of a patient before loading.
        registered_in: folder for the registered phases.
        register_limit_s: time limit in seconds per pair of phases.
        rank: number of this part, from 0.
        world_size: number of parts; 1 takes all patients.

    Raises:
        CaseError: the method of registration is unknown or not installed.
        ValueError: `rtstruct` is True and `dicom` is False, or there is no part of this number.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable[..., Any],
        finished_in: str | None = None,
        dicom: bool = True,
        rtstruct: bool = False,
        pdf: bool = False,
        pages: bool = True,
        register: str | bool = False,
        registered_in: str = "registered",
        register_limit_s: float = 300.0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_rank(rank, world_size)
        if rtstruct and not dicom:
            raise ValueError("rtstruct is True and dicom is False: an RT Structure Set needs --dicom True")
        if register:
            check_method(str(register))
        self.method, self.registered_in, self.limit_s = register, registered_in, register_limit_s
        part = DeferredList(partial(take_part, data, rank, world_size))
        unfinished = DeferredList(
            partial(clean_unfinished, part, finished_in, dicom=dicom, rtstruct=rtstruct, pages=pages, pdf=pdf)
        )
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
        tensors = dict(self.transform(item))
        scans = tensors.pop("scans", None)
        return {**tensors, "item": {**item, "scans": scans} if scans else item}


def list_unfinished(
    items: Sequence[Mapping[str, Any]],
    finished_in: str | None,
    *,
    dicom: bool,
    pages: bool,
    rtstruct: bool = False,
    pdf: bool = False,
) -> list[dict[str, Any]]:
    """Lists the patients without complete results.

    Args:
        items: items of a datalist.
        finished_in: folder of results; None lists all patients.
        dicom: whether SEG and SR belong to complete results of a patient with DICOM input.
        pages: whether the patient's page belongs to complete results.
        rtstruct: whether the RT Structure Set belongs to them.
        pdf: whether the PDF belongs to them.
    """

    def has_results(item: Mapping[str, Any]) -> bool:
        has_series = dicom and bool(find_source_files(item))
        return finished_in is not None and is_finished(
            finished_in, item["id"], dicom=has_series, rtstruct=rtstruct, page=pages, pdf=pdf
        )

    return [dict(item) for item in items if not has_results(item)]


def clean_unfinished(
    items: Sequence[Mapping[str, Any]], finished_in: str | None, **required: bool
) -> list[dict[str, Any]]:
    """Removes what a killed process left half-written of the patients without complete results.

    Args:
        items: items of a datalist, of which no other process writes results.
        finished_in: folder of results; None removes nothing.
        **required: files that belong to complete results, see `list_unfinished`.

    Returns:
        The patients without complete results.
    """
    unfinished = list_unfinished(items, finished_in, **required)
    if finished_in is not None:
        remove_leftovers(finished_in, [item["id"] for item in unfinished])
    return unfinished


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
