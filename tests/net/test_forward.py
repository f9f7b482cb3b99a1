"""LIDIA's forward pass: proposals, the share of the semantic head, the map's resolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.net.query_heads import compute_mask_logits
from scripts.lidia.net.semantic_map import compute_semantic_map, mix_maps


def small(**more) -> LIDIA:
    torch.manual_seed(0)
    return build_lidia(
        channels=(4, 8, 8, 8), hidden_dim=16, mask_dim=8, learned_queries=3, proposals=5, **more
    )


def scan() -> torch.Tensor:
    return torch.randn(1, 4, 32, 16, 48, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_proposals_are_seeded_where_the_semantic_head_sees_lesions() -> None:
    """A head that knows two voxels: the first two proposals are there, in voxels of the network's grid."""
    network = small().train()
    logits = torch.zeros(1, 10, 16, 8, 24)
    logits[0, 3, 12, 3, 20], logits[0, 7, 4, 6, 2] = 9.0, 8.0
    network.semantic_head.register_forward_hook(lambda _, __, out: (logits, *out[1:]))
    out = network(scan())
    assert out.seeds[0, :2].tolist() == [[25, 7, 41], [9, 13, 5]]
    assert out.seeds.shape == (1, 8, 3) and (out.seeds[0, 5:] == -1).all()
    assert torch.equal(out.semantic_logits, logits)


@torch.no_grad()
@pytest.mark.parametrize(("share", "types"), [(0.0, None), (0.3, None), (0.0, 0.4), (0.3, 0.0)])
def test_the_map_is_that_of_the_queries_and_its_share_of_the_head_upsampled(share, types) -> None:
    """The last layer's queries and the head, from what training hands on, at the weights' own share."""
    network = small(semantic_share=share, type_share=types)
    out = network.train()(scan())
    last, features = out.layers[-1], out.mask_features
    masks = compute_mask_logits(last.mask_embed, features.flatten(2)).unflatten(2, features.shape[2:])
    expected = compute_semantic_map(last.pred_logits, masks, max_over_queries=True)
    if share or types:
        head = out.semantic_logits.softmax(1)
        expected = mix_maps(expected, head, share, share if types is None else types)
    expected = F.interpolate(expected, scale_factor=2, mode="trilinear", align_corners=False)
    torch.testing.assert_close(network.eval()(scan()), expected)


@torch.no_grad()
def test_without_proposals_the_learned_queries_are_all() -> None:
    network = small().train()
    network.query_generator.proposals = 0
    out = network(scan())
    assert out.layers[0].pred_logits.shape[1] == 3 and (out.seeds == -1).all()


@torch.no_grad()
def test_the_first_prediction_is_that_of_the_queries_before_any_layer() -> None:
    network = small().train()
    out = network(scan())
    *_, pixels = network.encode(scan())
    _, description, _ = network.semantic_head(pixels)
    logits, embeddings = network.transformer_decoder.heads(
        network.query_generator.query_feat[None],
        network.mask_features(pixels).flatten(2),
        description.flatten(2),
    )
    torch.testing.assert_close(out.layers[0].pred_logits[:, 5:], logits)
    torch.testing.assert_close(out.layers[0].mask_embed[:, 5:], embeddings)


