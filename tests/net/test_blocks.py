"""Convolutional blocks under half precision."""

import torch

from scripts.lidia.net.blocks import ConvBlock


def test_tiny_maps_stay_in_float32_under_autocast():
    """The bfloat16 gradient of a kernel wider than its map is not to be trusted."""
    block = ConvBlock(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert block(torch.randn(1, 4, 2, 4, 4)).dtype == torch.float32
        assert block(torch.randn(1, 4, 3, 4, 4)).dtype == torch.bfloat16
        assert ConvBlock(4, 4, stride=2)(torch.randn(1, 4, 4, 8, 8)).dtype == torch.float32
