"""Lesions of a class map: joining, typing, removal, measurement."""

from __future__ import annotations

import numpy as np
import pytest
from postprocess.class_maps import AFFINE, SPACING, liver, one_hot

from scripts.lidia.components import label_components
from scripts.lidia.postprocess.diagnosis import diagnose
from scripts.lidia.postprocess.lesion_instances import extract_lesions
from scripts.lidia.vocabulary import LESION_TYPES


def test_a_lesion_of_two_types_takes_the_majority_and_the_map_follows() -> None:
    classes = liver()
    classes[6:10, 6:10, 6:10] = 2
    classes[6:7, 6:10, 6:10] = 3
    lesions = extract_lesions(one_hot(classes), SPACING, AFFINE)
    (record,) = lesions.records
    assert record["type"] == "HCC" and set(np.unique(lesions.classes)) == {0, 2}
    assert record["volume_mm3"] == pytest.approx(64 * 8)
    assert record["centroid_ras_mm"] == pytest.approx([50 - 2 * 7.5, -20 + 15, 7 + 15])
    assert record["diameter_mm"] == pytest.approx(2 * np.hypot(4, 3))
    assert record["probabilities"]["ICC"] == pytest.approx(0.25 * 0.82 + 0.75 * 0.02)
    assert sum(record["probabilities"].values()) == pytest.approx(1 - 2 * 0.02)


def test_cysts_are_lesions_by_themselves_where_they_touch() -> None:
    classes = liver()
    classes[6:10, 6:10, 6:10] = 2
    classes[10:12, 6:10, 6:10] = 7
    lesions = extract_lesions(one_hot(classes), SPACING, AFFINE)
    assert [record["type"] for record in lesions.records] == ["HCC", "cyst"]
    assert np.array_equal(lesions.instances == 2, classes == 7)


def test_a_tie_goes_to_the_larger_mean() -> None:
    classes = liver()
    classes[6:8, 6:10, 6:10], classes[8:10, 6:10, 6:10] = 2, 4
    maps = one_hot(classes)
    maps[4, 8:10, 6:10, 6:10] += 0.1
    assert extract_lesions(maps, SPACING, AFFINE).records[0]["type"] == "metastasis"


def test_small_and_distant_components_are_removed() -> None:
    classes = liver()
    classes[6:8, 6, 6] = 5
    classes[28:30, 21:24, 17:20] = 6
    classes[15:17, 10:12, 10] = 8
    lesions = extract_lesions(one_hot(classes), SPACING, AFFINE)
    assert [record["type"] for record in lesions.records] == ["calcification"], (
        "16 mm3, and 12 mm off the liver"
    )
    remaining = extract_lesions(one_hot(classes), SPACING, AFFINE, smallest_mm3=10.0)
    assert {record["type"] for record in remaining.records} == {"calcification", "hemangioma"}
    everywhere = extract_lesions(one_hot(classes), SPACING, AFFINE, region=np.ones(classes.shape))
    assert "FNH" in {record["type"] for record in everywhere.records}


def test_map_instances_and_records_agree() -> None:
    rng = np.random.default_rng(3)
    classes = liver()
    for _ in range(25):
        x, y, z = rng.integers((4, 4, 4), (20, 16, 12))
        classes[x : x + 3, y : y + 3, z : z + 3] = rng.integers(2, 10)
    lesions = extract_lesions(one_hot(classes), SPACING, AFFINE)
    assert len(lesions.records) == lesions.instances.max() > 3
    again = label_components(lesions.classes)
    assert again.max() == lesions.instances.max(), "components of the map are the instances"
    volumes = [record["volume_mm3"] for record in lesions.records]
    assert volumes == sorted(volumes, reverse=True)
    for record in lesions.records:
        mask = lesions.instances == record["instance"]
        assert mask.sum() * 8 == pytest.approx(record["volume_mm3"])
        assert set(np.unique(lesions.classes[mask])) == {2 + LESION_TYPES.index(record["type"])}
        assert len(set(np.unique(again[mask]))) == 1


def test_the_liver_of_a_diagnosis_holds_its_lesions() -> None:
    classes = liver()
    classes[22:25, 6:9, 6:9] = 4
    diagnosis = diagnose(one_hot(classes), SPACING, AFFINE)
    assert np.array_equal(diagnosis.liver, classes > 0)
    assert diagnosis.pixelcount["metastasis"] == diagnosis.records[0]["volume_mm3"]
    assert diagnosis.warnings == []


def test_no_lesion_is_no_record() -> None:
    lesions = extract_lesions(one_hot(liver()), SPACING, AFFINE)
    assert lesions.records == [] and not lesions.classes.any() and not lesions.instances.any()
