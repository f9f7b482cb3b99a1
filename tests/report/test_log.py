"""Curves from TensorBoard: steps alone, across a resume."""

from __future__ import annotations

import os
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from scripts.lidia.report.loss_curves import read_loss_curves


def write(folder: Path, points: list[tuple[int, float]], name: str, age: float) -> None:
    with SummaryWriter(str(folder / name)) as log:
        for step, value in points:
            log.add_scalar("loss", value, step)
        log.add_scalar("learning_rate", 0.1, 1)
    for path in (folder / name).iterdir():
        os.utime(path, (age, age))


def test_steps_rise_and_a_resume_takes_over(tmp_path: Path) -> None:
    write(tmp_path, [(10, 5.0), (20, 4.0), (1, 4.5), (30, 3.0), (40, 9.0), (2, 6.0)], "first", 1000.0)
    write(tmp_path, [(30, 2.5), (40, 2.0), (3, 2.2)], "second", 2000.0)
    assert read_loss_curves(tmp_path) == {"loss": [(10, 5.0), (20, 4.0), (30, 2.5), (40, 2.0)]}


def test_a_folder_without_a_log_gives_nothing(tmp_path: Path) -> None:
    assert read_loss_curves(tmp_path) == {}
