"""Seven toy patients, and the raw folder exported from them; read only."""

from __future__ import annotations

from pathlib import Path

import pytest
from prepare.raw_folders import export
from prepare.unlabelled_folders import ThresholdSegmenter
from training.toys import write_toys

from scripts.lidia.prepare import liver_masks


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven cases in three sections; the second and the fifth have no delayed phase."""
    return write_toys(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="session")
def raw(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(toys, tmp_path_factory.mktemp("raw"))


@pytest.fixture
def segmented(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the scans that were segmented, by a threshold in place of the network."""
    monkeypatch.setattr(ThresholdSegmenter, "calls", [])
    monkeypatch.setattr(liver_masks, "build_segmenter", lambda *_, **__: ThresholdSegmenter())
    return ThresholdSegmenter.calls
