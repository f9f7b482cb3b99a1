"""Mask-piloted queries: the masks that they receive, and what they attend to."""

from __future__ import annotations

import pytest
import torch

from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.net.mask_pilots import make_pilot_masks
from scripts.lidia.recorded_randomness import record_choices, replay_choices


def small() -> LIDIA:
    torch.manual_seed(0)
    network = build_lidia(channels=(4, 8, 8, 8), hidden_dim=16, mask_dim=8, learned_queries=3, proposals=5)
    return network.train()


def cubes(*lesions: tuple[int, int, int], size: int = 16) -> torch.Tensor:
    """One sample with cubes of (class, first voxel, width) on its diagonal, numbered from 1."""
    target = torch.zeros(1, 2, size, size, size, dtype=torch.int16)
    for number, (kind, first, width) in enumerate(lesions, 1):
        present = slice(first, first + width)
        target[0, 0, present, present, present], target[0, 1, present, present, present] = kind, number
    return target


def test_masks_are_the_lesions_on_the_feature_grid_the_largest_first() -> None:
    target = cubes((3, 0, 2), (7, 4, 4), (5, 12, 3))
    masks, numbers = make_pilot_masks(target, 2, shift=0, drop=0.0)
    assert numbers.tolist() == [[2, 3, 1]] and masks.shape == (1, 3, 8, 8, 8)
    assert masks.sum((2, 3, 4)).tolist() == [[8.0, 8.0, 1.0]], "a cell with one lesion voxel counts"
    assert masks[0, 0, 2:4, 2:4, 2:4].all() and masks[0, 1, 6:8, 6:8, 6:8].all() and masks[0, 2, 0, 0, 0] == 1
    masks, numbers = make_pilot_masks(target, 2, limit=2, shift=0, drop=0.0)
    assert numbers.tolist() == [[2, 3]] and masks.shape[1] == 2


def test_ignored_lesions_have_no_pilot_and_samples_are_padded_with_empty_masks() -> None:
    entry, two = cubes((3, 0, 2), (-1, 4, 4)), cubes((3, 0, 2), (7, 4, 4))
    masks, numbers = make_pilot_masks(torch.cat([entry, two]), 2, shift=0, drop=0.0)
    assert numbers.tolist() == [[1, 0], [2, 1]]
    assert masks.shape == (2, 2, 8, 8, 8) and not masks[0, 1].any()


def test_masks_move_by_at_most_one_feature_voxel_along_each_axis_and_lose_a_share() -> None:
    moves, remaining = set(), []
    for _ in range(60):
        mask = make_pilot_masks(cubes((3, 6, 2)), 2, drop=0.0)[0][0, 0]
        (place,) = mask.nonzero().tolist()
        moves.add(tuple(at - 3 for at in place))
        remaining.append(make_pilot_masks(cubes((3, 0, 16)), 2)[0].mean())
    assert {axis for move in moves for axis in move} == {-1, 0, 1}
    assert len(moves) > 15, "the axes move independently: 27 places"
    assert torch.stack(remaining).mean() == pytest.approx(0.9, abs=0.01)


def test_a_mask_that_would_be_dropped_whole_is_kept() -> None:
    masks, _ = make_pilot_masks(cubes((3, 4, 4)), 2, shift=1, drop=1.0)
    assert masks[0, 0, 2:4, 2:4, 2:4].all() and masks.sum() == 8


@torch.no_grad()
def test_a_pilot_is_described_by_the_mean_under_its_mask() -> None:
    """Content is the mean description of the voxels, position their mean place, whatever their number."""
    network, image = small(), torch.randn(1, 4, 32, 32, 32)
    contents, places, descriptions = [], [], []
    seeds = network.query_generator.seed_embedding
    seeds.content.register_forward_hook(lambda _, inputs, __: contents.append(inputs[0]))
    seeds.sine.register_forward_hook(lambda _, inputs, __: places.append(inputs[0]))
    network.semantic_head.register_forward_hook(lambda *hook: descriptions.append(hook[2]))
    with record_choices(network):
        network(image, cubes((3, 4, 1), (7, 8, 8), size=32))
    masks = torch.zeros(1, 3, 16, 16, 16)
    masks[0, 0, 4, 5, 6] = 1  # one voxel, two voxels, and a padding pilot
    masks[0, 1, 0, 0, 0] = masks[0, 1, 15, 2, 3] = 1
    network.choices.recorded[0] = (masks, torch.tensor([[1, 2, 0]]))
    contents.clear()
    places.clear()
    with replay_choices(network):
        network(image, cubes((3, 4, 1), (7, 8, 8), size=32))
    described = descriptions[-1][1][0]
    mean = (described[:, 0, 0, 0] + described[:, 15, 2, 3]) / 2
    expected = torch.stack([described[:, 4, 5, 6], mean, torch.zeros_like(mean)])
    torch.testing.assert_close(contents[1][0], expected)
    # Feature voxel i of 16 lies at (i + 0.5 - 8) * 2 network voxels from the centre.
    expected = torch.tensor([[-7.0, -5.0, -3.0], [0.0, -13.0, -12.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(places[1][0], expected)


@torch.no_grad()
def test_a_pilot_attends_only_under_its_mask() -> None:
    """What the coarser levels hold elsewhere changes its answer by nothing; a voxel of its own does."""
    network = small()
    guide = torch.zeros(1, 1, 16, 16, 16)
    guide[0, 0, 4:8, 4:8, 4:8] = 1
    sizes = (16, 16, 16, 16), (16, 8, 8, 8), (16, 4, 4, 4)
    pyramid = [torch.randn(1, *size) for size in sizes]
    features, description = (
        torch.randn(1, 8, 16, 16, 16),
        torch.randn(1, network.semantic_head.descriptor_dim, 16, 16, 16),
    )
    queries, position = torch.randn(1, 3, 16), torch.randn(1, 3, 16)

    def pilot(levels: list[torch.Tensor]) -> torch.Tensor:
        return network.transformer_decoder(levels, features, description, queries, position, guide)[0][-1][
            0, 2
        ]

    outside, inside = ([level.clone() for level in pyramid] for _ in range(2))
    outside[1][..., 5:, 5:, 5:] += 10
    outside[2][..., 3, 3, 3] += 10
    inside[1][..., 2, 3, 2] += 10
    assert torch.equal(pilot(outside), pilot(pyramid))
    assert not torch.allclose(pilot(inside), pilot(pyramid), atol=1e-3)
