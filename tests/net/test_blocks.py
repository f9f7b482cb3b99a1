"""Convolutional blocks: half precision, and the shortcut to oneDNN."""

import pytest
import torch
from torch import nn

from scripts.lidia.net.blocks import Conv1, Conv3, ConvBlock


def test_tiny_maps_stay_in_float32_under_autocast():
    """The bfloat16 gradient of a kernel wider than its map is not to be trusted."""
    block = ConvBlock(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert block(torch.randn(1, 4, 2, 4, 4)).dtype == torch.float32
        assert block(torch.randn(1, 4, 3, 4, 4)).dtype == torch.bfloat16
        assert ConvBlock(4, 4, stride=2)(torch.randn(1, 4, 4, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_shortcut_is_the_plain_convolution(batch: int, stride: int) -> None:
    ours = Conv3(3, 5, stride=stride)
    plain = nn.Conv3d(3, 5, 3, stride=stride, padding=1)
    plain.load_state_dict(ours.state_dict())
    image = torch.randn(batch, 3, 6, 8, 10)
    results = []
    for layer in (ours, plain, torch.jit.script(ours)):
        layer.zero_grad()
        present = image.clone().requires_grad_()
        out = layer(present)
        out.square().sum().backward()
        results.append([out.detach(), present.grad, layer.weight.grad.clone(), layer.bias.grad.clone()])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def compute_gradients(network: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """Returns the output and the gradients of the image and of all weights."""
    network.zero_grad()
    leaf = image.clone().requires_grad_()
    out = network(leaf)
    out.square().mul(torch.linspace(0, 1, out.numel()).view_as(out)).sum().backward()
    return [out.detach(), leaf.grad, *(weight.grad.clone() for weight in network.parameters())]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("channels_last", [False, True])
def test_blocks_in_training_equal_their_plain_layers(batch: int, channels_last: bool) -> None:
    ours = nn.Sequential(ConvBlock(3, 6), ConvBlock(6, 4, stride=2), Conv1(4, 5))
    plain = nn.Sequential()
    for block in ours[:2]:
        norm = nn.InstanceNorm3d(block.conv.out_channels, affine=True)
        plain.extend([
            nn.Conv3d(block.conv.in_channels, block.conv.out_channels, 3, block.conv.stride, padding=1),
            norm,
            nn.LeakyReLU(0.01),
        ])
    plain.append(nn.Conv3d(4, 5, 1))
    for weight in ours.parameters():
        nn.init.normal_(weight, std=0.5)
    plain.load_state_dict(dict(zip(plain.state_dict(), ours.state_dict().values(), strict=True)))
    layout = torch.channels_last_3d if channels_last else torch.contiguous_format
    image = torch.randn(batch, 3, 8, 6, 10).contiguous(memory_format=layout)
    for a, b in zip(compute_gradients(ours, image), compute_gradients(plain, image), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), plain(image), rtol=1e-4, atol=1e-4)
