"""Write the backgrounds of a training on real CT, with masks of the lesions that the patients have."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib

from experiments.real_ct.lesion_measures import draw_spheres
from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import find_list_file, read_sections
from scripts.lidia.inference.result_files import write_volume

logger = logging.getLogger("lidia")


def write_backgrounds(
    *, data_dir: str | Path, output_dir: str | Path, outlines: str | Path, reserved: Sequence[str] = ()
) -> Path:
    """Write `backgrounds.json`: one case for each volume of the studies, with its liver mask.

    The phases of a study are not registered to each other, so each volume is a background of its own.

    Args:
        data_dir: folder of a datalist; beside each phase lies its liver mask `liver_PHASE.nii.gz`.
        output_dir: folder of the list and of the masks `ID_ignored.nii.gz`.
        outlines: JSON file of rough outlines `{study: [{"centre_ras_mm", "radius_mm", "what"}]}`.
        reserved: studies that no training may use.

    Returns:
        Path of the list. A case is named `STUDY_PHASE`; `study` names its study.

    Raises:
        CaseError: a liver mask is missing, or the outlines do not mention a study.
    """
    source = find_list_file(Path(data_dir), None)
    spheres = json.loads(Path(outlines).read_text(encoding="utf-8"))
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    studies = [item for items in read_sections(source).values() for item in items]
    if unknown := sorted(set(reserved) - {item["id"] for item in studies}):
        logger.warning("%s has no study %s, which is to be reserved", source, ", ".join(unknown))
    for item in studies:
        study = item["id"]
        if study in reserved:
            continue
        if study not in spheres:
            remedy = "look at the study and outline its lesions; [] if there is none"
            raise CaseError(study, str(outlines), "the study has no outlines", remedy, "no_outlines")
        for phase, path in item["phases"].items():
            liver = Path(path).with_name(f"liver_{phase}.nii.gz")
            if not liver.is_file():
                raise CaseError(study, str(liver), "the file does not exist", "add the mask", "missing")
            case = {"id": f"{study}_{phase}", "study": study, "phases": {phase: path}, "liver": str(liver)}
            if spheres[study]:
                image = nib.load(liver)
                ignored = folder / f"{case['id']}_ignored.nii.gz"
                mask = draw_spheres(spheres[study], image.shape, image.affine)
                write_volume(ignored, mask.astype("uint8"), image.affine)
                case["ignored"] = str(ignored)
            cases.append(case)
    target = folder / "backgrounds.json"
    write_json(target, {"training": cases})
    return target
