"""Finds the other phases of a series in its study on a DICOMweb server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monailabel.datastore.utils.dicom import dicom_web_download_series

from scripts.lidia.atomic import write_json
from scripts.lidia.data.read_volume import HU
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series import read_files
from scripts.lidia.dicom.study import Study, find_studies
from scripts.lidia.geometry.grid import Grid
from scripts.lidia.geometry.resample import resample
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.phase_id.select_series import format_table, select_series
from scripts.lidia.vocabulary import GRID_ORDER


class StudyPhases(NamedTuple):
    """The phases of a study, as files on this computer."""

    phases: dict[str, str]
    """NIfTI file of each phase; one of them is the opened series. Empty if its phase is unknown."""
    warnings: list[str]


def collect_study_phases(store: Any, image_id: str, image_file: str) -> StudyPhases:
    """Downloads the CT series of a study once, and selects the series of each phase.

    The files are kept in `phases/<series UID>/` beside the opened volume. Viewers draw labels on the opened
    series. If another phase would define the grid, it is resampled to that of the opened series.

    Args:
        store: datastore of MONAI Label on a DICOMweb server.
        image_id: UID of the opened series.
        image_file: its NIfTI file.
    """
    folder = Path(image_file).parent / "phases" / image_id
    record = folder / "phases.json"
    if not record.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        found = _read_study(store, image_id, image_file, folder)
        if not found.phases:
            return found
        write_json(record, {"phases": found.phases, "warnings": found.warnings})
    content = json.loads(record.read_text(encoding="utf-8"))
    return StudyPhases(content["phases"], content["warnings"])


def _read_study(store: Any, image_id: str, image_file: str, folder: Path) -> StudyPhases:
    uid = str(store.get_image_info(image_id)["StudyInstanceUID"])
    listed = store._client.search_for_series(study_instance_uid=uid, search_filters={"Modality": "CT"})
    with TemporaryDirectory(dir=folder, prefix="dicom-") as temporary:
        for number, entry in enumerate(listed):
            series_uid = entry["0020000E"]["Value"][0]
            part = Path(temporary) / str(number)
            downloaded = Path(image_file).parent / image_id
            if series_uid == image_id and downloaded.is_dir():
                shutil.copytree(downloaded, part)
            else:
                dicom_web_download_series(uid, series_uid, str(part), store._client)
        try:
            study = next(study for study in find_studies(temporary) if study.uid == uid)
            return _select_phases(study, image_id, image_file, folder)
        except CaseError as fault:
            return StudyPhases({}, [f"the opened series is read as the venous phase alone: {fault}"])


def _select_phases(study: Study, image_id: str, image_file: str, folder: Path) -> StudyPhases:
    choice = select_series(study, case=image_id)
    opened = next((phase for phase, series in choice.phases.items() if series.uid == image_id), None)
    if opened is None:
        table = format_table(choice.rows)
        problem = (
            f"the opened series was not selected as a phase and is read as the venous phase alone\n{table}"
        )
        return StudyPhases({}, [*choice.warnings, problem])
    phases, warnings = {opened: image_file}, list(choice.warnings)
    grid_phase = next(phase for phase in GRID_ORDER if phase in choice.phases)
    for phase, series in choice.phases.items():
        if phase == opened:
            continue
        voxels, affine, remarks = read_files(series.paths, case=image_id)
        problems = [*series.remarks, *(remark.problem for remark in remarks)]
        warnings += [f"series {series.name}: {problem}" for problem in problems]
        if phase == grid_phase:
            voxels, affine = _resample_to_file(voxels, affine, image_file)
            warnings.append(f"the {phase} phase was resampled to the grid of the opened {opened} phase")
        path = folder / f"{phase}.nii.gz"
        write_volume(path, np.rint(voxels).astype(np.int16), affine)
        phases[phase] = str(path)
    return StudyPhases(phases, warnings)


def _resample_to_file(voxels: Any, affine: Any, image_file: str) -> tuple[Any, Any]:
    """Resamples a volume to the grid of a NIfTI file."""
    target = nib.load(image_file)
    grid = Grid(np.asarray(target.affine, dtype=np.float64), tuple(target.shape[:3]))
    volume = MetaTensor(torch.as_tensor(voxels)[None], affine=torch.as_tensor(affine))
    return resample(volume, grid, antialias=True, outside=HU[0]).numpy()[0], grid.affine


def add_study_phases(request: Mapping[str, Any], found: StudyPhases) -> dict[str, Any]:
    """Adds the phases of a study to a request for inference."""
    return {**request, "phases": found.phases} if found.phases else dict(request)
