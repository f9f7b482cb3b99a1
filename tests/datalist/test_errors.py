from __future__ import annotations

import pickle

import pytest
from monai.data import DataLoader, Dataset
from monai.transforms import Compose, Transform

from scripts.lidia.datalist.case_error import CaseError

FAULT = CaseError("P1", "/a/v.nii.gz", "the file is truncated:\nno end", "copy it again", "truncated")


class Fails(Transform):
    def __call__(self, data: object) -> object:
        raise FAULT


def error_of(loader: DataLoader) -> Exception:
    """Lets go of the traceback, which would keep the workers until the collector waits for them."""
    try:
        list(loader)
    except RuntimeError as error:
        return error.with_traceback(None)
    raise AssertionError("nothing was raised")


def test_pickle_keeps_every_word() -> None:
    again = pickle.loads(pickle.dumps(FAULT))
    assert again.as_dict() == FAULT.as_dict() and str(again) == str(FAULT)


def test_text_reads_back() -> None:
    assert CaseError(str(FAULT)).as_dict() == FAULT.as_dict()
    assert CaseError("something else").problem == "something else"


@pytest.mark.parametrize("workers", [0, 1])
def test_found_whole_behind_monai_and_a_worker(workers: int) -> None:
    loader = DataLoader(Dataset([{"id": "P1"}], Compose([Fails()])), batch_size=1, num_workers=workers)
    error = CaseError.find(error_of(loader))
    assert error is not None and error.as_dict() == FAULT.as_dict()


def test_finds_nothing_in_other_errors() -> None:
    assert CaseError.find(RuntimeError("CUDA out of memory")) is None


def test_together_names_all() -> None:
    other = CaseError("P2", "/b.nii.gz", "is empty", "copy", "empty_file")
    both = CaseError.together([FAULT, other], "list.json")
    assert both.members == (FAULT, other) and both.code == "several"
    assert all(word in str(both) for word in ("P1", "P2", "/a/v.nii.gz", "/b.nii.gz", "2 faults"))
    assert CaseError.together([other], "list.json") is other
