"""Three readers of DICOM SEG: the library that wrote it, plain pydicom, and dcmqi, on DCMTK and ITK."""

from __future__ import annotations

import subprocess
from importlib.metadata import distribution
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import pydicom
from dicom.findings import AFFINE


def by_highdicom(path: Path, folder: Path) -> dict[int, np.ndarray]:
    """Masks (X, Y, Z) in the frame of `read_series`, by segment, on the whole grid of the source."""
    slices = [pydicom.dcmread(file) for file in sorted(folder.rglob("*.dcm"))]
    source = highdicom.get_volume_from_series(slices)
    read = highdicom.seg.segread(path).get_volume(combine_segments=False).match_geometry(source)
    # highdicom: slice, row, column, with slices against their normal
    masks = np.transpose(read.array, (2, 1, 0, 3))[:, :, ::-1]
    return {number: masks[..., number - 1] for number in range(1, masks.shape[-1] + 1)}


def by_pydicom(path: Path, shape: tuple[int, ...]) -> dict[int, np.ndarray]:
    """The same from the functional groups alone, frame by frame."""
    seg = pydicom.dcmread(path)
    frames = np.atleast_3d(seg.pixel_array).reshape(-1, seg.Rows, seg.Columns)
    bottom, step = AFFINE[2, 3], AFFINE[2, 2]
    masks = {int(s.SegmentNumber): np.zeros(shape, np.uint8) for s in seg.SegmentSequence}
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        record = (
            groups if "SegmentIdentificationSequence" in groups else seg.SharedFunctionalGroupsSequence[0]
        )
        number = int(record.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        height = float(groups.PlanePositionSequence[0].ImagePositionPatient[2])
        masks[number][:, :, round((height - bottom) / step)] = frame.T
    return masks


def by_dcmqi(path: Path, folder: Path) -> dict[int, nib.Nifti1Image]:
    """What dcmqi, on DCMTK and ITK, makes of it: one NIfTI a segment."""
    program = distribution("dcmqi").locate_file("dcmqi/bin/segimage2itkimage")
    folder.mkdir()
    command = [program, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nii", "-p", "seg"]
    process = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return {int(p.name.split("-")[1].split(".")[0]): nib.load(p) for p in folder.glob("seg-*.nii.gz")}
