"""Define the building blocks of the network: convolutions, a perceptron and positional encodings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from monai.networks.blocks import ADN
from torch import Tensor, nn


def trains_on_cpu(x: Tensor) -> bool:
    """Return whether gradients are computed in float32 on a CPU, without autocast and compiler."""
    if not torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
        return False
    return x.device.type == "cpu" and x.dtype == torch.float32


class Conv3(nn.Conv3d):
    """3x3x3 convolution with padding 1 that always uses oneDNN on a CPU.

    For a single sample with few channels or voxels, torch 2.13 selects its own CPU kernel, which takes up to
    eight times as long.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride=stride, padding=1)
        self.onednn = torch.backends.mkldnn.is_available()

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, X, Y, Z) -> (B, outputs, x, y, z), x = X / stride."""
        direct = self.onednn and x.device.type == "cpu" and x.dtype == torch.float32 and x.shape[0] == 1
        if not torch.jit.is_scripting():
            traced = torch.compiler.is_compiling()  # or exported
            direct = direct and not traced and not torch.is_autocast_enabled("cpu")
        if direct:
            return torch.mkldnn_convolution(x, self.weight, self.bias, [1, 1, 1], self.stride, [1, 1, 1], 1)
        return self._conv_forward(x, self.weight, self.bias)


class Conv1(nn.Conv3d):
    """1x1x1 convolution; a feature map in the layout channels-last is multiplied as a matrix.

    For this layout torch 2.13 selects its own CPU kernel, which copies the map and takes several times as
    long.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, X, Y, Z) -> (B, outputs, X, Y, Z)."""
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript skips the branch only so)
            if trains_on_cpu(x) and not x.is_contiguous():
                return F.linear(x.movedim(1, -1), self.weight.flatten(1), self.bias).movedim(-1, 1)
        return self._conv_forward(x, self.weight, self.bias)


class ConvBlock(nn.Module):
    """3-D convolution, instance norm and LeakyReLU (0.01): the convolutional block of nnU-Net and the paper.

    In training on a CPU with oneDNN, maps in float32 are computed in the layout channels-last and stay in it:
    the backward pass of the network takes about a quarter less time.

    Under autocast, feature maps with fewer than three voxels along an axis are computed in float32: the
    bfloat16 gradient of a 3x3x3 kernel in oneDNN reads beyond their bounds (torch 2.13: the gradients of the
    weights are infinite or random).
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = Conv3(inputs, outputs, stride=stride)
        self.adn = ADN(
            "NA",
            in_channels=outputs,
            norm=("INSTANCE", {"affine": True}),
            norm_dim=3,
            act=("LEAKYRELU", {"negative_slope": 0.01, "inplace": True}),
        )
        self.min_size = 2 * stride + 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, X, Y, Z) -> (B, outputs, x, y, z), x = X / stride."""
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript skips the branch only so)
            if min(x.shape[2:]) < self.min_size and torch.is_autocast_enabled(x.device.type):
                return self._forward_float32(x)
            if self.conv.onednn and trains_on_cpu(x):
                return self._forward_channels_last(x)
        return self.adn(self.conv(x))

    @torch.jit.unused
    def _forward_channels_last(self, x: Tensor) -> Tensor:
        """Compute each sample's instance norm as its batch norm, which has kernels for this layout."""
        conv, norm, layout = self.conv, self.adn.N, torch.channels_last_3d
        weight = conv.weight.contiguous(memory_format=layout)
        maps = F.conv3d(x.contiguous(memory_format=layout), weight, conv.bias, conv.stride, conv.padding)
        samples = [
            F.batch_norm(sample, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
            for sample in maps.split(1)
        ]
        return self.adn.A(samples[0] if len(samples) == 1 else torch.cat(samples))

    @torch.jit.unused
    def _forward_float32(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.adn(self.conv(x.float()))


class SpaceToDepth(nn.Module):
    """Move blocks of `stride`³ voxels into channels: the resolution drops by `stride`, no voxel is lost."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, X, Y, Z) -> (B, C·s³, X/s, Y/s, Z/s)."""
        s = self.stride
        b, c, i, j, k = x.shape
        x = x.reshape(b, c, i // s, s, j // s, s, k // s, s).permute(0, 1, 3, 5, 7, 2, 4, 6)
        return x.reshape(b, c * s * s * s, i // s, j // s, k // s)


class Perceptron(nn.Sequential):
    """Multi-layer perceptron: linear layers of the same hidden width with ReLU between them."""

    def __init__(self, inputs: int, hidden: int, outputs: int, *, layers: int = 3) -> None:
        widths = [inputs, *[hidden] * (layers - 1), outputs]
        steps: list[nn.Module] = []
        for i, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            steps += [nn.Linear(a, b)] + ([nn.ReLU(inplace=True)] if i < layers - 1 else [])
        super().__init__(*steps)


class SinePosition(nn.Module):
    """Sinusoidal positional encoding of a 3-D position; each axis takes a third of the width.

    Positions are in voxels of the network's grid relative to the centre of the window, so that the encoding
    of a neighbourhood does not depend on the size of the window. Wavelengths range from 8 to 512 voxels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        count = -(-width // 6)
        waves = 8.0 * (512.0 / 8.0) ** (torch.arange(count) / max(count - 1, 1))
        self.register_buffer("frequency", 2.0 * math.pi / waves, persistent=False)

    def forward(self, positions: Tensor) -> Tensor:
        """Encode positions: (..., 3) in voxels -> (..., width)."""
        angles = positions.unsqueeze(-1) * self.frequency  # (..., 3, count)
        code = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
        return code[..., : self.width]


def compute_voxel_positions(x: int, y: int, z: int, stride: int, device: torch.device) -> Tensor:
    """Return the (x·y·z, 3) cell centres of a feature grid, in network voxels from the window's centre."""
    i = (torch.arange(x, device=device) + 0.5 - x / 2.0) * stride
    j = (torch.arange(y, device=device) + 0.5 - y / 2.0) * stride
    k = (torch.arange(z, device=device) + 0.5 - z / 2.0) * stride
    grid = torch.meshgrid(i, j, k, indexing="ij")
    return torch.stack([g.flatten() for g in grid], dim=-1)
