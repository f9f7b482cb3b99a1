from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import DataLoader
from monai.engines import SupervisedTrainer
from torch import nn

from scripts.lidia.optim.sharpness import SharpnessAware
from scripts.lidia.recorded_randomness import RecordedChoices
from scripts.lidia.training.batch import prepare_batch
from scripts.lidia.training.gradient_clipping import ClipGradients
from scripts.lidia.training.update_step import UpdateStep

CURVES = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)


class Point(nn.Module):
    """Two weights; what it 'predicts' is the weights themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))

    def forward(self, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.w


class Quadratic(nn.Module):
    """0.5 wᵀAw, infinite where the batch says so."""

    def __init__(self) -> None:
        super().__init__()
        self.choices = RecordedChoices()
        self.made: list[float] = []
        self.used: list[float] = []
        self.filled = 0
        self.broken = False

    def forward(self, w: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        self.parts = {"quadratic": float((0.5 * w @ CURVES @ w).detach())}
        self.used.append(self.choices.choose(self.draw))
        return 0.5 * w @ CURVES @ w * (float("nan") if self.broken else 1.0)

    def draw(self) -> float:
        self.made.append(float(torch.rand(())))
        return self.made[-1]

    def fill_bank(self) -> None:
        self.filled += 1


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv3d(4, 4, 3), nn.InstanceNorm3d(4), nn.ReLU(), nn.Conv3d(4, 10, 1))

    def forward(self, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.layers(image)


def power(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (prediction.float() ** 2).mean() + prediction.float().mean()


def trainer(network: nn.Module, loss: Any, iteration: Any, handlers: Any = (), **options: Any) -> Any:
    items = [{"image": torch.rand(4, 5, 5, 5), "label": torch.zeros(2, 5, 5, 5)} for _ in range(3)]
    return SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=DataLoader(items, batch_size=1),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=loss,
        prepare_batch=prepare_batch,
        iteration_update=iteration,
        train_handlers=list(handlers),
        decollate=False,
        **options,
    )


def test_sharpness_aware_step_on_a_quadratic() -> None:
    network, loss = Point(), Quadratic()
    trainer(network, loss, UpdateStep(sam=SharpnessAware(rho=0.05), precision="fp32"), epoch_length=1).run()

    w = torch.tensor([1.0, -2.0], dtype=torch.float64)
    g = CURVES @ w  # (1, -3)
    present = w + 0.05 * g / g.norm()
    torch.testing.assert_close(network.w.detach(), w - 0.1 * CURVES @ present, rtol=0, atol=1e-8)


def test_second_pass_replays_the_first_and_the_bank_is_filled_once() -> None:
    network, loss = Point(), Quadratic()
    engine = trainer(
        network, loss, UpdateStep(sam=SharpnessAware(rho=0.05), precision="fp32"), epoch_length=1
    )
    engine.run()
    assert len(loss.made) == 1
    assert loss.used == loss.made * 2
    assert loss.filled == 1
    assert engine.state.output[0]["parts"] == {"quadratic": 3.5}, "parts are those at the weights themselves"
    assert float(engine.state.output[0]["loss"]) == 3.5


def test_plain_step_is_monais_own() -> None:
    weights = []
    for iteration in (None, UpdateStep(precision="fp32")):
        torch.manual_seed(1)
        network = Layers()
        trainer(network, power, iteration, [ClipGradients(max_norm=0.01)]).run()
        weights.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    assert torch.equal(*weights)
    torch.manual_seed(1)
    fresh = torch.cat([p.detach().flatten() for p in Layers().parameters()])
    assert not torch.equal(weights[0], fresh)


def test_clipping_bounds_the_step() -> None:
    network, loss = Point(), Quadratic()
    engine = trainer(
        network, loss, UpdateStep(precision="fp32"), [ClipGradients(max_norm=0.5)], epoch_length=1
    )
    engine.run()
    shifted = (network.w.detach() - torch.tensor([1.0, -2.0])).norm()
    assert float(shifted) == pytest.approx(0.1 * 0.5, rel=1e-4)
    assert engine.state.gradient_norm == pytest.approx(10**0.5)


@pytest.mark.parametrize("sam", [None, SharpnessAware(rho=0.05)])
def test_a_step_without_finite_gradient_is_skipped_and_counted(sam: SharpnessAware | None) -> None:
    network, loss = Point(), Quadratic()
    loss.broken = True
    engine = trainer(network, loss, UpdateStep(sam=sam, precision="fp32"), [ClipGradients(max_norm=1.0)])
    engine.run()
    assert network.w.tolist() == [1.0, -2.0]
    assert engine.state.skipped == 3
    assert loss.filled == 0, "embeddings of a broken step must not stay in the bank"


def trained(iteration: UpdateStep, visible: list[torch.dtype], **options: Any) -> torch.Tensor:
    """Weights after three clipped steps; `visible` gets the type of each prediction that the loss read."""

    def watched(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        visible.append(prediction.dtype)
        return power(prediction, target)

    torch.manual_seed(1)
    network = Layers()
    trainer(network, watched, iteration, [ClipGradients(max_norm=1.0)], **options).run()
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.mark.filterwarnings("ignore:.*GradScaler.*")
@pytest.mark.parametrize("sam", [None, SharpnessAware(rho=0.05)])
def test_half_precision_on_the_network_s_device(sam: SharpnessAware | None) -> None:
    recorded: list[torch.dtype] = []
    weights = [trained(UpdateStep(sam=sam, precision="fp32"), recorded, amp=amp) for amp in (False, True)]
    passes = 3 if sam is None else 6
    assert recorded == [torch.float32] * passes + [torch.bfloat16] * passes
    torch.testing.assert_close(*weights, rtol=0.1, atol=0.05)
    assert not torch.equal(*weights)


def test_bfloat16_runs_the_network_and_the_loss_reads_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.lidia.runtime.precision.supports_bf16", lambda device: True)
    recorded: list[torch.dtype] = []
    weights = [trained(UpdateStep(precision=precision), recorded) for precision in ("fp32", "bf16")]
    assert recorded == [torch.float32] * 6
    torch.testing.assert_close(*weights, rtol=0.1, atol=0.05)
    assert not torch.equal(*weights)


def test_a_processor_without_bfloat16_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulated, a step would take dozens of times as long."""
    monkeypatch.setattr("scripts.lidia.runtime.precision.supports_bf16", lambda device: False)
    weights = [trained(UpdateStep(precision=precision), []) for precision in ("fp32", "bf16")]
    torch.testing.assert_close(*weights, rtol=0, atol=0)
