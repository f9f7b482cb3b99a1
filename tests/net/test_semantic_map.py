"""The semantic map by hand: two queries, two classes and 'no object'."""

import torch

from scripts.lidia.net.semantic_map import compute_semantic_map, mix_maps


def logit(p):
    return torch.tensor(p).log() - (1 - torch.tensor(p)).log()


CLASSES = torch.tensor([[[0.1, 0.8, 0.1], [0.2, 0.3, 0.5]]]).log()  # (1, Q=2, C=2 + no object)
MASKS = logit([[[0.5, 1e-6], [0.9, 1e-6]]]).reshape(1, 2, 2, 1, 1)  # two voxels


def test_sum_over_queries_by_hand():
    s0, s1 = 0.1 * 0.5 + 0.2 * 0.9, 0.8 * 0.5 + 0.3 * 0.9  # 0.23, 0.67
    s0 += 1 - (s0 + s1)  # nobody claims the rest
    torch.testing.assert_close(
        compute_semantic_map(CLASSES, MASKS)[0, :, 0, 0, 0],
        torch.tensor([s0, s1]) / (s0 + s1),
        atol=1e-5,
        rtol=0,
    )


def test_maximum_over_queries_by_hand():
    s0, s1 = max(0.05, 0.18), max(0.4, 0.27)
    s0 += 1 - (s0 + s1)
    torch.testing.assert_close(
        compute_semantic_map(CLASSES, MASKS, max_over_queries=True)[0, :, 0, 0, 0],
        torch.tensor([s0, s1]),
        atol=1e-5,
        rtol=0,
    )


def test_a_voxel_that_no_query_claims_is_background():
    for maximum in (False, True):
        out = compute_semantic_map(CLASSES, MASKS, max_over_queries=maximum)[0, :, 1, 0, 0]
        torch.testing.assert_close(out, torch.tensor([1.0, 0.0]), atol=1e-5, rtol=0)


def test_more_than_certain_is_divided():
    sure = torch.tensor([[[0.0, 1.0, 0.0]] * 3]).clamp(min=1e-9).log()
    out = compute_semantic_map(sure, torch.full((1, 3, 1, 1, 1), 20.0))
    torch.testing.assert_close(out.flatten(), torch.tensor([0.0, 1.0]), atol=1e-5, rtol=0)


def test_many_voxels_are_read_like_few() -> None:
    classes, masks = torch.randn(2, 5, 4), torch.randn(2, 5, 20, 20, 20) * 3
    complete = compute_semantic_map(classes, masks, max_over_queries=True)
    torch.testing.assert_close(
        complete[..., 7:9], compute_semantic_map(classes, masks[..., 7:9], max_over_queries=True)
    )
    torch.testing.assert_close(complete.sum(1), torch.ones(2, 20, 20, 20))


def one_voxel(*probabilities: float) -> torch.Tensor:
    """Background, liver and two types."""
    return torch.tensor(probabilities).reshape(1, 4, 1, 1, 1)


QUERIES, HEAD = one_voxel(0.5, 0.2, 0.06, 0.24), one_voxel(0.1, 0.1, 0.6, 0.2)


def test_position_and_type_may_have_different_shares_of_the_head() -> None:
    result = mix_maps(QUERIES, HEAD, 0.5, 0.25).flatten()
    lesion = 0.5 * 0.3 + 0.5 * 0.8
    types = [0.75 * 0.2 + 0.25 * 0.75, 0.75 * 0.8 + 0.25 * 0.25]
    torch.testing.assert_close(result, torch.tensor([0.3, 0.15, lesion * types[0], lesion * types[1]]))


def test_equal_shares_are_the_mean_of_both_maps() -> None:
    torch.testing.assert_close(mix_maps(QUERIES, HEAD, 0.25, 0.25), 0.75 * QUERIES + 0.25 * HEAD)


def test_queries_that_claim_no_lesion_leave_the_sum_at_one() -> None:
    result = mix_maps(one_voxel(1.0, 0.0, 0.0, 0.0), HEAD, 0.7, 0.0).flatten()
    torch.testing.assert_close(result, torch.tensor([0.37, 0.07, 0.28, 0.28]))


def test_half_precision_is_read_in_float() -> None:
    classes, masks = torch.randn(2, 5, 4).bfloat16(), torch.randn(2, 5, 3, 4, 5).bfloat16()
    result = compute_semantic_map(classes, masks)
    assert result.shape == (2, 3, 3, 4, 5) and result.dtype == torch.float32
    torch.testing.assert_close(result, compute_semantic_map(classes.float(), masks.float()), rtol=0, atol=0)


def test_shares_keep_a_batch_and_its_voxels_apart() -> None:
    queries, head = (torch.randn(2, 4, 3, 2, 2).softmax(1) for _ in range(2))
    both = mix_maps(queries, head, 0.5, 0.25)
    assert both.shape == queries.shape
    for b in range(2):
        entry = mix_maps(queries[b : b + 1, :, 1:2], head[b : b + 1, :, 1:2], 0.5, 0.25)
        torch.testing.assert_close(both[b : b + 1, :, 1:2], entry)
