"""One exported file answers as the network does: every subset of phases, any size, without our code."""

from __future__ import annotations

import shlex
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export

from scripts.lidia.components import find_bounding_box
from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.ifm import IterativeFusion
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.net.query_generator import find_lesion_peaks
from scripts.lidia.postprocess.diagnosis import diagnose

ROOT = Path(__file__).parents[2]
SUBSETS = [s for n in range(1, 5) for s in combinations(range(4), n)]
SIZES = [(32, 32, 32), (48, 32, 64), (64, 80, 32)]
CONTINUOUS = ("semantic_head.classify.1", "mask_features")
"""The last layers before anything is chosen: what follows picks peaks and cuts masks at 0."""

ONLY_TORCH = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("monai", "scripts"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Refused())
import numpy, torch
torch.set_num_threads(1)
network = torch.jit.load("model.ts").eval()
images = numpy.load("images.npz")
with torch.no_grad():
    maps = {name: network(torch.from_numpy(images[name])).numpy() for name in images}
numpy.savez("maps.npz", **maps)
assert not {"monai", "scripts"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def phantom(cohort: Path, network: LIDIA) -> torch.Tensor:
    """A box (1, 4, 64, 64, 48) round a phantom's lesion, all four phases, as inference sees it."""
    item = load_datalist(cohort, "training", complete_only=True)[0]
    case = preprocessing(labels="network")(item)
    box = find_bounding_box(case["label"][0].numpy() > 1)
    assert box is not None
    cut = []
    for side, size, complete in zip(box, (64, 64, 48), case["image"].shape[1:], strict=True):
        start = min(max((side.start + side.stop - size) // 2, 0), complete - size)
        cut.append(slice(start, start + size))
    return case["image"].as_tensor()[(slice(None), *cut)][None].contiguous()


def with_phases(image: torch.Tensor, subset: tuple[int, ...]) -> torch.Tensor:
    image = image.clone()
    image[:, [p for p in range(4) if p not in subset]] = torch.nan
    return image


def noise(size: tuple[int, ...], batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 4, *size) * 2 - 1


def scores(probabilities: np.ndarray) -> np.ndarray:
    diagnosis = diagnose(probabilities, (2.5, 2.5, 2.5), np.diag([2.5, 2.5, 2.5, 1.0]))
    return np.array(list(diagnosis.livermax.values()))


def same(mine: np.ndarray, eager: np.ndarray) -> None:
    """A peak or a mask's edge may tip over by rounding; then few voxels and no patient score may change."""
    assert mine.shape == eager.shape and np.isfinite(mine).all()
    assert (mine.argmax(1) == eager.argmax(1)).mean() >= 0.999
    for entry, other in zip(mine, eager, strict=True):
        np.testing.assert_allclose(scores(entry), scores(other), rtol=0, atol=0.01)


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
def test_a_sure_lesion_keeps_its_peaks_in_onnx(tmp_path: Path, network: LIDIA, phantom: torch.Tensor) -> None:
    """Where probabilities round to 1 a last bit would say what is a maximum; log-odds tell them apart."""
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
    for entry in logits:
        missing += len(
            set(find_lesion_peaks(entry, 24)[0].tolist()) - set(session.run(None, {"x": entry.numpy()})[0][0])
        )
    assert len(logits) == 5 and missing == 0


def torchscript(bundle: Path, weights: Path, folder: Path) -> Path:
    """The file that MONAI's command writes."""
    ckpt_export(
        "network_def",
        filepath=str(folder / "model.ts"),
        ckpt_file=str(weights),
        meta_file=str(bundle / "configs/metadata.json"),
        config_file=str(bundle / "configs/inference.json"),
        bundle_root=str(bundle),
    )
    return folder / "model.ts"


def test_torchscript_export_gives_the_same_numbers(bundle: Path, tmp_path: Path) -> None:
    parser = ConfigParser()
    parser.read_config(bundle / "configs/inference.json")
    shares = {name: parser["network_def"][name] for name in ("semantic_share", "type_share")}
    network = build_lidia(**shares).eval()
    torch.save(network.state_dict(), tmp_path / "model.pt")
    image = with_phases(noise((32, 48, 32)), (1, 2, 3))
    scripted = torch.jit.load(str(torchscript(bundle, tmp_path / "model.pt", tmp_path))).eval()
    with torch.no_grad():
        torch.testing.assert_close(scripted(image), network(image), rtol=0, atol=1e-6)


def test_the_torchscript_file_needs_nothing_but_torch(
    bundle: Path, tmp_path: Path, network: LIDIA, phantom: torch.Tensor
) -> None:
    torchscript(bundle, bundle / "models/model.pt", tmp_path)
    images = [with_phases(noise(SIZES[k % 3]), s) for k, s in enumerate(SUBSETS)]
    images += [with_phases(phantom, s) for s in ((2,), (0, 1, 2), (0, 1, 2, 3))]
    np.savez(tmp_path / "images.npz", *[image.numpy() for image in images])
    command = [sys.executable, "-c", ONLY_TORCH]
    process = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    maps = np.load(tmp_path / "maps.npz")
    for k, image in enumerate(images):
        with torch.no_grad():
            np.testing.assert_allclose(maps[f"arr_{k}"], network(image).numpy(), rtol=0, atol=1e-6)


class Onnx:
    """The file that the model card's command writes, run by onnxruntime."""

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

    def parts(self, image: torch.Tensor) -> list[np.ndarray]:
        """What the CONTINUOUS layers give."""
        return self.session.run(None, {"image": image.numpy()})[1:]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Onnx:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    page = (ROOT / "lidia_bundle/docs/README.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if "monai.bundle onnx_export" in line)
    command = [sys.executable, *shlex.split(line)[1:]]
    command[command.index("--filepath") + 1] = str(path)
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"], "one file holds the weights too"
    return Onnx(path)


@pytest.mark.slow
@torch.no_grad()
def test_one_onnx_file_serves_every_subset_and_size(
    exported: Onnx, network: LIDIA, phantom: torch.Tensor
) -> None:
    for k, subset in enumerate(SUBSETS):
        for image in (with_phases(phantom, subset), with_phases(noise(SIZES[k % 3]), subset)):
            same(exported(image), network(image).numpy())
    two = torch.cat([with_phases(phantom, (2,)), with_phases(phantom, (0, 1, 3))])
    same(exported(two), network(two).numpy())


@pytest.mark.slow
@torch.no_grad()
def test_what_comes_before_any_choice_is_the_same_in_onnx(
    exported: Onnx, network: LIDIA, phantom: torch.Tensor
) -> None:
    recorded: list[Any] = []
    layers = [network.get_submodule(name) for name in CONTINUOUS]
    hooks = [layer.register_forward_hook(lambda _, __, out: recorded.append(out.numpy())) for layer in layers]
    for subset in SUBSETS:
        for image in (with_phases(phantom, subset), with_phases(noise((48, 32, 64)), subset)):
            recorded.clear()
            network(image)
            for mine, eager in zip(exported.parts(image), recorded, strict=True):
                np.testing.assert_allclose(mine, eager, rtol=0, atol=1e-4)
    for hook in hooks:
        hook.remove()


@pytest.mark.slow
def test_onnx_says_not_a_number_where_there_is_no_phase(exported: Onnx) -> None:
    """A graph cannot refuse, but must not answer either; the batch's other sample still gets its map."""
    images = noise((32, 32, 32), batch=2)
    images[0] = torch.nan
    nothing, something = exported(images)
    assert np.isnan(nothing).all() and np.isfinite(something).all()
