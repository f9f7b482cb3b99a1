"""Evaluate weights on real CT: run inference on every scan, measure, draw, write the page."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.real_ct.lesion_measures import compare_lesions, count_outlined, draw_spheres
from experiments.real_ct.liver_measures import measure_lesions, measure_liver
from experiments.real_ct.results_page import write_results_page
from experiments.real_ct.run_inference import Result, run_inference
from experiments.real_ct.scan_pictures import draw_scan
from experiments.real_ct.scans import Scan, list_scans, read_mask
from scripts.lidia.atomic import write_json, write_text
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.runtime.weights import hash_file
from scripts.lidia.vocabulary import CLASSES, LESION_TYPES, MALIGNANT

logger = logging.getLogger(__name__)
LITS_LESION = 2
"""Label value of a lesion in the LiTS scan."""


def evaluate_scans(
    *,
    data_dir: str,
    weights: str,
    output_dir: str,
    bundle_root: str,
    lits_dir: str | None = None,
    scans: str | Sequence[str] | None = None,
    training_scans: str | Sequence[str] | None = None,
    fold_weights: str | None = None,
    network_overlay: str | Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    outlines: str | None = None,
    pictures: bool = True,
    goals: Mapping[str, Any],
    healthy: Sequence[str],
    hcc: Sequence[str],
) -> dict[str, Any]:
    """Evaluate weights on real CT and write `real_ct.json`, `real_ct.md` and `pictures/ID.png`.

    Args:
        data_dir: folder of a datalist whose items have `phases` and `liver`.
        weights: file of weights.
        output_dir: folder of the output; the files of inference lie in `results/`.
        bundle_root: folder of the bundle.
        lits_dir: folder of the LiTS scan's files, see `convert_lits_scan`.
        scans: ids of the scans to evaluate; None is all.
        training_scans: ids of the scans that the weights were trained on.
        fold_weights: JSON file `{id: weights}` for cross-validation: each scan is evaluated with its own
            weights, which were not trained on it. Scans that it does not name are left out, unless `scans`
            names them; these use `weights`. Relative paths are relative to the file.
        network_overlay: config or configs over `inference.json`.
        options: further values of `inference.json` by key.
        outlines: JSON file of rough outlines `{id: [{"centre_ras_mm", "radius_mm", "what"}]}`.
        pictures: whether to draw.
        goals: target values of the page.
        healthy: ids of the scans whose livers look healthy.
        hcc: ids of the scans of patients with HCC.

    Returns:
        The content of `real_ct.json`: `weights` (SHA-256 by file), `training_scans` and `scans` (one record
        each).

    Raises:
        CaseError: a scan or an option is invalid.
    """
    files = _read_fold_weights(fold_weights)
    spheres = json.loads(Path(outlines).read_text(encoding="utf-8")) if outlines else {}
    only, seen_in_training = _list_ids(scans), set(_list_ids(training_scans) or ())
    overlays = [network_overlay] if isinstance(network_overlay, str) else list(network_overlay or ())
    records: list[dict[str, Any]] = []
    folder = Path(output_dir)
    with TemporaryDirectory(prefix="real-ct-") as temporary:
        known = list_scans(data_dir, lits_dir=lits_dir, temporary=temporary)
        _require_known([*(only or ()), *seen_in_training, *files], known, data_dir)
        for scan in known:
            if scan.id not in (only if only is not None else files or [scan.id]):
                continue
            file = files.get(scan.id, weights)
            result = run_inference(
                scan,
                weights=file,
                output_dir=folder / "results",
                bundle_root=bundle_root,
                overlays=overlays,
                options=options,
            )
            is_training = scan.id in seen_in_training and scan.id not in files
            head: dict[str, Any] = {"id": scan.id, "weights": file, "training": is_training}
            outlined = spheres.get(scan.id)
            records.append(head | measure_scan(scan, result, outlined))
            logger.info("%s: liver Dice %.3f", scan.id, records[-1]["liver"]["dice"])
            if pictures:
                draw_record(folder / "pictures" / f"{scan.id}.png", scan, result, records[-1], outlined)
    content = {
        "weights": {r["weights"]: hash_file(r["weights"]) for r in records},
        "training_scans": sorted(seen_in_training),
        "scans": records,
    }
    write_json(folder / "real_ct.json", _replace_nan(content))
    title = "Cross-validation on real CT" if fold_weights else "Results on real CT"
    page = write_results_page(records, title=title, goals=goals, healthy=healthy, hcc=hcc)
    write_text(folder / "real_ct.md", page)
    return content


def _replace_nan(value: Any) -> Any:
    """Replace nan by None, because JSON has no nan; a share of no lesions is undefined."""
    if isinstance(value, dict):
        return {key: _replace_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _list_ids(ids: str | Sequence[str] | None) -> list[str] | None:
    """List ids given as `a,b` or as a list."""
    if ids is None:
        return None
    parts = ids.split(",") if isinstance(ids, str) else ids
    return [str(part).strip() for part in parts]


def _read_fold_weights(path: str | None) -> dict[str, str]:
    if path is None:
        return {}
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    return {scan: str(Path(path).absolute().parent / file) for scan, file in content.items()}


def _require_known(ids: Sequence[str], scans: Sequence[Scan], data_dir: str) -> None:
    """Require that all ids are scans.

    Raises:
        CaseError: an id is unknown.
    """
    names = [scan.id for scan in scans]
    unknown = sorted(set(ids) - set(names))
    if unknown:
        remedy = f"choose among {', '.join(names)}; the LiTS scan needs --lits_dir"
        raise CaseError(", ".join(unknown), data_dir, "no such scan", remedy, "unknown_scan")


def measure_scan(
    scan: Scan, result: Result, spheres: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Measure the result of a scan.

    Args:
        scan: the scan.
        result: result of inference.
        spheres: rough outlines of the patient's lesions; None if the scan was not looked at.

    Returns:
        `phases`, `liver`, `lesions` (with `list`: type, diameter, volume and share outside of each lesion,
        and `outlined`: how many lie at least half in the outlines), `patient`, `lits` (None without labels),
        `warnings`, `seconds` and `cpu_seconds`.
    """
    reference = read_mask(scan.liver, result.liver.shape, scan.id) > 0
    lesions = measure_lesions(result.instances, reference, result.spacing)
    shares = lesions.pop("outside_shares")
    keys = ("instance", "type", "diameter_mm", "volume_mm3", "centroid_ras_mm")
    lesions["list"] = [
        {key: lesion[key] for key in keys} | {"outside_share": shares[lesion["instance"]]}
        for lesion in result.record["lesions"]
    ]
    lesions["outlined"] = None
    if spheres is not None:
        mask = draw_spheres(spheres, reference.shape, result.affine)
        lesions["outlined"] = count_outlined(result.instances, mask)
    probabilities = result.record["probabilities"]
    return {
        "phases": result.record["phases_used"],
        "liver": measure_liver(result.liver, reference, result.affine),
        "lesions": lesions,
        "patient": {
            "probabilities": probabilities,
            "malignant": result.record["malignant"],
            "benign": result.record["benign"],
            "first_malignant": max((CLASSES[kind] for kind in MALIGNANT), key=probabilities.__getitem__),
            "first": max(LESION_TYPES, key=probabilities.__getitem__),
        },
        "lits": _compare_with_labels(scan, result),
        "warnings": result.record["warnings"],
        "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds,
    }


def _compare_with_labels(scan: Scan, result: Result) -> dict[str, Any] | None:
    if scan.lesions is None:
        return None
    truth = read_mask(scan.lesions, result.liver.shape, scan.id) == LITS_LESION
    return compare_lesions(result.classes, result.instances, truth, result.spacing)


def draw_record(
    path: Path,
    scan: Scan,
    result: Result,
    record: Mapping[str, Any],
    spheres: Sequence[Mapping[str, Any]] | None = None,
) -> Path:
    """Draw the picture of a scan with its main figures as title and the rough outlines, if any."""
    phase = result.record["grid_phase"]
    shape = result.liver.shape
    title = (
        f"{scan.id} ({', '.join(record['phases'])}; shown: {phase}): "
        f"liver Dice {record['liver']['dice']:.3f}, {record['lesions']['count']} lesions reported, "
        f"first malignant type {record['patient']['first_malignant']}"
    )
    labels = None if scan.lesions is None else read_mask(scan.lesions, shape, scan.id) == LITS_LESION
    reference = read_mask(scan.liver, shape, scan.id) > 0
    outlines = draw_spheres(spheres, shape, result.affine) if spheres else None
    return draw_scan(path, title, scan.phases[phase], result, reference, labels, outlines)
