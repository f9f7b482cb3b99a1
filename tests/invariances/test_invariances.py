"""The same scan in another file is the same patient: one image for the network, one answer.

`LIDIA_FUZZ=1200 pytest tests/invariances` tries a hundred forms of each kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pytest
import torch
from dicom.studies import write_phase
from fuzz.mutations import EXAMPLES, many
from hypothesis import given, settings
from hypothesis import strategies as st
from invariances.forms import FORMS, Form, aired, turned, write
from load.watching import tell
from numpy.typing import NDArray
from test_configs import workflow

from scripts.lidia.data.preprocessing import CutAir
from scripts.lidia.phantom.case import Case, sample_case
from scripts.lidia.runtime.weights import load_weights
from scripts.lidia.vocabulary import PHASES

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

fewer_examples = settings(many, max_examples=max(3, EXAMPLES // 12))
Volumes = Mapping[str, tuple[NDArray[np.int16], NDArray[np.float64]]]


class Answer(NamedTuple):
    """What is said of a patient, his classes in RAS order."""

    image: torch.Tensor
    scores: NDArray[np.float64]
    lesions: list[dict[str, Any]]
    classes: NDArray[Any]
    affine: NDArray[np.float64]


Ask = Callable[[Mapping[str, str]], Answer]


@pytest.fixture(scope="module")
def ask(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Asks the shipped weights about files of phases; an image that was seen is not looked at again."""
    places = {"dataset_dir": "nowhere", "output_dir": str(tmp_path_factory.mktemp("out"))}
    parser = workflow("inference", **places, device="$torch.device('cpu')").parser
    parts = ("network", "inferer", "preprocessing", "postprocessing")
    network, inferer, before, after = (parser.get_parsed_content(part) for part in parts)
    load_weights(network, bundle / "models/model.pt")
    network.eval()
    recorded: dict[str, torch.Tensor] = {}

    def answer(files: Mapping[str, str]) -> Answer:
        item = before({"id": "P1", "phases": dict(files)})
        key = sha256(item["image"].as_tensor().numpy().tobytes()).hexdigest()
        if key not in recorded:
            with torch.no_grad():
                recorded[key] = inferer(item["image"].as_tensor()[None], network)[0]
        record = after({**item, "pred": recorded[key]})
        result, diagnosis = record["result"], record["diagnosis"]
        scores = [*result["probabilities"].values(), result["malignant"], result["benign"]]
        classes = nib.as_closest_canonical(
            nib.Nifti1Image(diagnosis.classes.astype(np.uint8), record["pred"].affine.numpy())
        )
        return Answer(
            item["image"].as_tensor(),
            np.array(scores),
            result["lesions"],
            classes.get_fdata(),
            classes.affine,
        )

    return answer


@pytest.fixture(scope="module")
def case() -> Case:
    return sample_case(91, 4, "internal", spacing=(4.0, 4.0, 5.0), looks=["HCC_typical"])


@pytest.fixture(scope="module")
def volumes(case: Case) -> Volumes:
    """HU and affines of a phantom's four phases, a voxel of air all round."""
    side = (1, 1, 1)
    return {
        phase: aired(np.rint(hu).astype(np.int16), at, side, side) for phase, (hu, at) in case.volumes.items()
    }


