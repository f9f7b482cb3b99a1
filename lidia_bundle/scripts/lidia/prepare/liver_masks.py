"""Makes liver masks for unlabelled CT by the bundle's own network, and a datalist of the accepted ones."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from hashlib import sha256
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from scripts.lidia.atomic import write_text
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import Account, log_summary
from scripts.lidia.inference.case_evaluator import to_case_error, write_faults
from scripts.lidia.inference.liver_segmenter import build_segmenter, read_inference_config
from scripts.lidia.prepare.cross_validation import Sections
from scripts.lidia.prepare.mask_gate import MaskGate
from scripts.lidia.prepare.mask_records import (
    Segmenter,
    as_item,
    hash_scan,
    make_record,
    mask_files,
    read_record,
)
from scripts.lidia.prepare.output_folder import ERRORS, logger
from scripts.lidia.prepare.unlabelled_scans import Scan, close_account, list_scans
from scripts.lidia.report.mask_pages import MaskCard, write_mask_page
from scripts.lidia.runtime.weights import hash_weight_files

PAGE, TABLE = "masks.html", "masks.csv"
INFERENCE_KEYS = (
    "spacing",
    "window",
    "roi_size",
    "overlap",
    "tta",
    "network_def",
    "preprocessing",
    "inferer",
    "postprocessing",
)
"""Parts of an inference config on which a mask depends."""
EXPLANATION = (
    "The masks are predictions of the network, not manual outlines. Look at every scan: the line is the "
    "outline of the mask. The patient's right is on the left of a picture.",
    "A refused mask that is good is kept by --accept ID, an accepted one that is bad is left out by --refuse "
    "ID (several as a,b,c); run the same command again with them. A mask in masks/ that you correct by hand "
    "is not made again.",
)


def describe_inference(config: str | Sequence[str], model_file: str | Sequence[str] | None) -> dict[str, Any]:
    """Describes what the masks depend on, for the record of settings of an output folder.

    Args:
        config: see `build_segmenter`.
        model_file: see `build_segmenter`.

    Returns:
        `weights_sha256`, and `inference`, a hash of the config's values.
    """
    parser = read_inference_config(config, model_file)
    values = json.dumps([parser.get(key) for key in INFERENCE_KEYS], sort_keys=True, default=str)
    weights = hash_weight_files(parser.get_parsed_content("model_file"))
    return {"weights_sha256": weights, "inference": sha256(values.encode()).hexdigest()[:12]}


def make_liver_masks(
    read: Path,
    write: Path,
    *,
    config: str | Sequence[str],
    gate: MaskGate,
    model_file: str | Sequence[str] | None = None,
    device: Any = None,
    mirror_axis: int = 2,
    phase_map: Mapping[str, Any] | None = None,
    private: bool = False,
    accept: Sequence[str] = (),
    refuse: Sequence[str] = (),
) -> tuple[Sections, list[CaseError]]:
    """Makes the masks of all scans in a folder, and writes masks, pictures, table, page and errors.

    Args:
        read: folder with NIfTI files or DICOM studies.
        write: output folder: `masks/ID.nii.gz`, `masks/ID.json`, `pictures/`, `masks.html`, `masks.csv`,
            `errors.json`, `files.csv`. Scans with a mask of an earlier run are not segmented again.
        config: inference config, see `build_segmenter`.
        gate: accepts or refuses each mask.
        model_file: see `build_segmenter`.
        device: see `build_segmenter`.
        mirror_axis: see `LiverSegmenter`.
        phase_map: see `list_scans`.
        private: see `list_scans`.
        accept: ids of scans whose mask is used although the gate refuses it.
        refuse: ids of scans that are not used.

    Returns:
        The accepted scans in the section `training`, and the faults that are errors.

    Raises:
        CaseError: the folder holds no CT, or `accept` or `refuse` names an unknown scan.
    """
    with TemporaryDirectory(prefix="lidia-") as temporary:
        account = Account(read, private=private, temporary=temporary)
        scans, faults = list_scans(read, write, account, phase_map=phase_map, private=private)
        check_choices(
            accept, refuse, [*(scan.id for scan in scans), *(fault.case for fault in faults)], write
        )

        @cache
        def load() -> Segmenter:
            return build_segmenter(config, model_file, device, mirror_axis=mirror_axis)

        records, more = _make_records(write, scans, lambda *scan: load()(*scan), account)
        faults = [_refuse_fault(fault, refuse) for fault in (*faults, *more)]
        faults += close_account(account, write, faults)
        log_summary(account.summary(), logger, read.name)
    reasons = {case: decide(record, gate, accept, refuse) for case, record in records.items()}
    faults += [_describe_refusal(records[case], why) for case, why in reasons.items() if why]
    write_faults(write / ERRORS, faults)
    write_text(write / TABLE, format_table(records, reasons, gate))
    cards = [_make_card(record, reasons[case], gate, accept, write) for case, record in records.items()]
    cards.sort(key=lambda card: (records[card.id]["quantities"]["agreement"], card.id))
    write_mask_page(write / PAGE, cards, f"Liver masks: {read.name}", EXPLANATION)
    items = [as_item(record, write) for case, record in records.items() if not reasons[case]]
    logger.info(f"{len(items)} of {len(records)} masks were accepted; look at {write / PAGE}")
    return {"training": items}, [fault for fault in faults if fault.severity == "error"]


def check_choices(accept: Sequence[str], refuse: Sequence[str], cases: Collection[str], folder: Path) -> None:
    """Checks that `accept` and `refuse` name scans of the folder, and none in both.

    Raises:
        CaseError: if not.
    """
    for case in (*accept, *refuse):
        if case not in cases:
            remedy = f"give ids as {TABLE} and {PAGE} list them"
            problem = f"no scan has the id {case!r}, which --accept or --refuse names"
            raise CaseError("datalist", str(folder), problem, remedy, "unknown_case")
    if both := sorted({*accept} & {*refuse}):
        problem = f"--accept and --refuse both name {', '.join(both)}"
        raise CaseError("datalist", str(folder), problem, "name it in one of them", "duplicate")


def _make_records(
    write: Path, scans: Sequence[Scan], segment: Callable[..., Any], account: Account
) -> tuple[dict[str, dict[str, Any]], list[CaseError]]:
    """Makes or reads the record of every scan; returns them by id, and the faults."""
    records: dict[str, dict[str, Any]] = {}
    faults: list[CaseError] = []
    first: dict[str, Scan] = {}
    for scan in tqdm(scans, desc="liver masks", unit="scan", disable=None):
        try:
            digest = hash_scan(scan)
            other = first.setdefault(digest, scan)
            if other is not scan:
                faults.append(_describe_duplicate(scan, other))
                continue
            record = read_record(write, scan, digest) or make_record(write, scan, digest, segment)
            records[scan.id] = record
            account.use([scan.path], record["phase"], case=scan.id)
        except Exception as problem:
            fault = to_case_error(problem, {"id": scan.id, "phases": {"ct": str(scan.path)}})
            faults.append(fault.of_case(scan.id))
            logger.log(logging.WARNING if fault.severity == "warning" else logging.ERROR, str(fault))
    for fault in faults:
        account.fates.pop(Path(fault.file), None)
    return records, faults


def _describe_duplicate(scan: Scan, other: Scan) -> CaseError:
    problem = f"the file has the same content as {other.path}"
    return CaseError(scan.id, str(scan.path), problem, "remove one of them", "duplicate", "warning")


def _refuse_fault(fault: CaseError, refuse: Sequence[str]) -> CaseError:
    """Returns a fault as a warning if the user has refused its scan."""
    if fault.case not in refuse:
        return fault
    return CaseError(fault.case, fault.file, fault.problem, fault.remedy, fault.code, "warning")


def decide(
    record: Mapping[str, Any], gate: MaskGate, accept: Collection[str], refuse: Collection[str]
) -> list[str]:
    """Returns why a mask is refused; empty if it is accepted. An empty mask cannot be accepted.

    Args:
        record: from `make_record`.
        gate: judges the quantities.
        accept: ids that the user accepts.
        refuse: ids that the user refuses.
    """
    if record["id"] in refuse:
        return ["refused by --refuse"]
    if record["id"] in accept and record["quantities"]["volume_ml"]:
        return []
    return gate.find_reasons(record["quantities"])


def _describe_refusal(record: Mapping[str, Any], reasons: Sequence[str]) -> CaseError:
    remedy = f"look at {PAGE}; a good or corrected mask in masks/ is kept by --accept {record['id']}"
    problem = f"the liver mask was refused: {'; '.join(reasons)}"
    return CaseError(record["id"], record["input"], problem, remedy, "refused_mask", "warning")


def _make_card(
    record: Mapping[str, Any], reasons: Sequence[str], gate: MaskGate, accept: Collection[str], folder: Path
) -> MaskCard:
    quantities = record["quantities"]
    overruled = gate.find_reasons(quantities) if record["id"] in accept and not reasons else []
    ends = quantities["reached_ends"]
    notes = [f"The liver reaches the end of the scan: {', '.join(ends)}."] if ends else []
    return MaskCard(
        record["id"],
        f"{record['phase']} (by {record['phase_from']}), patient {record['patient']}, {record['input']}",
        not reasons,
        [*reasons, *(f"accepted by --accept although: {why}" for why in overruled)],
        [*notes, *record["warnings"]],
        gate.format_quantities(quantities),
        json.loads(mask_files(folder, record["id"])["pictures"].read_text(encoding="utf-8")),
    )


def format_table(
    records: Mapping[str, Mapping[str, Any]], reasons: Mapping[str, Sequence[str]], gate: MaskGate
) -> str:
    """Formats `masks.csv`: one row per scan with its quantities, the decision and its reasons."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("id", "patient", "phase", "accepted", *gate.limits, "reached_ends", "reasons", "input"))
    for case, record in records.items():
        quantities = record["quantities"]
        numbers = [quantities[name] for name in gate.limits]
        table.writerow((
            *(case, record["patient"], record["phase"], not reasons[case]),
            *("" if number is None else f"{number:.4g}" for number in numbers),
            *(" ".join(quantities["reached_ends"]), "; ".join(reasons[case]), record["input"]),
        ))
    return text.getvalue()
