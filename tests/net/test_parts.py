"""The network's parts against their formulas: positions, folding, pyramid, attention, heads, peaks."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from scripts.lidia.net.blocks import (
    ConvBlock,
    Perceptron,
    SinePosition,
    SpaceToDepth,
    compute_voxel_positions,
)
from scripts.lidia.net.encoder import Encoder
from scripts.lidia.net.hounsfield_path import HounsfieldPath, stretch_soft_tissue
from scripts.lidia.net.pixel_decoder import FeaturePyramid
from scripts.lidia.net.query_generator import find_lesion_peaks, gather_voxels, unravel_indices
from scripts.lidia.net.query_heads import QueryHeads, compute_mask_logits
from scripts.lidia.net.semantic_head import SemanticHead
from scripts.lidia.net.transformer_decoder import DecoderLayer, separate_pilots, unblock_empty


def test_places_are_cell_centres_from_the_middle_of_the_window() -> None:
    places = compute_voxel_positions(2, 4, 6, 2, torch.device("cpu")).reshape(2, 4, 6, 3)
    assert places[:, 0, 0, 0].tolist() == [-1, 1]
    assert places[0, :, 0, 1].tolist() == [-3, -1, 1, 3]
    assert places[0, 0, :, 2].tolist() == [-5, -3, -1, 1, 3, 5]
    assert compute_voxel_positions(1, 1, 3, 1, torch.device("cpu"))[:, 2].tolist() == [-1, 0, 1]


def test_positions_are_sines_and_cosines_of_8_to_512_voxels() -> None:
    """Three axes of two waves each, at their ends: a quarter of a wave is 2 and 128 voxels."""
    sine = SinePosition(12)
    code = sine(torch.tensor([[0.0, 2.0, 128.0], [8.0, -2.0, 512.0]])).reshape(2, 3, 4)
    slow, quick = 2 * math.pi / 512, 2 * math.pi / 8
    torch.testing.assert_close(code[0, 0], torch.tensor([0.0, 0, 1, 1]))
    torch.testing.assert_close(code[0, 1], torch.tensor([1, math.sin(2 * slow), 0, math.cos(2 * slow)]))
    torch.testing.assert_close(code[0, 2], torch.tensor([0.0, 1, 1, 0]), atol=1e-4, rtol=0)
    assert code[1, 1, 0] == pytest.approx(-1) and code[1, 2, 3] == pytest.approx(1)
    assert code[1, 0, 0] == pytest.approx(math.sin(8 * quick), abs=1e-5)
    assert SinePosition(16)(torch.zeros(5, 3)).shape == (5, 16)
    assert SinePosition(3)(torch.tensor([2.0, 0, 0])).tolist() == pytest.approx([1, 0, 0], abs=1e-6)


def test_folding_keeps_every_voxel_and_its_neighbours_in_the_plane_are_those_of_torch() -> None:
    image = torch.randn(2, 3, 4, 6, 2)
    folded = SpaceToDepth(2)(image)
    assert folded.shape == (2, 24, 2, 3, 1)
    torch.testing.assert_close(folded.flatten().sort().values, image.flatten().sort().values)
    assert folded[0, :8, 1, 2, 0].tolist() == image[0, 0, 2:4, 4:6, 0:2].flatten().tolist()
    plane = torch.randn(1, 2, 4, 6)
    ours = SpaceToDepth(2)(plane.unsqueeze(-1).expand(-1, -1, -1, -1, 2))[..., 0]
    torch.testing.assert_close(ours[:, ::2], F.pixel_unshuffle(plane, 2))


def test_a_perceptron_bends_between_its_layers_and_not_behind_the_last() -> None:
    net = Perceptron(2, 5, 3)
    assert [tuple(m.weight.shape) for m in net if isinstance(m, nn.Linear)] == [(5, 2), (5, 5), (3, 5)]
    assert [type(m) for m in net] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert [type(m) for m in Perceptron(2, 5, 3, layers=1)] == [nn.Linear]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_is_convolution_instance_norm_and_leaky_relu(stride: int) -> None:
    torch.manual_seed(0)
    block, image = ConvBlock(2, 3, stride=stride), torch.randn(2, 2, 6, 4, 8)
    weight, bias = block.adn.N.weight, block.adn.N.bias
    weight.data, bias.data = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.1, 0.0, -0.3])
    out = F.conv3d(image, block.conv.weight, block.conv.bias, stride=stride, padding=1)
    mean, spread = out.mean((2, 3, 4), keepdim=True), out.var((2, 3, 4), unbiased=False, keepdim=True)
    out = (out - mean) / (spread + 1e-5).sqrt() * weight.view(3, 1, 1, 1) + bias.view(3, 1, 1, 1)
    expected = torch.where(out > 0, out, 0.01 * out)
    torch.testing.assert_close(block(image), expected, rtol=1e-4, atol=1e-5)


def test_the_encoder_halves_the_resolution_at_each_stage() -> None:
    levels = Encoder((3, 4, 6))(torch.randn(1, 3, 8, 12, 16))
    assert [tuple(level.shape[1:]) for level in levels] == [(3, 8, 12, 16), (4, 4, 6, 8), (6, 2, 3, 4)]


@pytest.mark.parametrize("finest", [5, 8])
def test_the_pyramid_is_the_recursion_of_lin_et_al(finest: int) -> None:
    torch.manual_seed(0)
    pyramid = FeaturePyramid((3, 4, 6), width=8, finest=finest)
    levels = [torch.randn(1, c, n, n, n) for c, n in ((3, 8), (4, 4), (6, 2))]
    double = nn.Upsample(scale_factor=2)
    coarse = pyramid.blocks[0](pyramid.laterals[0](levels[2]))
    middle = pyramid.blocks[1](pyramid.laterals[1](levels[1]) + double(coarse))
    fine = pyramid.blocks[2](pyramid.laterals[2](levels[0]) + double(pyramid.narrow(middle)))
    for result, expected in zip(pyramid(levels), (fine, middle, coarse), strict=True):
        torch.testing.assert_close(result, expected)
    assert fine.shape[1] == finest and isinstance(pyramid.narrow, nn.Identity) == (finest == 8)


def test_a_decoder_layer_is_masked_cross_attention_then_self_attention_then_ffn() -> None:
    torch.manual_seed(0)
    layer = DecoderLayer(hidden_dim=8, num_heads=2, ffn_dim=12)
    queries, position = torch.randn(1, 3, 8), torch.randn(1, 3, 8)
    memory, places = torch.randn(1, 5, 8), torch.randn(1, 5, 8)
    blocked = torch.zeros(1, 3, 5, dtype=torch.bool)
    blocked[0, 0, :3] = True
    blocked[0, 1] = True  # blocks everything, so nothing
    apart = torch.tensor([[False, True, False], [False, False, False], [False, False, False]])

    def attention(module: nn.MultiheadAttention, q, k, v, mask):
        weights, biases = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
        q, k, v = (
            (x @ w.T + b).reshape(-1, 2, 4).transpose(0, 1)  # two heads of width 4
            for x, w, b in zip((q[0], k[0], v[0]), weights, biases, strict=True)
        )
        logits = (q @ k.transpose(1, 2) / 2.0).masked_fill(mask, -torch.inf)
        return module.out_proj((logits.softmax(-1) @ v).transpose(0, 1).flatten(1))[None]

    mask = blocked[0].clone()
    mask[1] = False
    visible = layer.norm_cross(
        queries + attention(layer.cross_attn, queries + position, memory + places, memory, mask)
    )
    key = visible + position
    visible = layer.norm_self(visible + attention(layer.self_attn, key, key, visible, apart))
    expected = layer.norm_ffn(visible + layer.ffn(visible))
    torch.testing.assert_close(layer(queries, position, memory, places, blocked, apart), expected)
    assert [m.out_features for m in layer.ffn if isinstance(m, nn.Linear)] == [12, 8]


def test_pilots_attend_to_themselves_and_no_query_attends_to_pilots() -> None:
    apart = separate_pilots(2, 2, torch.device("cpu"))
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]
    assert apart.int().tolist() == expected
    rows = torch.tensor([[True, True], [True, False]])
    assert unblock_empty(rows).tolist() == [[False, False], [True, False]]


def test_queries_start_as_no_object_with_masks_that_are_nearly_empty() -> None:
    heads = QueryHeads(hidden_dim=8, mask_dim=4, classes=3, descriptor_dim=5)
    assert heads.mask_embed[-1].bias[-1] == -3 and heads.class_embed[-1].bias[-1] == 2
    assert (heads.mask_embed[-1].bias[:-1] != -3).all() and (heads.class_embed[-1].bias[:-1] != 2).all()
    assert [m.out_features for m in heads.mask_embed if isinstance(m, nn.Linear)] == [8, 8, 5]
    assert [m.out_features for m in heads.class_embed if isinstance(m, nn.Linear)] == [16, 4]
    plain = QueryHeads(hidden_dim=8, mask_dim=4, classes=3, descriptor_dim=0)
    assert [m.out_features for m in plain.class_embed if isinstance(m, nn.Linear)] == [4]


def test_mask_logits_by_hand() -> None:
    embeddings, features = torch.tensor([[[2.0, -1.0, 0.5]]]), torch.tensor([[[1.0, 3.0], [4.0, 0.0]]])
    assert compute_mask_logits(embeddings, features).tolist() == [[[2 - 4 + 0.5, 6 + 0.5]]]


def test_the_class_head_reads_the_mean_description_under_the_query_s_own_mask() -> None:
    heads, read = QueryHeads(hidden_dim=8, mask_dim=1, classes=3, descriptor_dim=2), []
    nn.init.zeros_(heads.mask_embed[-1].weight)
    heads.mask_embed[-1].bias.data = torch.tensor([
        40.0,
        -20.0,
    ])  # sure where the feature is 1, empty where it is 0
    heads.class_embed.register_forward_hook(lambda _, inputs, __: read.append(inputs[0]))
    queries = torch.randn(1, 1, 8)
    description = torch.tensor([[[1.0, 3.0, 5.0, 100.0], [0.0, 1.0, 5.0, -9.0]]])
    heads(queries, torch.tensor([[[1.0, 1.0, 1.0, 0.0]]]), description)
    torch.testing.assert_close(read[0][0, 0, :8], heads.norm(queries)[0, 0])
    torch.testing.assert_close(read[0][0, 0, 8:], torch.tensor([3.0, 2.0]), rtol=1e-3, atol=0)


def test_the_focus_stretches_minus_40_to_340_hu() -> None:
    hu = torch.tensor([-200.0, -40.0, 60.0, 140.0, 340.0, 400.0])
    result = stretch_soft_tissue((hu - 100) / 300, -0.1333, 0.2667)
    torch.testing.assert_close(result, torch.tensor([-1.25, -1.25, 0.0, 1.0, 3.5, 3.5]), atol=1e-3, rtol=1e-3)


def test_the_hounsfield_path_sees_mean_values_and_presence_without_a_norm() -> None:
    torch.manual_seed(0)
    path = HounsfieldPath(phases=2, width=3, stride=2)
    image, present = torch.randn(1, 2, 4, 4, 4), torch.tensor([[True, False]])
    pooled = image.reshape(1, 2, 2, 2, 2, 2, 2, 2).mean((3, 5, 7))
    flags = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1, 1).expand(1, 2, 2, 2, 2)
    near = F.conv3d(torch.cat([pooled, flags], 1), path.near.weight, path.near.bias, padding=1)
    expected = path.mix(torch.where(near > 0, near, 0.01 * near))
    torch.testing.assert_close(path(image, present), expected)


def test_voxels_are_described_by_their_difference_from_the_liver_s_mean() -> None:
    torch.manual_seed(0)
    head, pixels = SemanticHead(2, 4, liver_context=True), torch.randn(2, 2, 3, 3, 3)
    logits, described, liver = head(pixels)
    weight = 1 / (1 + torch.exp(-head.liver(pixels)))
    for b in range(2):
        mean = (pixels[b] * weight[b]).flatten(1).sum(1) / (weight[b].sum() + 1e-3)
        torch.testing.assert_close(described[b, 2:4], pixels[b] - mean[:, None, None, None])
    torch.testing.assert_close(described[:, :2], pixels)
    torch.testing.assert_close(liver, head.liver(pixels))
    torch.testing.assert_close(logits, head.classify(described[:, :4]))
    torch.testing.assert_close(described[:, 4:], logits.softmax(1))
    logits, described, liver = SemanticHead(2, 4, liver_context=False)(pixels)
    assert liver is None and torch.equal(described[:, :2], pixels) and logits.shape[1] == 4


def test_peaks_are_the_strongest_of_their_window_and_others_fill_up_behind_them() -> None:
    logits = torch.zeros(1, 4, 9, 9, 9)
    logits[0, 2:] = -20.0
    for place, height in (((2, 2, 2), 5.0), ((2, 2, 4), 4.0), ((2, 2, 5), 3.0), ((7, 7, 7), 2.0)):
        logits[(0, 3, *place)] = height
    # 4.0 lies two voxels beside 5.0, and 3.0 one beside 4.0: neither is a peak of a window of five.
    result = unravel_indices(find_lesion_peaks(logits, 4), 9, 9)[0].tolist()
    assert result[:2] == [[2, 2, 2], [7, 7, 7]]
    logits[0, :2] -= 30.0  # each voxel is now told apart from background by more; the order stays
    assert unravel_indices(find_lesion_peaks(logits, 2), 9, 9)[0].tolist() == result[:2]
    narrow = unravel_indices(find_lesion_peaks(logits, 3, window=3), 9, 9)[0].tolist()
    assert narrow == [[2, 2, 2], [2, 2, 4], [7, 7, 7]]


def test_a_peak_is_likely_a_lesion_against_background_and_liver() -> None:
    """The larger logit of a lesion is no peak where background is likelier still."""
    logits = torch.full((1, 4, 1, 1, 9), -9.0)
    logits[0, :, 0, 0, 1] = torch.tensor([0.0, -9.0, 3.0, -9.0])
    logits[0, :, 0, 0, 7] = torch.tensor([-9.0, 5.0, -9.0, 4.0])
    assert find_lesion_peaks(logits, 1)[0].tolist() == [1]


def test_where_peaks_run_out_the_next_strongest_voxels_follow() -> None:
    logits = torch.zeros(1, 3, 1, 1, 5)
    logits[0, 2, 0, 0] = torch.tensor([1.0, 3.0, 5.0, 4.0, 2.0])
    assert find_lesion_peaks(logits, 4)[0].tolist() == [2, 3, 1, 4]


def test_voxels_are_gathered_by_their_flat_index() -> None:
    features = torch.arange(2 * 3 * 24.0).reshape(2, 3, 2, 3, 4)
    index = torch.tensor([[0, 23], [13, 7]])
    result = gather_voxels(features, index)
    assert result.shape == (2, 2, 3)
    assert result[0, 1].tolist() == features[0, :, 1, 2, 3].tolist()
    assert result[1, 0].tolist() == features[1, :, 1, 0, 1].tolist()
    assert unravel_indices(index, 3, 4).tolist() == [[[0, 0, 0], [1, 2, 3]], [[1, 0, 1], [0, 1, 3]]]
