"""Write the files of a patient: classes, instances and liver on the native grid, and a JSON summary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.engines.utils import IterationEvents
from numpy.typing import NDArray

from scripts.lidia.atomic import remove_temporary_files, write_atomically, write_json
from scripts.lidia.components import find_bounding_box
from scripts.lidia.input_folders import list_files
from scripts.lidia.postprocess.diagnosis import Diagnosis
from scripts.lidia.runtime.weights import hash_file, hash_weight_files, list_weight_files
from scripts.lidia.vocabulary import GRID_ORDER

VOLUMES = ("lesions", "instances", "liver")


def result_files(folder: str | Path, case: str) -> dict[str, Path]:
    """Returns the paths of a patient's four files by content."""
    base = Path(folder)
    return {**{name: base / f"{case}_{name}.nii.gz" for name in VOLUMES}, "result": base / f"{case}.json"}


def dicom_files(folder: str | Path, case: str, *, rtstruct: bool = False) -> dict[str, Path]:
    """Returns the paths of a patient's DICOM objects, which are derived from the four files.

    Args:
        folder: folder of the results.
        case: id of the patient.
        rtstruct: whether the RT Structure Set is one of them.
    """
    kinds = ("seg", "sr", "rtstruct") if rtstruct else ("seg", "sr")
    return {kind: Path(folder) / f"{case}_{kind}.dcm" for kind in kinds}


def probabilities_file(folder: str | Path, case: str) -> Path:
    """Returns the path of a patient's probability map, which is optional."""
    return Path(folder) / f"{case}_probabilities.nii.gz"


def pdf_files(folder: str | Path, case: str) -> tuple[Path, Path]:
    """Returns the paths of a patient's PDF, and of the same in a DICOM object."""
    return Path(folder) / f"{case}.pdf", Path(folder) / f"{case}_pdf.dcm"


def page_file(folder: str | Path, case: str) -> Path:
    """Returns the path of a patient's page, which is derived from all other files and written last."""
    return Path(folder) / f"{case}.html"


def is_finished(
    folder: str | Path,
    case: str,
    *,
    dicom: bool = False,
    rtstruct: bool = False,
    page: bool = False,
    pdf: bool = False,
) -> bool:
    """Checks whether all files of a patient exist; the JSON is the last of the four.

    Args:
        folder: folder of the results.
        case: id of the patient.
        dicom: whether SEG and SR are required.
        rtstruct: whether, with `dicom`, the RT Structure Set is required.
        page: whether the page is required.
        pdf: whether the PDF is required, with `dicom` also as a DICOM object.
    """
    needed = list(result_files(folder, case).values())
    document, encapsulated = pdf_files(folder, case)
    if dicom and not _has_no_dicom(needed[-1]):
        needed += [*dicom_files(folder, case, rtstruct=rtstruct).values(), *([encapsulated] if pdf else ())]
    needed += [*([page_file(folder, case)] if page else ()), *([document] if pdf else ())]
    return all(path.is_file() for path in needed)


def remove_leftovers(folder: str | Path, cases: Sequence[str]) -> None:
    """Removes what killed processes left half-written of some patients; complete files stay.

    Args:
        folder: folder of the results.
        cases: patients whose files no other process writes.
    """
    names: set[str] = set()
    for case in cases:
        files = [*result_files(folder, case).values(), *dicom_files(folder, case, rtstruct=True).values()]
        files += [page_file(folder, case), probabilities_file(folder, case), *pdf_files(folder, case)]
        names.update(path.name for path in files)
    remove_temporary_files(folder, names)


