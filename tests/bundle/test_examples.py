"""The notebooks of examples/ run on small phantoms, and were committed with their output."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from dicom.studies import patient, write_study
from preloaded import run_preloaded
from training.toys import write_toys

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def read_cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def run_notebook(name: str, folder: Path, parameters: str) -> list[str]:
    """Runs the code of a notebook in a process of its own; gives the lines that its last cell prints.

    As papermill does, the parameters of the test follow those of the notebook.
    """
    sources = []
    cells = [cell for cell in read_cells(EXAMPLES / name) if cell["cell_type"] == "code"]
    for cell in cells:
        sources.append("".join(cell["source"]))
        if "parameters" in cell["metadata"].get("tags", ()):
            sources.append(parameters)
    sources.insert(-1, "print('--- last cell')")
    command = [sys.executable, "-c", "\n".join(sources)]
    process = run_preloaded(command, cwd=folder)
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout.split("--- last cell\n")[1].splitlines()


@pytest.mark.slow
def test_from_a_dicom_study_to_a_table_of_lesions(bundle: Path, tmp_path: Path) -> None:
    write_study(tmp_path / "study", patient(), {"arterial": "art", "venous": "ven"})
    options = {"spacing": [4, 4, 5], "roi_size": [96, 80, 48], "pages": False}
    lines = run_notebook(
        "dicom_to_lesions.ipynb", tmp_path, f"bundle = {str(bundle)!r}\noptions = {options!r}"
    )
    (path,) = (tmp_path / "results").glob("ID*.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["lesions"]
    expected = [
        f"{result['id']}  lesion {lesion['instance']}: {lesion['type']} "
        f"({lesion['probabilities'][lesion['type']]:.2f}), {lesion['diameter_mm']:.0f} mm, "
        f"{lesion['volume_mm3'] / 1000:.1f} ml"
        for lesion in result["lesions"]
    ]
    assert lines == expected


@pytest.mark.slow
def test_fine_tuning_before_and_after(bundle: Path, tmp_path: Path) -> None:
    write_toys(tmp_path / "data", training=2, validation=1, test=2)
    changes = (
        f"bundle = {str(bundle)!r}\n"
        "grid = {'spacing': [4, 4, 4], 'roi_size': [48, 48, 48]}\n"
        "training |= {'max_epochs': 1, 'steps_per_epoch': 1, 'val_interval': 1}\n"
    )
    lines = run_notebook("finetuning.ipynb", tmp_path, changes)
    tables = [
        json.loads((tmp_path / "runs" / name / "metrics.json").read_text(encoding="utf-8"))
        for name in ("before", "after")
    ]
    for line in lines:
        name, *cells = line.split()
        values = [table[name]["value"] for table in tables]
        assert cells == ["-" if value is None else f"{value:.3f}" for value in values]
    assert {"sensitivity", "dice", "liver_dice"} <= {line.split()[0] for line in lines}
    assert (tmp_path / "runs/tuned/model.pt").is_file()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_has_its_output_and_existing_links(path: Path) -> None:
    cells = read_cells(path)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not any(output["output_type"] == "error" for cell in code for output in cell["outputs"])
    assert any(output.get("name") == "stdout" for output in code[-1]["outputs"])
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)#\s]+)", text)
    assert links and all((path.parent / link).is_file() for link in links)
    assert path.stat().st_size < 30_000
    assert "/tmp" not in path.read_text(encoding="utf-8")
