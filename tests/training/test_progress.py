"""The bar of a training shows epoch, step and loss, also after a resume."""

from __future__ import annotations

import pytest
from ignite.engine import Engine

from scripts.lidia.training.progress import Progress


def test_the_bar_counts_steps_and_shows_the_loss(capfd: pytest.CaptureFixture[str]) -> None:
    trainer = Engine(lambda engine, batch: [{"loss": batch / 4}])
    Progress(desc="training", mininterval=0).attach(trainer)
    trainer.load_state_dict({"iteration": 4, "epoch_length": 4, "max_epochs": 2})
    trainer.run([1, 2, 3, 5], max_epochs=2)
    text = capfd.readouterr().err
    assert "training [2/2]" in text and "[4/4]" in text and "loss=1.25" in text
    assert "[1/2]" not in text, "the first epoch was done before the resume"
