"""Groups NIfTI files by patient and phase, by the words in their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lidia.cli.command_error import CommandError
from scripts.lidia.datalist.read_item import make_case_name
from scripts.lidia.dicom.series_text import find_phases, normalize_text
from scripts.lidia.prepare.scan_names import make_valid_id, remove_phase_words
from scripts.lidia.vocabulary import PHASES

MASK_WORDS = frozenset((
    *("label", "labels", "labelmap", "mask", "masks", "seg", "segs", "segmentation", "segmentations"),
    *("liver", "lesion", "lesions", "tumor", "tumors", "tumour", "tumours", "instances", "gt", "truth"),
))
"""Words that name a mask, unless the name has a phase too."""


class NiftiFile(NamedTuple):
    """A NIfTI file, and what its name says."""

    path: Path
    patient: str
    """Folders and name without the words of a phase, joined by `_`; "" if nothing else is left."""
    phase: str | None
    is_mask: bool


class NiftiPatients(NamedTuple):
    """Volumes by patient and phase."""

    patients: dict[str, dict[str, Path]]
    assumed: tuple[Path, ...]
    """Files that are read as venous because their names have no phase."""
    masks: tuple[Path, ...]
    """Files that are left out because their names say that they are masks."""


def describe_file(path: Path, folder: Path) -> NiftiFile:
    """Reads patient, phase and kind of a NIfTI file from its path.

    The phase is in the file's own name, else in the name of its nearest folder that has one:
    `P1/venous.nii.gz`, `venous/P1.nii.gz` and `P1_portal_venous.nii.gz` all are the venous phase of P1.

    Args:
        path: the file.
        folder: only the part of the path below it is read.
    """
    relative = path.relative_to(folder)
    parts = [*relative.parent.parts, make_case_name(relative)]
    named = [phases for part in reversed(parts) if len(phases := find_phases(part)) == 1]
    own_phase = len(find_phases(parts[-1])) == 1
    is_mask = not own_phase and not MASK_WORDS.isdisjoint(
        word for part in parts for word in normalize_text(part).split()
    )
    patient = "_".join(rest for part in parts if (rest := remove_phase_words(part)))
    return NiftiFile(path, patient, next(iter(named[0])) if named else None, is_mask)


def group_files(files: Sequence[Path], folder: Path) -> NiftiPatients:
    """Groups the NIfTI files of a folder by patient and phase.

    A file whose name has no phase is the venous phase of its patient if it is the patient's only file.

    Args:
        files: NIfTI files below the folder.
        folder: the folder; its name is the id of a patient whose files are named by the phase alone.

    Raises:
        CommandError: two files are the same phase of a patient, or the phase of a file is unclear.
    """
    described = [describe_file(path, folder) for path in sorted(files)]
    images = [file for file in described if not file.is_mask]
    if not images:
        named = ", ".join(file.path.name for file in described[:5])
        raise CommandError(f"{folder} holds masks only, by the names of its NIfTI files ({named})")
    patients: dict[str, dict[str, Path]] = {}
    assumed = []
    for name, group in _group_by_patient(images, folder).items():
        phase = group[0].phase
        if len(group) == 1 and phase is None:
            assumed.append(group[0].path)
            patients[name] = {"venous": group[0].path}
        else:
            patients[name] = assign_phases(group)
    masks = tuple(file.path for file in described if file.is_mask)
    return NiftiPatients(patients, tuple(assumed), masks)


def assign_phases(files: Sequence[NiftiFile]) -> dict[str, Path]:
    """Assigns the files of one patient to phases, in temporal order.

    Raises:
        CommandError: the name of a file has no phase, or two files are the same phase.
    """
    phases: dict[str, Path] = {}
    for file in files:
        if file.phase is None:
            others = ", ".join(str(other.path) for other in files if other is not file)
            raise CommandError(
                f"{file.path}: its name has no phase, and the patient has other files ({others}). Name each "
                "file by its option: --nc, --arterial, --venous or --delayed FILE"
            )
        if file.phase in phases:
            raise CommandError(
                f"{phases[file.phase]} and {file.path} are both the {file.phase} phase of one patient, by "
                f"their names. Give one of them, or name each by its option, such as --{file.phase} FILE"
            )
        phases[file.phase] = file.path
    return {phase: phases[phase] for phase in PHASES if phase in phases}


def format_phases(phases: Mapping[str, Path]) -> str:
    """Formats the files of a patient in one line."""
    return ", ".join(f"{phase} {path.name}" for phase, path in phases.items())


def _group_by_patient(files: Sequence[NiftiFile], folder: Path) -> dict[str, list[NiftiFile]]:
    groups: dict[str, list[NiftiFile]] = {}
    for file in files:
        groups.setdefault(make_valid_id(file.patient or folder.name), []).append(file)
    return groups
