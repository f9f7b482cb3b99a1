"""One ONNX file gives the network's results for every subset of phases and any size, in each runtime."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from net.export_inputs import SIZES, SUBSETS, noise, with_phases
from preloaded import run_preloaded

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.inference.exported_network import RUNTIMES, digest_network, load_runtime, require_library
from scripts.lidia.inference.liver_window_inferer import WindowInferer
from scripts.lidia.net.ifm import IterativeFusion
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.net.query_generator import find_lesion_peaks
from scripts.lidia.postprocess.diagnosis import diagnose

ROOT = Path(__file__).parents[2]
CONTINUOUS = ("semantic_head.classify.1", "mask_features")
"""The last layers before a discrete choice: what follows picks peaks and cuts masks at 0."""
GRID = (4.0, 4.0, 5.0)
ROI = (48, 48, 32)
"""Windows of this size on this grid: several cover a liver."""


def patient_scores(probabilities: np.ndarray) -> np.ndarray:
    diagnosis = diagnose(probabilities, (2.5, 2.5, 2.5), np.diag([2.5, 2.5, 2.5, 1.0]))
    return np.array(list(diagnosis.livermax.values()))


def check_maps(exported_maps: np.ndarray, eager_maps: np.ndarray) -> None:
    """Rounding may change a peak or a mask's edge; then few voxels change, and no score of a patient."""
    assert exported_maps.shape == eager_maps.shape and np.isfinite(exported_maps).all()
    assert (exported_maps.argmax(1) == eager_maps.argmax(1)).mean() >= 0.999
    for exported_map, eager_map in zip(exported_maps, eager_maps, strict=True):
        scores, expected = patient_scores(exported_map), patient_scores(eager_map)
        np.testing.assert_allclose(scores, expected, rtol=0, atol=0.01)


def test_one_graph_of_the_fusion_serves_every_subset() -> None:
    fusion = IterativeFusion(phases=4, channels=4, stride=2).eval()
    free = dict.fromkeys((2, 3, 4), torch.export.Dim.DYNAMIC)
    example = noise((16, 12, 8), batch=2), torch.ones(2, 4, dtype=torch.bool)
    with torch.no_grad():
        graph = torch.export.export(fusion, example, dynamic_shapes=(free, None)).module()
        for size in ((16, 12, 8), (8, 20, 10)):
            for first, second in zip(SUBSETS, reversed(SUBSETS), strict=True):
                present = torch.tensor([[p in s for p in range(4)] for s in (first, second)])
                image = noise(size, batch=2)
                torch.testing.assert_close(graph(image, present), fusion(image, present))


class Peaks(torch.nn.Module):
    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return find_lesion_peaks(logits, 24)


