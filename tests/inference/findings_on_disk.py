"""Results of inference for the synthetic patient, expected contents of SEG and SR, and the whole command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from dicom.findings import AFFINE, RESULT, SHAPE, make_findings
from dicom.readers import by_highdicom, by_pydicom
from monai.bundle import create_workflow
from monai.data import MetaTensor

from scripts.lidia.inference.dicom_results import WriteDicom
from scripts.lidia.inference.result_files import result_files, write_volume
from scripts.lidia.postprocess.diagnosis import Diagnosis

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"


def results(folder: Path, axes: str = "LPS", result: dict[str, Any] = RESULT) -> Path:
    """Writes what WriteResults leaves of the made-up patient, the volumes in some orientation."""
    liver, instances = make_findings()
    for name, voxels in (("liver", liver), ("instances", instances), ("lesions", instances * 2)):
        image = nib.Nifti1Image(voxels.astype(np.uint8), AFFINE)
        turns = nib.orientations.ornt_transform(
            nib.io_orientation(AFFINE), nib.orientations.axcodes2ornt(axes)
        )
        turned = image.as_reoriented(turns)
        write_volume(result_files(folder, "P1")[name], np.asarray(turned.dataobj), turned.affine)
    (folder / "P1.json").write_text(json.dumps(result))
    return folder


def diagnosis_of(folder: Path, case: str) -> dict[str, Any]:
    """What postprocessing gives of a patient whose results are in a folder."""
    files = result_files(folder, case)
    images = [nib.load(files[name]) for name in ("lesions", "instances", "liver")]
    diagnosis = Diagnosis(*(np.asarray(image.dataobj) for image in images), [], {}, {}, [])
    result = json.loads(files["result"].read_text(encoding="utf-8"))
    pred = MetaTensor(diagnosis.liver[None], affine=images[0].affine)
    return {"diagnosis": diagnosis, "result": result, "pred": pred}


def write_dicom(folder: Path, item: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Writes SEG and SR of the made-up patient, whose results are in the folder."""
    return WriteDicom(folder=str(folder), **options).write({"item": item, **diagnosis_of(folder, "P1")})


def check(folder: Path, source: Path) -> None:
    liver, instances = make_findings()
    seg = folder / "P1_seg.dcm"
    hd, plain = by_highdicom(seg, source), by_pydicom(seg, SHAPE)
    for number, mask in ((1, liver), (2, instances == 1), (3, instances == 2)):
        np.testing.assert_array_equal(hd[number] > 0, mask)
        np.testing.assert_array_equal(plain[number] > 0, mask)
    report = pydicom.dcmread(folder / "P1_sr.dcm")
    assert report.Modality == "SR" and report.StudyInstanceUID == pydicom.dcmread(seg).StudyInstanceUID


def run(folder: Path, **options: Any) -> None:
    built = create_workflow(
        config_file=str(CONFIGS / "inference.json"),
        workflow_type="infer",
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        output_dir=str(folder),
        device="$torch.device('cpu')",
        **{"pages": False, **options},
    )
    built.initialize()
    built.run()
