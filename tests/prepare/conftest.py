"""Seven toy patients, and the raw folder exported from them; read only."""

from __future__ import annotations

from pathlib import Path

import pytest
from prepare.raw_folders import export
from training.toys import write_toys


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven cases in three sections; the second and the fifth have no delayed phase."""
    return write_toys(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="session")
def raw(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(toys, tmp_path_factory.mktemp("raw"))