def _has_no_dicom(result: Path) -> bool:
    """Checks whether a patient's JSON explains why there is no SEG."""
    try:
        return "no_dicom" in json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def write_volume(path: str | Path, voxels: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Writes a NIfTI file with equal geometry in nibabel and ITK: sform and, unless sheared, qform.

    Args:
        path: the file, .nii.gz.
        voxels: (X, Y, Z) or (X, Y, Z, C).
        affine: (4, 4) from voxel indices to RAS mm.
    """
    image = nib.Nifti1Image(_to_file_order(voxels), affine)
    image.set_sform(affine, code="scanner")
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    is_orthogonal = np.abs(axes.T @ axes - np.eye(3)).max() < 1e-5
    image.set_qform(affine if is_orthogonal else None, code="scanner" if is_orthogonal else "unknown")
    image.header.set_xyzt_units("mm")
    with write_atomically(path) as temporary:
        nib.save(image, temporary)


def _to_file_order(voxels: NDArray[Any]) -> NDArray[Any]:
    """Converts a volume to the memory order of the file (X fastest); nibabel converts plane by plane, slowly.

    Volumes of inference have this order already, those of other readers do not. Label maps are mostly 0, so
    only the bounding box is converted.
    """
    if voxels.ndim != 3 or voxels.flags.f_contiguous:
        return voxels
    converted = np.zeros(voxels.shape, voxels.dtype, order="F")
    box = find_bounding_box(voxels != 0)
    if box is not None:
        converted[box] = voxels[box]
    return converted


def label_volumes(diagnosis: Diagnosis) -> dict[str, NDArray[Any]]:
    """Returns the label maps (X, Y, Z) of a diagnosis by name, in the data types of the files."""
    return {
        "lesions": diagnosis.classes.astype(np.uint8),
        "instances": diagnosis.instances.astype(np.uint16),
        "liver": diagnosis.liver.astype(np.uint8),
    }


def native_affine(pred: MetaTensor) -> NDArray[np.float64]:
    """Returns the affine (4, 4) of the native grid, from voxel indices to RAS mm."""
    return np.asarray(pred.meta.get("original_affine", pred.affine), dtype=np.float64)


def renumber(path: str | Path, numbers: Mapping[int, int]) -> None:
    """Rewrites a label map that uses other class numbers.

    Args:
        path: NIfTI file of labels below 256.
        numbers: class of this project by class of the file.
    """
    table = np.arange(256, dtype=np.uint8)
    table[list(numbers)] = list(numbers.values())
    label = nib.load(path)
    write_volume(path, table[np.asarray(label.dataobj).astype(np.uint8)], label.affine)


def hash_input(path: str | Path) -> str:
    """Computes the SHA-256 of a phase: of a file, or of the sorted hashes of a DICOM folder's files."""
    path = Path(path)
    if path.is_file():
        return hash_file(path)
    parts = sorted(hash_file(file) for file in list_files(path).files)
    return sha256("\n".join(parts).encode()).hexdigest()


def describe_inputs(item: Mapping[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Describes the input of each phase by path and SHA-256.

    Paths inside the folder of the results are relative to it, so that the folder can be moved. All other
    paths are absolute.

    Args:
        item: the patient's item of the datalist.
        folder: folder of the results.

    Returns:
        `{phase: {"path", "sha256"}}`; the phase of the grid also has `dicom`, its slices, if `source` of the
        item names them.
    """
    base = folder.absolute()

    def shorten(path: str) -> str:
        absolute = Path(path).absolute()
        return str(absolute.relative_to(base) if absolute.is_relative_to(base) else absolute)

    phases = item.get("phases") or {}
    inputs: dict[str, dict[str, Any]] = {
        phase: {"path": shorten(path), "sha256": hash_input(path)} for phase, path in phases.items()
    }
    grid = next((phase for phase in GRID_ORDER if phase in phases), None)
    if item.get("source") and grid is not None:
        inputs[grid]["dicom"] = [shorten(path) for path in item["source"]]
    return inputs


@cache
def collect_versions(weights: tuple[str, ...]) -> dict[str, str | list[str]]:
    """Collects the versions of the libraries and the SHA-256 of the weights.

    Args:
        weights: files of weights; several hashes are listed in this order.
    """
    libraries = {name: version(name) for name in ("monai", "torch", "numpy", "nibabel")}
    bundle = json.loads((Path(__file__).parents[3] / "configs/metadata.json").read_text(encoding="utf-8"))
    hashes = hash_weight_files(weights)
    return {
        "bundle": bundle["version"],
        **libraries,
        "weights_sha256": hashes[0] if len(hashes) == 1 else hashes,
    }


class WriteResults:
    """Handler that writes the files of each patient after the diagnosis.

    The `notes` of the patient's item, a JSON-ready dictionary, are added to `ID.json`, their `warnings`
    before those of inference. Afterwards `result` of the output is the content of `ID.json`.

    Args:
        folder: folder of the results.
        weights: file or files of the weights, for the record.
        save_probabilities: also write `ID_probabilities.nii.gz`, (X, Y, Z, 10) float32.
        settings: config values on which the result depends, for the record.
    """

    def __init__(
        self,
        *,
        folder: str,
        weights: str | Sequence[str],
        save_probabilities: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.save_probabilities = Path(folder), save_probabilities
        self.weights = list_weight_files(weights)
        self.settings = dict(settings or {})

    def attach(self, engine: Engine) -> None:
        """Writes after the postprocessing of each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes all patients of the batch."""
        for case, output in zip(engine.state.batch, engine.state.output, strict=True):
            result = output["result"] = self.write({**case, **output})
            engine.logger.info(
                f"{result['id']}: {len(result['lesions'])} lesions, malignant {result['malignant']:.3f}, "
                f"benign {result['benign']:.3f}"
            )

    def write(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Writes one patient's files, the JSON last.

        Args:
            data: result of `postprocessing`, with the patient's `item` of the datalist.

        Returns:
            Content of `ID.json`.
        """
        result, affine = data["result"], native_affine(data["pred"])
        files = result_files(self.folder, result["id"])
        # Results of an earlier run are deleted first, so that a killed run leaves an unfinished patient.
        derived = [*dicom_files(self.folder, result["id"], rtstruct=True).values()]
        derived += [page_file(self.folder, result["id"]), *pdf_files(self.folder, result["id"])]
        for old in (files["result"], *derived):
            old.unlink(missing_ok=True)
        for name, voxels in label_volumes(data["diagnosis"]).items():
            write_volume(files[name], voxels, affine)
        if self.save_probabilities:
            maps = np.asarray(data["probabilities"]).astype(np.float32)
            path = probabilities_file(self.folder, result["id"])
            write_volume(path, np.moveaxis(maps, 0, -1), affine)
        item = data.get("item") or {}
        notes = item.get("notes") or {}
        warnings = [*notes.get("warnings", ()), *result["warnings"]]
        record = {**result, **notes, "warnings": warnings, "versions": collect_versions(self.weights)}
        record |= {key: str(item[key]) for key in ("patient", "date") if item.get(key)}
        record["inputs"] = describe_inputs(item, self.folder)
        record["settings"] = self.settings
        write_json(files["result"], record)
        return record