@torch.no_grad()
def test_each_layer_attends_to_its_level_under_the_mask_so_far() -> None:
    """The decoder's two layers one by one: level 2, then level 1, each with its places and its embedding."""
    network = small().train()
    recorded = []
    for layer in network.transformer_decoder.layers:
        layer.register_forward_hook(lambda _, inputs, out: recorded.append((inputs, out)))
    out = network(scan())
    _, pyramid, _ = network.encode(scan())
    for step, (level, factor) in enumerate(((2, 4), (1, 2))):
        (_, _, memory, places, blocked, apart), _ = recorded[step]
        expected = pyramid[level].flatten(2).transpose(1, 2) + network.transformer_decoder.level_embed[step]
        torch.testing.assert_close(memory, expected)
        x, y, z = (n // factor for n in (16, 8, 24))
        steps = [2.0 * factor * (torch.arange(n) - (n - 1) / 2) for n in (x, y, z)]
        grid = torch.stack(torch.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
        torch.testing.assert_close(places[0], network.transformer_decoder.sine(grid))
        coarse = F.avg_pool3d(out.mask_features, factor).flatten(2)
        assert torch.equal(blocked, compute_mask_logits(out.layers[step].mask_embed, coarse) < 0)
        assert apart is None
    assert len(recorded) == 2


@torch.no_grad()
@pytest.mark.parametrize("focus", [(-0.1333, 0.2667), None])
def test_both_paths_see_the_image_in_focus_and_0_where_a_phase_is_absent(focus) -> None:
    network, image = small(focus=focus).train(), scan()
    image[:, 2] = torch.nan
    present = torch.tensor([[True, True, False, True]])
    inputs = (image.nan_to_num(5.0) + (0.1333 if focus else 0)) / (0.2667 if focus else 1)
    inputs = inputs.clamp(-1.25, 3.5) if focus else inputs
    inputs[:, 2] = 0
    levels, pyramid, pixels = network.encode(image)
    fused = network.fusion(inputs, present)
    torch.testing.assert_close(levels[0], fused)
    torch.testing.assert_close(pyramid[0], network.pixel_decoder(network.encoder(fused))[0])
    torch.testing.assert_close(pixels, pyramid[0] + network.hounsfield_path(inputs, present))


@torch.no_grad()
def test_options_that_are_off_leave_their_parts_out() -> None:
    plain = small(hounsfield=False, liver_context=False, mask_pooling=False)
    assert (
        plain.hounsfield_path is None
        and plain.semantic_head.liver is None
        and plain.transformer_decoder.heads.descriptor_dim == 0
    )
    full = small()
    assert full.hounsfield_path is not None and full.semantic_head.liver is not None
    # Twice the width of the pixel features, and the ten classes.
    assert (
        full.transformer_decoder.heads.descriptor_dim == full.semantic_head.descriptor_dim == 26
        and plain.semantic_head.descriptor_dim == 18
    )
    assert full.stride == 16 and small(stem_stride=1).stride == 8
    assert [
        m.out_features for m in full.query_generator.seed_embedding.content if isinstance(m, torch.nn.Linear)
    ] == [16, 16]
    for start in (
        full.query_generator.query_feat,
        full.query_generator.query_embed,
        full.transformer_decoder.level_embed,
    ):
        assert 0.005 < float(start.std()) < 0.05, "queries start nearly alike"


@torch.no_grad()
def test_descriptions_end_with_the_probabilities_of_the_classes() -> None:
    network = small().train()
    *_, pixels = network.encode(scan())
    logits, description, _ = network.semantic_head(pixels)
    torch.testing.assert_close(description[:, -10:].sum(1), torch.ones(1, 16, 8, 24))
    torch.testing.assert_close(description[:, -10:], logits.softmax(1))
    torch.testing.assert_close(description[:, :8], pixels)


@torch.no_grad()
def test_embeddings_of_the_contrast_are_of_the_last_layer_s_queries_without_pilots() -> None:
    network = small().train()
    last = []
    network.transformer_decoder.layers[-1].register_forward_hook(lambda _, __, out: last.append(out))
    target = torch.zeros(1, 2, 32, 16, 48, dtype=torch.int16)
    target[:, 0, 4:8, 4:8, 4:8], target[:, 1, 4:8, 4:8, 4:8] = 3, 1
    out = network(scan(), target)
    assert last[0].shape[1] == 9 and out.contrastive_embed.shape == (1, 8, 64)
    expected = network.contrastive_projection(network.transformer_decoder.heads.norm(last[0][:, :8]))
    torch.testing.assert_close(out.contrastive_embed, expected / expected.norm(dim=-1, keepdim=True))


def test_masks_find_their_features_but_do_not_bend_them_for_the_classes() -> None:
    """What the class head pools under a mask gives the mask embedding and its features no gradient."""
    network = small().train()
    out = network(scan())
    classes = torch.autograd.grad(
        out.layers[0].pred_logits.sum(), list(network.mask_features.parameters()), allow_unused=True
    )
    assert all(gradient is None for gradient in classes)
