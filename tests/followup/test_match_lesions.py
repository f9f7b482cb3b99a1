"""Matching of hand-made lesions: pairs, merging, splitting, distance."""

from __future__ import annotations

import numpy as np

from scripts.lidia.followup.match_lesions import MatchLimits, match_lesions
from scripts.lidia.followup.tracks import build_tracks

LIMITS = MatchLimits(min_overlap=0.1, contained=0.5, max_distance_mm=10.0)
SHAPE = (60, 40, 30)


def balls(*lesions: tuple[tuple[int, int, int], float]) -> np.ndarray:
    """Numbered balls (centre and radius in voxels of 2 mm)."""
    numbers = np.zeros(SHAPE, np.uint16)
    grid = np.indices(SHAPE)
    for number, (centre, radius) in enumerate(lesions, 1):
        numbers[sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2] = number
    return numbers


def test_overlapping_lesions_are_pairs_whatever_their_numbers() -> None:
    earlier = balls(((10, 10, 10), 5), ((40, 20, 15), 4))
    later = balls(((41, 20, 15), 6), ((11, 10, 10), 5))
    links = match_lesions(earlier, later, 2.0, LIMITS)
    assert links.pairs == {1: 2, 2: 1} and not links.merged and not links.split


def test_a_shifted_lesion_is_a_pair_within_the_distance_only() -> None:
    earlier = balls(((10, 10, 10), 2))
    near, far = balls(((14, 10, 10), 2)), balls(((17, 10, 10), 2))
    assert match_lesions(earlier, near, 2.0, LIMITS).pairs == {1: 1}, "8 mm"
    assert match_lesions(earlier, far, 2.0, LIMITS).pairs == {}, "14 mm"


def test_growth_to_one_side_does_not_part_a_pair() -> None:
    earlier, later = balls(((10, 10, 10), 2)), balls(((18, 10, 10), 8))
    assert match_lesions(earlier, later, 2.0, LIMITS._replace(min_overlap=1.1)).pairs == {1: 1}


def test_two_lesions_that_grow_together_merge_into_the_better_match() -> None:
    earlier = balls(((20, 20, 15), 4), ((30, 20, 15), 3))
    later = balls(((24, 20, 15), 10))
    links = match_lesions(earlier, later, 2.0, LIMITS)
    assert links.pairs == {1: 1} and links.merged == {2: 1} and not links.split


def test_a_lesion_that_falls_apart_is_split() -> None:
    earlier = balls(((24, 20, 15), 10))
    later = balls(((20, 20, 15), 4), ((30, 20, 15), 3))
    links = match_lesions(earlier, later, 2.0, LIMITS)
    assert links.pairs == {1: 1} and links.split == {2: 1} and not links.merged


def test_a_gone_neighbour_does_not_take_the_place_of_a_new_one() -> None:
    earlier = balls(((10, 10, 10), 3), ((20, 10, 10), 3))
    later = balls(((10, 10, 10), 3), ((45, 10, 10), 3))
    assert match_lesions(earlier, later, 2.0, LIMITS).pairs == {1: 1}


def test_no_lesions() -> None:
    empty = np.zeros(SHAPE, np.uint16)
    for earlier, later in ((empty, empty), (balls(((9, 9, 9), 3)), empty), (empty, balls(((9, 9, 9), 3)))):
        assert match_lesions(earlier, later, 2.0, LIMITS).pairs == {}


def test_a_lesion_that_one_date_misses_keeps_its_track() -> None:
    lesion, empty = balls(((10, 10, 10), 4)), np.zeros(SHAPE, np.uint16)
    (track,) = build_tracks([lesion, empty, lesion], 2.0, LIMITS)
    assert track.instances == {0: 1, 2: 1} and track.last_before(2) == 0


def test_tracks_of_merging_and_splitting() -> None:
    apart = balls(((20, 20, 15), 4), ((30, 20, 15), 3))
    joined = balls(((24, 20, 15), 10))
    first, second, third = build_tracks([apart, joined, apart], 2.0, LIMITS)
    assert first.instances == {0: 1, 1: 1, 2: 1}
    assert second.instances == {0: 2} and second.merged_into == (1, 1)
    assert third.instances == {2: 2} and third.split_from == (1, 2)


def test_a_small_lesion_at_the_centre_of_a_union_does_not_take_the_number_of_the_large_one() -> None:
    earlier = balls(((22, 20, 15), 9), ((35, 20, 15), 2))
    later = balls(((27, 20, 15), 13))
    links = match_lesions(earlier, later, 2.0, LIMITS)
    assert links.pairs == {1: 1} and links.merged == {2: 1}