@pytest.mark.filterwarnings("ignore:`isinstance:FutureWarning")  # the exporter's own
@torch.no_grad()
def test_peaks_of_a_certain_lesion_are_kept_in_onnx(
    tmp_path: Path, network: LIDIA, phantom: torch.Tensor
) -> None:
    """Where probabilities round to 1 the last bit would decide on the maximum; log-odds still differ."""
    path = tmp_path / "peaks.onnx"
    free = dict.fromkeys((2, 3, 4), torch.export.Dim.DYNAMIC)
    example = torch.rand(1, 10, 32, 28, 24)
    torch.onnx.export(
        Peaks().eval(), (example,), path, dynamic_shapes=(free,), input_names=["x"], verbose=False
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits: list[torch.Tensor] = []
    hook = network.semantic_head.register_forward_hook(lambda _, __, out: logits.append(out[0]))
    for subset in ((0, 3), (0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)):
        network(with_phases(phantom, subset))
    hook.remove()
    missing = 0
    for values in logits:
        peaks = set(session.run(None, {"x": values.numpy()})[0][0])
        missing += len(set(find_lesion_peaks(values, 24)[0].tolist()) - peaks)
    assert len(logits) == 5 and missing == 0


class Onnx:
    """The file that the model card's command writes, executed by onnxruntime."""

    def __init__(self, path: Path) -> None:
        self.path = path
        graph = onnx.load(path)
        for name in CONTINUOUS:
            node = next(node for node in graph.graph.node if f"{name}.weight" in node.input)
            graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(node.output[0]))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        provider = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=provider)

    def __call__(self, image: torch.Tensor) -> np.ndarray:
        return self.session.run(["pred"], {"image": image.numpy()})[0]

    def run_all(self, image: torch.Tensor) -> list[np.ndarray]:
        """Returns the maps and the outputs of the CONTINUOUS layers."""
        return self.session.run(None, {"image": image.numpy()})


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Onnx:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    page = (ROOT / "lidia_bundle/docs/README.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if "monai.bundle onnx_export" in line)
    command = [sys.executable, *shlex.split(line)[1:]]
    command[command.index("--filepath") + 1] = str(path)
    process = run_preloaded(command, cwd=ROOT)
    assert process.returncode == 0, process.stderr[-3000:]
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"], "one file holds the weights too"
    return Onnx(path)


@pytest.mark.slow
@torch.no_grad()
def test_one_onnx_file_serves_every_subset_and_size(
    exported: Onnx, network: LIDIA, phantom: torch.Tensor
) -> None:
    outputs: list[np.ndarray] = []
    layers = [network.get_submodule(name) for name in CONTINUOUS]
    hooks = [layer.register_forward_hook(lambda _, __, out: outputs.append(out.numpy())) for layer in layers]
    for k, subset in enumerate(SUBSETS):
        for image in (with_phases(phantom, subset), with_phases(noise(SIZES[k % 3]), subset)):
            outputs.clear()
            expected = network(image).numpy()
            maps, *parts = exported.run_all(image)
            check_maps(maps, expected)
            for part, output in zip(parts, outputs, strict=True):
                np.testing.assert_allclose(part, output, rtol=0, atol=1e-4)
    for hook in hooks:
        hook.remove()
    two = torch.cat([with_phases(phantom, (2,)), with_phases(phantom, (0, 1, 3))])
    check_maps(exported(two), network(two).numpy())


@pytest.mark.slow
def test_each_runtime_gives_the_classes_of_torch(
    exported: Onnx, cohort: Path, network: LIDIA, tmp_path: Path
) -> None:
    graph = tmp_path / f"{digest_network(network)}.onnx"
    graph.symlink_to(exported.path)
    item = load_datalist(cohort, "training", complete_only=True)[0]
    image = preprocessing(spacing=GRID)(item)["image"].as_tensor()[None]
    without_nc = image.clone()
    without_nc[:, 0] = torch.nan
    for visible in (image, without_nc):
        with torch.no_grad():
            expected = WindowInferer(roi_size=ROI)(visible, network)[0].numpy()
        for name in RUNTIMES:
            require_library(name, {"onnx": "onnxruntime"}.get(name, name))
            inferer = WindowInferer(roi_size=ROI, runtime=load_runtime(name, folder=str(tmp_path)))
            maps = inferer(visible, network)[0].numpy()
            assert (maps.argmax(axis=0) == expected.argmax(axis=0)).mean() >= 0.999
            difference = np.abs(maps - expected).max(axis=0)
            bound = {"onnx": 1e-3, "openvino": 2e-3}[name]
            assert (difference < bound).mean() >= 0.999 and difference.max() < 10 * bound
        half = load_runtime("openvino", folder=str(tmp_path), precision="bf16")
        maps = WindowInferer(roi_size=ROI, runtime=half)(visible, network)[0].numpy()
        assert (maps.argmax(axis=0) == expected.argmax(axis=0)).mean() >= 0.999
        assert np.abs(maps - expected).max() < 0.05
    assert list(tmp_path.iterdir()) == [graph], "the file was used, none was exported"


@pytest.mark.slow
def test_onnx_gives_nan_for_a_sample_without_any_phase(exported: Onnx) -> None:
    """A graph cannot raise an error; the other sample of the batch still has its map."""
    images = noise((32, 32, 32), batch=2)
    images[0] = torch.nan
    without_phase, with_all = exported(images)
    assert np.isnan(without_phase).all() and np.isfinite(with_all).all()