@pytest.fixture(scope="module")
def plain(ask: Ask, volumes: Volumes, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    folder = tmp_path_factory.mktemp("plain")
    result = ask({phase: write(folder, phase, *volume, Form()) for phase, volume in volumes.items()})
    assert result.lesions, "a patient without lesions shows little"
    return result


def same(result: Answer, plain: Answer, *, shifted: bool = False) -> None:
    """The network's image to a thousandth of its range, hence the scores, the lesions and their places."""
    torch.testing.assert_close(result.image, plain.image, atol=1e-3, rtol=0, equal_nan=True)
    np.testing.assert_allclose(result.scores, plain.scores, atol=1e-3)
    assert len(result.lesions) == len(plain.lesions)
    for mine, theirs in zip(result.lesions, plain.lesions, strict=True):
        assert mine["type"] == theirs["type"] and mine["volume_mm3"] == pytest.approx(
            theirs["volume_mm3"], rel=0.01
        )
        if not shifted:
            np.testing.assert_allclose(mine["centroid_ras_mm"], theirs["centroid_ras_mm"], atol=0.1)
    if result.classes.shape == plain.classes.shape:
        assert (result.classes != plain.classes).mean() < 1e-4
    assert (result.classes > 0).sum() == pytest.approx((plain.classes > 0).sum(), rel=1e-3)


@fewer_examples
@given(st.fixed_dictionaries(dict.fromkeys(PHASES, FORMS)))
def test_axes_types_scales_units_and_packing_change_nothing(
    ask: Ask, volumes: Volumes, plain: Answer, tmp_path: Path, forms: dict[str, Form]
) -> None:
    result = ask({phase: write(tmp_path, phase, *volumes[phase], form) for phase, form in forms.items()})
    same(result, plain)
    np.testing.assert_allclose(result.affine, plain.affine, atol=1e-3)


@fewer_examples
@given(st.tuples(*[st.floats(-20, 20)] * 3), FORMS)
def test_an_oblique_affine_gives_the_same_result(
    ask: Ask, volumes: Volumes, plain: Answer, tmp_path: Path, degrees: tuple[float, ...], form: Form
) -> None:
    """The network's grid follows the axes of the file, wherever they point."""
    files = {
        phase: write(tmp_path, phase, hu, turned(affine, degrees), form)
        for phase, (hu, affine) in volumes.items()
    }
    same(ask(files), plain, shifted=True)


SIDES = st.tuples(*[st.integers(0, 12)] * 3)


@fewer_examples
@given(SIDES, SIDES, FORMS)
def test_another_position_in_the_field_of_view_gives_the_same_result(
    ask: Ask,
    volumes: Volumes,
    plain: Answer,
    tmp_path: Path,
    low: tuple[int, ...],
    high: tuple[int, ...],
    form: Form,
) -> None:
    """The network's grid begins where the body does."""
    files = {
        phase: write(tmp_path, phase, *aired(*volume, low, high), form) for phase, volume in volumes.items()
    }
    same(ask(files), plain)


def test_dicom_or_nifti_of_the_same_scan(ask: Ask, case: Case, tmp_path: Path) -> None:
    series, files = {}, {}
    for phase in ("arterial", "venous"):
        hu, affine = case.volumes[phase]
        files[phase] = write(tmp_path, phase, np.rint(hu), affine, Form())
        series[phase] = str(write_phase(tmp_path / "series" / phase, case, phase))
    same(ask(series), ask(files))


@pytest.mark.slow
@pytest.mark.skipif(EXAMPLES < 400, reason="half a minute for a figure: LIDIA_FUZZ=1200 asks for it")
def test_another_grid_of_the_same_scan_is_another_image(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No promise but a figure: what a grid that begins 0.6 voxels elsewhere does to a probability."""
    apart = []
    for margin in (20.0, 16.0):
        monkeypatch.setattr(CutAir.__init__, "__defaults__", (margin,))
        places = {"dataset_dir": str(cohort), "output_dir": str(tmp_path / str(margin)), "pages": False}
        for section in ("training", "validation", "test"):
            workflow("inference", **places, section=section, device="$torch.device('cpu')").run()
        files = sorted((tmp_path / str(margin)).glob("internal_*.json"))
        apart.append([list(json.loads(file.read_text())["probabilities"].values()) for file in files])
    differences = np.abs(np.array(apart[0]) - np.array(apart[1]))
    median, high = np.percentile(differences, (50, 95))
    tell(f"6 patients: median {median:.4f}, 95th percentile {high:.3f}, largest {differences.max():.3f}")
    assert len(apart[0]) == 6 and 0 < median < 0.02
