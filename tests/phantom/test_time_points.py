"""Several dates of a phantom patient: bytes of one date, sections, and the truth of the changes."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.fingerprint import RECIPE_HASH, recipe_hash
from scripts.lidia.phantom.lesion_course import draw_courses, name_change
from scripts.lidia.phantom.liver import Liver
from scripts.lidia.phantom.patient import sample_patient
from scripts.lidia.phantom.shapes import frame_of
from scripts.lidia.phantom.time_point_truth import DrawnLesions, describe_changes
from scripts.lidia.phantom.write_cohort import write_cohort
from scripts.lidia.phantom.write_time_points import write_time_points

TINY = {"spacing": (8.0, 8.0, 8.0), "fov": (340.0, 250.0, 160.0)}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_one_time_point_gives_the_bytes_of_the_frozen_recipe(tmp_path: Path) -> None:
    assert recipe_hash() == RECIPE_HASH
    write_cohort(dataset_dir=tmp_path / "frozen", cases=1, seed=3, **TINY)
    write_time_points(dataset_dir=tmp_path / "one", timepoints=1, cases=1, seed=3, **TINY)
    assert digests(tmp_path / "frozen") == digests(tmp_path / "one")


def test_all_dates_of_a_patient_are_in_one_section_with_their_truth(tmp_path: Path) -> None:
    options = {"timepoints": 2, "cases": 2, "seed": 6, **TINY}
    datalist = json.loads(write_time_points(dataset_dir=tmp_path / "a", **options).read_text())
    sections = {name: datalist[name] for name in ("training", "validation", "test")}
    assert sorted(len(items) for items in sections.values()) == [0, 2, 2]
    for items in (items for items in sections.values() if items):
        first, second = items
        assert first["patient"] == second["patient"] and first["id"] != second["id"]
        assert date.fromisoformat(first["date"]) < date.fromisoformat(second["date"])
        assert first["changes"] == [] and "venous" in second["phases"]
        for item in items:
            numbers = np.asarray(nib.load(tmp_path / "a" / item["instances"]).dataobj)
            assert set(np.unique(numbers)) - {0} == {lesion["instance"] for lesion in item["lesions"]}
        followed = {number for change in second["changes"] for number in change["lesions"]}
        listed = {n for item in items for lesion in item["lesions"] for n in lesion["lesions"]}
        assert listed <= followed
    write_time_points(dataset_dir=tmp_path / "b", **options)
    assert digests(tmp_path / "a") == digests(tmp_path / "b"), "the same seed gives the same bytes"


def test_an_unchanged_patient_has_stable_lesions_and_another_grid(tmp_path: Path) -> None:
    write_time_points(dataset_dir=tmp_path, timepoints=2, unchanged=True, cases=1, seed=9, fov=TINY["fov"])
    items = json.loads((tmp_path / "dataset.json").read_text())["test"]
    assert {change["change"] for change in items[1]["changes"]} <= {"stable"} and items[1]["changes"]
    images = [nib.load(tmp_path / item["phases"]["venous"]) for item in items]
    assert not np.allclose(images[0].affine, images[1].affine)


@pytest.mark.parametrize("options", [{"timepoints": 0}, {"timepoints": 1, "unchanged": True}])
def test_a_wrong_number_of_dates_is_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="timepoints|time points"):
        write_time_points(dataset_dir=tmp_path, cases=1, **options)


def make_lesions(longest: dict[int, float], groups: dict[int, tuple[int, ...]], top: float) -> DrawnLesions:
    """Lesions whose z spans are 0 to 10 mm, in a scan from -50 mm to `top`."""
    members = [number for group in groups.values() for number in group]
    line = np.zeros(1, np.float32)
    visible = (np.full((1, 1), -50, np.float32), np.full((1, 1), top, np.float32))
    spans = dict.fromkeys(members, (0.0, 0.0, 0.0, 10.0))
    return DrawnLesions(groups, longest, {k: v**3 for k, v in longest.items()}, spans, line, line, visible)


def test_every_change_is_named() -> None:
    alone = {number: (number,) for number in range(1, 6)}
    before = make_lesions({1: 20, 2: 20, 3: 20, 4: 20}, {k: alone[k] for k in (1, 2, 3, 4)}, 50)
    after = make_lesions({1: 30, 2: 12, 3: 21, 5: 9}, {k: alone[k] for k in (1, 2, 3, 5)}, 50)
    changes = {c["lesions"][0]: c for c in describe_changes(before, after, treated=[3])}
    names = {lesion: change["change"] for lesion, change in changes.items()}
    assert names == {1: "grown", 2: "shrunk", 3: "stable", 4: "gone", 5: "new"}
    assert [lesion for lesion, change in changes.items() if change["treated"]] == [3]
    assert changes[4]["instances"] == [[4], []] and changes[5]["longest_mm"] == [[], [9]]


def test_merging_splitting_and_a_cut_scan_are_named() -> None:
    apart = make_lesions({1: 10, 2: 12}, {1: (1,), 2: (2,)}, 50)
    joined = make_lesions({1: 30}, {1: (1, 2)}, 50)
    cut = make_lesions({1: 10}, {1: (1,)}, 5)
    assert [c["change"] for c in describe_changes(apart, joined, [])] == ["merged"]
    assert [c["change"] for c in describe_changes(joined, apart, [])] == ["split"]
    (change,) = describe_changes(make_lesions({1: 10}, {1: (1,)}, 50), cut, [])
    assert change["change"] == "not covered" and change["covered"] == [True, False]


def test_limits_of_grown_and_shrunk() -> None:
    assert name_change(20, 25) == "grown" and name_change(20, 24.9) == "stable"
    assert name_change(10, 14.9) == "stable", "49 % but less than 5 mm"
    assert name_change(20, 14) == "shrunk" and name_change(20, 14.2) == "stable"


def test_courses_contain_every_event() -> None:
    frame = frame_of((200, 200, 200), (4, 4, 4), (0, 0, 0))
    box = tuple(slice(0, size) for size in frame.shape)
    mask = np.zeros(frame.shape, bool)
    mask[5:-5, 5:-5, 5:-5] = True
    liver = Liver(box, np.where(mask, 20, -20).astype(np.float32), mask, np.zeros(3))
    rng, events = np.random.default_rng(0), set()
    for _ in range(60):
        patient = sample_patient(rng, RECIPES["internal"])
        for course in draw_courses(rng, frame, liver, patient, 2, unchanged=False):
            first, second = course.diameters
            events.add("new" if not first else "gone" if not second else name_change(first, second))
            events |= {"treated"} if course.treated[1] else set()
            assert not course.treated[0] and max(course.diameters) <= 1.3 * 95
    assert events == {"new", "gone", "grown", "shrunk", "stable", "treated"}
