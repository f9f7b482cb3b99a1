"""Segment the liver of one CT by the pipeline of an inference config, in two passes that can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.networks.utils import eval_mode
from numpy.typing import NDArray

from scripts.lidia.inference.input_checks import find_reached_ends
from scripts.lidia.inference.most_probable_classes import find_most_probable_classes
from scripts.lidia.postprocess.liver_region import compute_liver_region
from scripts.lidia.runtime.weights import list_weight_files, load_weights
from scripts.lidia.vocabulary import BACKGROUND, CLASSES, PHASES

BUNDLE = Path(__file__).resolve().parents[3]
Mask = NDArray[np.bool_]


class SegmentedLiver(NamedTuple):
    """The liver of one scan, on the scan's own grid and on the network's grid."""

    native: Mask
    """`(X, Y, Z)` liver and lesions on the scan's grid."""
    native_affine: NDArray[np.float64]
    """`(4, 4)` of the scan's grid, voxel indices to RAS mm."""
    hu: NDArray[np.float32]
    """`(x, y, z)` HU on the network's grid (RAS order), clipped to the network's window."""
    affine: NDArray[np.float64]
    """`(4, 4)` of the network's grid."""
    classified: Mask
    """`(x, y, z)` all voxels that the network classifies as liver or lesion."""
    region: Mask
    """`(x, y, z)` the largest component of them, with filled holes."""
    mirrored_region: Mask
    """`(x, y, z)` the same from the mirrored scan, mirrored back."""
    reached_ends: tuple[str, ...]
    """Sides of the scan that the liver reaches, such as `superior`."""
    warnings: tuple[str, ...]
    """Warnings of the diagnosis."""


class LiverSegmenter:
    """Segments the liver of a scan twice: as it is, and mirrored along one axis.

    A network that is sure of a liver finds the same liver in the mirrored scan, since training mirrors its
    crops. Both passes search the liver in the whole scan, so a wrong box shows as a disagreement too.

    Args:
        preprocessing: from the files of a case to the network's input.
        network: network with weights.
        inferer: whole-volume inferer.
        postprocessing: from probabilities to the diagnosis on the scan's grid.
        window: HU that the preprocessing maps to -1 and 1.
        device: device of the network.
        mirror_axis: axis of the second pass: 0 right-left, 1 posterior-anterior, 2 inferior-superior.

    Raises:
        ValueError: `mirror_axis` is not one of them.
    """

    def __init__(
        self,
        *,
        preprocessing: Any,
        network: torch.nn.Module,
        inferer: Any,
        postprocessing: Any,
        window: Sequence[float],
        device: torch.device | str = "cpu",
        mirror_axis: int = 2,
    ) -> None:
        if mirror_axis not in (0, 1, 2):
            raise ValueError(f"mirror_axis is {mirror_axis!r}: choose 0, 1 or 2")
        self.preprocessing, self.network, self.inferer = preprocessing, network, inferer
        self.postprocessing, self.window, self.device = postprocessing, window, device
        self.mirror_axis = mirror_axis

    def __call__(self, case: str, phase: str, path: str | Path) -> SegmentedLiver:
        """Segments the liver of one scan.

        Args:
            case: id of the scan, for messages.
            phase: its contrast phase.
            path: NIfTI file, or folder of one DICOM series.

        Raises:
            CaseError: the file cannot be read or does not hold a CT.
        """
        data = self.preprocessing({"id": case, "phases": {phase: str(path)}})
        image: MetaTensor = data["image"]
        maps = self._predict(image)
        mirrored = self._predict(image.flip(self.mirror_axis + 1)).flip(self.mirror_axis + 1)
        affine = image.affine.cpu().numpy().astype(np.float64)
        spacing = np.linalg.norm(affine[:3, :3], axis=0).tolist()
        classes, mirrored_classes = (
            find_most_probable_classes(part[: len(CLASSES)]).numpy() for part in (maps, mirrored)
        )
        region = compute_liver_region(classes, spacing, grow_mm=0.0)
        mirrored_region = compute_liver_region(mirrored_classes, spacing, grow_mm=0.0)
        output = self.postprocessing({**data, "pred": maps})
        native = output["diagnosis"].liver
        native_affine = np.asarray(image.meta.get("original_affine", affine), dtype=np.float64)
        ends = find_reached_ends(native, native_affine) | find_reached_ends(region, affine)
        low, high = self.window
        scaled = image.as_tensor()[PHASES.index(phase)].cpu().numpy()
        return SegmentedLiver(
            native,
            native_affine,
            (scaled + 1) / 2 * (high - low) + low,
            affine,
            classes > BACKGROUND,
            region,
            mirrored_region,
            tuple(sorted(ends)),
            tuple(output["result"]["warnings"]),
        )

    def _predict(self, image: torch.Tensor) -> torch.Tensor:
        """Predicts the map (C, X, Y, Z) of an image (4, X, Y, Z), on the CPU."""
        plain = image.as_tensor() if isinstance(image, MetaTensor) else image
        with eval_mode(self.network):
            return self.inferer(plain[None].to(self.device), self.network)[0].cpu()


def build_segmenter(
    config: str | Sequence[str],
    model_file: str | Sequence[str] | None = None,
    device: torch.device | str | None = None,
    options: Mapping[str, Any] | None = None,
    mirror_axis: int = 2,
) -> LiverSegmenter:
    """Builds the segmenter from the parts of an inference config.

    Args:
        config: `inference.json`, or a list of it and its overlays.
        model_file: weights; None takes the config's.
        device: None takes the config's.
        options: further values of the config by key.
        mirror_axis: see `LiverSegmenter`.
    """
    parser = read_inference_config(config, model_file, options)
    if device is not None:
        parser["device"] = device
    names = ("preprocessing", "network", "inferer", "postprocessing", "window", "device")
    parts = {name: parser.get_parsed_content(name) for name in names}
    network, files = parts["network"], list_weight_files(parser.get_parsed_content("model_file"))
    for member, file in zip(getattr(network, "members", [network]), files, strict=True):
        load_weights(member, file, parts["device"])
    return LiverSegmenter(**parts, mirror_axis=mirror_axis)


def read_inference_config(
    config: str | Sequence[str],
    model_file: str | Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> ConfigParser:
    """Reads an inference config whose parts shall be built inside another job.

    Args:
        config: see `build_segmenter`.
        model_file: see `build_segmenter`.
        options: see `build_segmenter`.
    """
    parser = ConfigParser()
    parser.read_config([config] if isinstance(config, str) else list(config))
    # The job that is running has made the bundle importable and has checked its options
    changes = {"bundle_root": str(BUNDLE), "bootstrap": True, **(options or {})}
    if model_file is not None:
        changes["model_file"] = model_file
    for key, value in changes.items():
        parser[key] = value
    return parser
