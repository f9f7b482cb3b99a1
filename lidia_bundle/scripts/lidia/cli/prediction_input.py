"""Finds out what the input of `lidia predict` is: DICOM, an archive, NIfTI files, a folder or a datalist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.lidia.cli.command_error import CommandError
from scripts.lidia.cli.job_input import JobInput, resolve_path
from scripts.lidia.cli.nifti_patients import (
    NiftiPatients,
    assign_phases,
    describe_file,
    format_phases,
    group_files,
)
from scripts.lidia.dicom.archives import detect_archive_kind
from scripts.lidia.input_folders import list_files
from scripts.lidia.prepare.scan_names import is_nifti

ACCEPTED = (
    "a DICOM study (folder, ZIP or TAR archive, DICOMDIR), NIfTI files (.nii, .nii.gz), a folder of them, or "
    "a datalist (.json)"
)
SOURCE_OPTIONS = ("dataset_dir", "datalist", "dicom_dir", "nc", "arterial", "venous", "delayed")
"""Options of inference.json that name its input."""
LIST_NAME = "dataset.json"


def read_prediction_input(inputs: Sequence[str], output_dir: Path) -> JobInput:
    """Finds out what the inputs are.

    Args:
        inputs: one path, or the NIfTI files (or folders of one DICOM series each) of one patient.
        output_dir: folder of the results; the datalist of a folder with several patients is written to it.

    Raises:
        CommandError: a path does not exist, is of no kind that is read, or the phase of a file is unclear.
    """
    paths = [resolve_path(text) for text in inputs]
    if len(paths) > 1:
        return _read_phase_files(paths)
    path = paths[0]
    if path.is_dir():
        return _read_folder(path, output_dir)
    if path.suffix.lower() == ".json":
        return _read_datalist(path, {"dataset_dir": str(path.parent), "datalist": str(path)})
    if is_nifti(path):
        return _read_phase_files(paths)
    if path.name.upper() == "DICOMDIR":
        return JobInput({"dicom_dir": str(path)}, f"{path.parent} is a DICOM study with an index (DICOMDIR)")
    if kind := detect_archive_kind(path):
        return JobInput({"dicom_dir": str(path)}, f"{path.name} is an archive ({kind}) of a DICOM study")
    if is_dicom(path):
        return JobInput({"dicom_dir": str(path)}, f"{path.name} is a DICOM file")
    raise CommandError(f"{path} is not {ACCEPTED}")


def is_dicom(path: Path) -> bool:
    """Returns whether a file is DICOM; also for a damaged one, which the job reports."""
    from scripts.lidia.dicom.read_file import read_file  # loads pydicom

    try:
        return read_file(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "Modality"]) is not None
    except OSError:
        return False
    except Exception:  # the file has the mark of DICOM, and its reader failed
        return True


def _read_folder(folder: Path, output_dir: Path) -> JobInput:
    """Reads a folder: of a datalist, of DICOM files or of NIfTI files.

    Raises:
        CommandError: the folder holds none of them.
    """
    if (folder / LIST_NAME).is_file():
        return _read_datalist(folder / LIST_NAME, {"dataset_dir": str(folder)})
    listing = list_files(folder)
    files = [path for path in listing.files if not _is_hidden(path, folder)]
    nifti = [path for path in files if is_nifti(path)]
    if any(_may_hold_dicom(path) for path in files if path not in set(nifti)):
        more = f" and {len(nifti)} NIfTI files, which are not used" if nifti else ""
        return JobInput({"dicom_dir": str(folder)}, f"{folder} holds DICOM files{more}")
    if nifti:
        return _describe_patients(group_files(nifti, folder), folder, output_dir)
    if listing.unreadable:
        place, reason = next(iter(listing.unreadable.items()))
        raise CommandError(f"{place} cannot be read: {reason}")
    endings = Counter("".join(path.suffixes[-2:]) or "no ending" for path in files)
    content = ", ".join(f"{count} x {ending}" for ending, count in endings.most_common(5)) or "no file"
    raise CommandError(f"{folder} is not {ACCEPTED}; it holds {content}")


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _may_hold_dicom(path: Path) -> bool:
    try:
        return path.name.upper() == "DICOMDIR" or bool(detect_archive_kind(path)) or is_dicom(path)
    except OSError:
        return False


def _read_datalist(path: Path, options: dict[str, str]) -> JobInput:
    """Describes a datalist by the number of patients in each section.

    Raises:
        CaseError: the file is not a datalist.
    """
    from scripts.lidia.datalist.read_datalist import read_lists  # loads nibabel, which a help text needs not

    sections, _ = read_lists(path)  # the job reports faulty items
    counts = ", ".join(f"{name} {len(items)}" for name, items in sections.items())
    return JobInput(options, f"{path} is a datalist ({counts} patients)")


def _read_phase_files(paths: Sequence[Path]) -> JobInput:
    """Reads the files of one patient, or folders of one DICOM series each.

    Raises:
        CommandError: a path is neither, or its phase is unclear.
    """
    for path in paths:
        if not is_nifti(path) and not path.is_dir():
            raise CommandError(
                f"{path} is no NIfTI file. Several inputs are the phases of one patient: NIfTI files, or "
                f"folders of one DICOM series each. Otherwise give one input: {ACCEPTED}"
            )
    described = [describe_file(path, path.parent) for path in paths]
    warnings: tuple[str, ...] = ()
    if len(paths) == 1 and described[0].phase is None:
        phases, warnings = {"venous": paths[0]}, (_warn_of_assumption(paths),)
    else:
        phases = assign_phases(described)
    options = {phase: str(path) for phase, path in phases.items()}
    return JobInput(options, f"one patient: {format_phases(phases)}", warnings)


def _describe_patients(found: NiftiPatients, folder: Path, output_dir: Path) -> JobInput:
    """Describes the patients of a folder; several become a datalist in the folder of the results."""
    warnings = []
    if found.assumed:
        warnings.append(_warn_of_assumption(found.assumed))
    if found.masks:
        named = ", ".join(str(path.relative_to(folder)) for path in found.masks[:5])
        more = f" and {len(found.masks) - 5} more" if len(found.masks) > 5 else ""
        warnings.append(f"left out, because their names say that they are masks: {named}{more}")
    if len(found.patients) == 1:
        case, phases = next(iter(found.patients.items()))
        options = {"case_id": case, **{phase: str(path) for phase, path in phases.items()}}
        return JobInput(options, f"{folder} holds one patient: {format_phases(phases)}", tuple(warnings))
    items = [
        {"id": case, "phases": {phase: str(path) for phase, path in phases.items()}}
        for case, phases in found.patients.items()
    ]
    from scripts.lidia.datalist.write_datalist import write_datalist

    path = write_datalist(output_dir / LIST_NAME, {"test": items}, description=f"NIfTI files of {folder}")
    lines = [f"  {case}: {format_phases(phases)}" for case, phases in found.patients.items()]
    listing = "\n".join([*lines[:20], *([f"  and {len(lines) - 20} more"] if len(lines) > 20 else [])])
    message = f"{folder} holds {len(lines)} patients ({path}):\n{listing}"
    return JobInput({"dataset_dir": str(output_dir), "datalist": str(path)}, message, tuple(warnings))


def _warn_of_assumption(paths: Sequence[Path]) -> str:
    named = ", ".join(path.name for path in paths[:5])
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return (
        f"the name says no phase, and the venous phase is assumed: {named}{more}. Name another phase by its "
        "option: --nc, --arterial or --delayed FILE"
    )
