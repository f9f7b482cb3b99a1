"""Makes a DICOM Encapsulated PDF (PS3.3 A.45.1) of the report of a patient."""

from __future__ import annotations

from hashlib import sha256

from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from scripts.lidia.dicom import codes
from scripts.lidia.dicom.provenance import NAME, NOTE, Origin, make_object

TITLE = f"{NAME} report. {NOTE}"


def make_encapsulated_pdf(content: bytes, origin: Origin, *, has_identity: bool) -> Dataset:
    """Makes the Encapsulated PDF.

    Args:
        content: the PDF.
        origin: from `make_origin`; the slices of the series are named as the source.
        has_identity: whether the PDF shows what may identify the patient, such as the id.
    """
    digest = sha256(origin.content.encode() + content).hexdigest()
    origin = origin._replace(content=digest)  # another text makes another object
    dataset, date, time = make_object(origin, EncapsulatedPDFStorage, "DOC", "PDF", 4)
    dataset.ContentDate, dataset.ContentTime, dataset.AcquisitionDateTime = date, time, ""
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES" if has_identity else "NO"
    dataset.DocumentTitle = TITLE
    dataset.ConceptNameCodeSequence = [CodedConcept.from_code(codes.REPORT)]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.SourceInstanceSequence = []
    for header in origin.source:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
        dataset.SourceInstanceSequence.append(item)
    dataset.EncapsulatedDocumentLength = len(content)
    dataset.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return dataset
