"""Expressions of a foreign config are listed and not executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.lidia.check.config_expressions import find_expressions
from scripts.lidia.datalist.case_error import CaseError

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"


def test_all_that_runs_is_found(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    config = {
        "imports": ["$import os"],
        "network": {"_target_": "UNet", "channels": [1, f"$open({str(mark)!r}, 'w')"]},
        "reader": {"_target_": "evil.module.run", "path": "%other.json::key"},
        "plain": "text with a $ inside",
    }
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps(config))
    result = {entry.place: entry for entry in find_expressions(path)}
    assert set(result) == {
        *("imports#0", "network#_target_", "network#channels#1", "reader#_target_", "reader#path"),
    }
    assert result["imports#0"].kind == "expression" and result["reader#path"].kind == "macro"
    assert result["reader#_target_"].foreign and not result["network#_target_"].foreign
    assert not mark.exists(), "nothing ran"


def test_yaml_tags_are_not_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "foreign.yaml"
    path.write_text("a: !!python/object/apply:os.system ['touch ran']\n")
    with pytest.raises(CaseError) as caught:
        find_expressions(path)
    assert (caught.value.code, caught.value.file) == ("bad_config", str(path))
    path.write_text("run: ['$@trainer.run()']\n")
    assert [entry.text for entry in find_expressions(path)] == ["$@trainer.run()"]


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.json")))
def test_our_own_call_nothing_foreign(name: str) -> None:
    calls = [entry for entry in find_expressions(CONFIGS / name) if entry.kind == "call"]
    assert not [entry for entry in calls if entry.foreign]
