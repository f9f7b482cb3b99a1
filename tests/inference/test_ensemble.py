"""Several weights as one network: the mean of their probabilities, and what belongs to exactly them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from training.toys import save_network

from scripts.lidia.baselines.plan import build_plan
from scripts.lidia.inference.ensemble import Ensemble, build_ensemble
from scripts.lidia.inference.liver_window_inferer import WindowInferer
from scripts.lidia.inference.result_files import collect_versions
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.runtime.weights import (
    LoadWeights,
    WeightsError,
    fingerprint_weights,
    hash_file,
    list_weight_files,
)


def small() -> LIDIA:
    return build_lidia(channels=(8, 8, 8, 8)).eval()


def written(folder: Path, count: int) -> list[str]:
    return [save_network(folder / f"f{number}.pt", number) for number in range(count)]


def filled(files: str | list[str]) -> torch.nn.Module:
    network = build_ensemble(small(), files)
    LoadWeights(network=network, path=files)(Engine(lambda engine, batch: None))
    return network.eval()


def image() -> torch.Tensor:
    torch.manual_seed(9)
    created = torch.rand(1, 4, 32, 32, 32) * 2 - 1
    created[:, 3] = torch.nan
    return created


@torch.no_grad()
def test_two_give_the_mean_of_their_maps(tmp_path: Path) -> None:
    files = written(tmp_path, 2)
    first, second = (filled(file)(image()) for file in files)
    assert float((first - second).abs().max()) > 0.01, "they are two"
    both = filled(files)
    assert isinstance(both, Ensemble)
    assert torch.equal(both(image()), (first + second) / 2)
    torch.testing.assert_close(both(image()).sum(1), torch.ones(1, 32, 32, 32))
    windows = WindowInferer(roi_size=(32, 16, 16), coarse=0)
    maps = [windows(image(), filled(file)) for file in files]
    torch.testing.assert_close(windows(image(), both), (maps[0] + maps[1]) / 2)


@torch.no_grad()
def test_one_is_the_network_itself(tmp_path: Path) -> None:
    (file,) = written(tmp_path, 1)
    network = small()
    assert build_ensemble(network, file) is network and build_ensemble(network, [file]) is network
    assert torch.equal(filled(file)(image()), filled([file])(image()))
    assert collect_versions(list_weight_files(file)) == collect_versions(list_weight_files([file]))
    assert fingerprint_weights([file]) == fingerprint_weights(file) == hash_file(file)


@torch.no_grad()
def test_a_patient_branch_is_averaged_too() -> None:
    networks = [build_plan(spacing=(2.5, 2.5, 2.5), channels=(8, 8, 8, 8)).eval() for _ in range(2)]
    both = Ensemble(networks[0], 2).eval()
    both.members[1].load_state_dict(networks[1].state_dict())
    maps, scores = zip(*(network.predict_patient(image()) for network in networks), strict=True)
    probabilities, patient = both.predict_patient(image())
    assert torch.equal(probabilities, sum(maps) / 2) and torch.equal(patient, sum(scores) / 2)
    assert not hasattr(Ensemble(small(), 2), "predict_patient")


def test_a_wrong_file_names_itself(tmp_path: Path) -> None:
    files = written(tmp_path, 2)
    torch.save(build_lidia(channels=(8, 8, 8, 16)).state_dict(), tmp_path / "wide.pt")
    for wrong in ("wide.pt", "none.pt"):
        with pytest.raises(WeightsError, match=wrong):
            filled([*files, str(tmp_path / wrong)])
    with pytest.raises(WeightsError, match="several different"):
        build_ensemble(small(), [files[0], files[0]])
    with pytest.raises(WeightsError, match=r"ensemble\.yaml"):
        LoadWeights(network=small(), path=files)(Engine(lambda engine, batch: None))


def test_what_belongs_to_exactly_these_files(tmp_path: Path) -> None:
    files = written(tmp_path, 3)
    assert collect_versions(tuple(files))["weights_sha256"] == [hash_file(file) for file in files]
    assert fingerprint_weights(files) == fingerprint_weights(files[::-1]), "their order is nothing"
    assert (
        len({fingerprint_weights(files), fingerprint_weights(files[:2]), fingerprint_weights(files[0])}) == 3
    )
