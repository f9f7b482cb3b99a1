"""Convolutional blocks: half precision, and the shortcut to oneDNN."""

import pytest
import torch
from torch import nn

from scripts.lidia.net.blocks import Conv3, ConvBlock


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
