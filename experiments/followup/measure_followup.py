"""Measure the follow-up on phantom patients of two dates, with true masks or with results of inference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from tqdm import tqdm

from experiments.followup.statistics import compute_agreement, summarise_changes, summarise_responses
from experiments.followup.true_results import write_true_results
from experiments.followup.truth import assess_truth, compare_changes, count_false_pairs
from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.datalist.read_item import complete_item
from scripts.lidia.followup.compare_studies import compare_studies
from scripts.lidia.followup.comparison import Settings
from scripts.lidia.followup.read_study import read_header, read_study
from scripts.lidia.inference.result_files import result_files
from scripts.lidia.metrics.lesion_matching import OVERLAP, find_lesions, match_lesions
from scripts.lidia.phantom.scanner import FOV
from scripts.lidia.phantom.write_time_points import write_patient

Item = Mapping[str, Any]


def measure_followup(
    *,
    settings: Settings,
    dataset_dir: str,
    output_dir: str,
    results_dir: str | None,
    cases: int,
    seed: int,
    unchanged: bool,
) -> Path:
    """Compare the two dates of each patient, and the records with the truth.

    The result is written after each patient, and records are stored, so an interrupted run continues.

    Args:
        settings: settings of the follow-up.
        dataset_dir: folder of a cohort from `phantom.json --timepoints 2 --section test`; without a datalist
            the patients are made there.
        output_dir: folder of `records/`, and of `followup.json`, the result.
        results_dir: folder with results of inference; None uses the true masks.
        cases: number of patients.
        seed: seed of the phantoms.
        unchanged: patients whose lesions do not change, for the repeatability.

    Returns:
        `followup.json`.
    """
    data, folder = Path(dataset_dir), Path(output_dir)
    results = Path(results_dir) if results_dir else folder / "true_results"
    rows: list[dict[str, Any]] = []
    responses: list[tuple[str | None, str | None]] = []
    methods: list[str] = []
    false_pairs = 0
    patients = read_patients(data) or make_patients(data, cases, seed, unchanged)
    for dates in tqdm(islice(patients, cases), total=cases, unit="patient", desc="follow-up"):
        if results_dir is None:
            write_true_results(dates, results)
        record = _compare(dates, results, folder / "records", settings)
        changes = dates[1]["changes"]
        found = [_find_instances(item, results, is_truth=results_dir is None) for item in dates]
        rows += compare_changes(record, changes, found)
        false_pairs += count_false_pairs(record, changes, found)
        responses.append((assess_truth(dates, settings.recist), record["recist"]["dates"][1]["response"]))
        methods.append(record["studies"][0]["alignment"]["method"])
        content = _summarise(rows, false_pairs, responses, methods, unchanged=unchanged)
        masks = "true" if results_dir is None else "LIDIA"
        write_json(folder / "followup.json", {"masks": masks, "seed": seed, **content})
    return folder / "followup.json"


def _summarise(
    rows: Sequence[Mapping[str, Any]],
    false_pairs: int,
    responses: Sequence[tuple[str | None, str | None]],
    methods: Sequence[str],
    *,
    unchanged: bool,
) -> dict[str, Any]:
    content = {
        "patients": len(methods),
        "unchanged": unchanged,
        "registered": sum(method != "liver position" for method in methods),
        "lesions": len(rows),
        "changes": summarise_changes(rows, false_pairs),
        "recist": summarise_responses(responses),
    }
    return {**content, "agreement": compute_agreement(rows)} if unchanged else content


def read_patients(data: Path) -> Iterator[list[dict[str, Any]]] | None:
    """Read the dates of each patient from the datalist of `phantom.json`; None if there is no datalist."""
    if not (data / "dataset.json").is_file():
        return None
    items = read_sections(data / "dataset.json")["test"]
    return iter([items[i : i + 2] for i in range(0, len(items), 2)])


def make_patients(data: Path, cases: int, seed: int, unchanged: bool) -> Iterator[list[dict[str, Any]]]:
    """Make the patients of `phantom.json` with the same seed one after the other; stored ones are read."""
    for index in range(cases):
        path = data / "items" / f"{index}.json"
        if not path.is_file():
            made = write_patient(
                index, folder=data, seed=seed, cohort="internal", breathing="residual", spacing=None, fov=FOV,
                timepoints=2, unchanged=unchanged,
            )  # fmt: skip
            write_json(path, made["items"])
        items = json.loads(path.read_text(encoding="utf-8"))
        yield [complete_item(item, data) for item in items]


def _compare(dates: Sequence[Item], results: Path, folder: Path, settings: Settings) -> dict[str, Any]:
    """Compare the dates of a patient, or read the stored record of the same settings."""
    path = folder / f"{dates[0]['patient']}.json"
    key = json.loads(json.dumps([settings._asdict(), str(results.absolute())]))
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] == key:
            return dict(stored["record"])
    headers = [read_header(result_files(results, item["id"])["result"], item) for item in dates]
    record, _ = compare_studies([read_study(header) for header in headers], settings)
    write_json(path, {"key": key, "record": record})
    return record


def _find_instances(item: Item, results: Path, *, is_truth: bool) -> dict[int, int]:
    """Find the number in the result of each true instance, by the matching of the metrics."""
    if is_truth:
        return {lesion["instance"]: lesion["instance"] for lesion in item["lesions"]}
    files = result_files(results, item["id"])
    maps = [
        nib.load(path) for path in (files["lesions"], files["instances"], item["label"], item["instances"])
    ]
    spacing = np.linalg.norm(maps[0].affine[:3, :3], axis=0).tolist()
    classes, numbers, label, instances = (np.asarray(image.dataobj) for image in maps)
    predicted = find_lesions(classes, spacing, numbers, smallest_mm3=0.0)
    match = match_lesions(predicted, find_lesions(label, spacing, instances), counted_mm3=0.0)
    return {truth.lesion.number: truth.best for truth in match.truths if truth.dice >= OVERLAP}
