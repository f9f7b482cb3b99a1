"""Build the measured networks: LIDIA of the configs and MONAI's DynUNet of the same width."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from monai.bundle import ConfigParser
from monai.networks.nets import DynUNet
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from scripts.lidia.contract import SemanticPrediction
from scripts.lidia.net.blocks import Conv3
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.runtime.weights import load_weights
from scripts.lidia.vocabulary import CLASSES, PHASES

SCALES = {"compact": "configs/inference.json", "paper": "configs/overlays/networks/paper_scale.yaml"}


def read_network_options(bundle: str | Path, scale: str) -> dict[str, Any]:
    """Read LIDIA's arguments from the config of a scale, `compact` or `paper`."""
    config = ConfigParser.load_config_file(str(Path(bundle) / SCALES[scale]))
    return {key: value for key, value in config["network_def"].items() if not key.startswith("_")}


def build_network(bundle: str | Path, kind: str, scale: str = "compact") -> nn.Module:
    """Build a network by its name.

    Args:
        bundle: the bundle's folder.
        kind: `lidia` (compact with the shipped weights), `dynunet` with LIDIA's encoder (its widths, strides
            and stem), or `stock`, DynUNet of the same widths from full resolution.
        scale: `compact` or `paper`.
    """
    options = read_network_options(bundle, scale)
    if kind == "lidia":
        network = build_lidia(**options)
        if scale == "compact":
            load_weights(network, Path(bundle) / "models/model.pt")
        return network
    stem = options["stem_stride"] if kind == "dynunet" else 1
    return PeerUNet(options["channels"], stem)


class PeerUNet(nn.Module):
    """MONAI's DynUNet with LIDIA's tensor contract: all phases at once, -1 where one is absent.

    Args:
        filters: of the stages, finest first; each stage after the first halves the resolution.
        stem: stride of the first stage; its logits are up-sampled to the input's grid, as LIDIA's are.
    """

    def __init__(self, filters: Sequence[int], stem: int) -> None:
        super().__init__()
        strides = [stem] + [2] * (len(filters) - 1)
        self.stem = stem
        self.network = DynUNet(
            spatial_dims=3,
            in_channels=len(PHASES),
            out_channels=len(CLASSES),
            kernel_size=[3] * len(filters),
            strides=strides,
            upsample_kernel_size=strides[1:],
            filters=list(filters),
        )

    def forward(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        """Probabilities in evaluation, a `SemanticPrediction` in training; `target` is not read."""
        logits = self.network(image.nan_to_num(-1.0))
        if self.training:
            return SemanticPrediction(logits)  # type: ignore[return-value]
        if self.stem > 1:
            logits = F.interpolate(
                logits, scale_factor=float(self.stem), mode="trilinear", align_corners=False
            )
        return logits.softmax(dim=1)


def predict_background(network: nn.Module) -> None:
    """Make an untrained DynUNet predict background everywhere; writing noise takes longer than labels."""
    head = [module for module in network.modules() if isinstance(module, nn.Conv3d)][-1]
    nn.init.zeros_(head.weight)
    assert head.bias is not None
    nn.init.zeros_(head.bias)
    head.bias.data[0] = 10.0


@torch.no_grad()
def count_multiply_adds(network: nn.Module, image: Tensor) -> float:
    """Count the multiply-adds of a forward pass, in 1e9, with torch's FlopCounterMode."""
    exact = [module for module in network.modules() if isinstance(module, Conv3)]
    settings = [module.onednn for module in exact]
    for module in exact:
        module.onednn = False  # the counter covers this operator of the same convolution
    network.requires_grad_(False)  # the counter would follow gradients
    with FlopCounterMode(display=False) as counter:
        network(image)
    for module, setting in zip(exact, settings, strict=True):
        module.onednn = setting
    return counter.get_total_flops() / 2e9
