"""Defines the codes that are written to DICOM; they come from pydicom's dictionary where it has the concept.

Three lesion types are not in it. The SNOMED CT codes of HCC and ICC are the morphologies that ICD-O-3 8170/3
and 8160/3 map to; that of FNH is the disorder. Concepts without a public code use the scheme 99LIDIA.
"""

from __future__ import annotations

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from scripts.lidia.vocabulary import LESION_TYPES

OWN_SCHEME = "99LIDIA"

ORGAN, LESION = codes.SCT.AnatomicalStructure, codes.SCT.MorphologicallyAbnormalStructure
"""Categories of segments."""
LIVER = codes.SCT.Liver
TYPES: dict[str, Code] = {
    "HCC": Code("25370001", "SCT", "Hepatocellular carcinoma"),
    "ICC": Code("70179006", "SCT", "Cholangiocarcinoma"),
    "metastasis": codes.SCT.NeoplasmSecondary,
    "hemangioma": codes.SCT.Hemangioma,
    "FNH": Code("278527001", "SCT", "Focal nodular hyperplasia of liver"),
    "cyst": codes.SCT.Cyst,
    "calcification": codes.SCT.PathologicCalcification,
    "others": codes.SCT.Lesion,
}
"""Code of each lesion type. The finding site is always the liver, so a cholangiocarcinoma is an ICC."""

PROBABILITIES: dict[str, Code] = {
    **{name: Code(f"p_{name}", OWN_SCHEME, f"Probability of {name}") for name in LESION_TYPES},
    "malignant": codes.DCM.ProbabilityOfCancer,
    "benign": Code("p_benign", OWN_SCHEME, "Probability of a benign lesion"),
}
EXISTENCE = Code("p_existence", OWN_SCHEME, "Probability that the lesion exists")
OPERATING_POINT = Code("operating_point", OWN_SCHEME, "Operating point of lesion detection")
POINTS = {name: Code(name, OWN_SCHEME, name) for name in ("sensitive", "balanced", "specific")}
TRUSTED = Code("trusted", OWN_SCHEME, "The scan resembles the training data")
CALIBRATED = Code("calibrated", OWN_SCHEME, "Probabilities are calibrated")
YES, NO = codes.SCT.Yes, codes.SCT.No

LIRADS_FEATURES: dict[str, Code] = {
    "nonrim_aphe": Code("nonrim_aphe", OWN_SCHEME, "Nonrim arterial phase hyperenhancement"),
    "rim_aphe": Code("rim_aphe", OWN_SCHEME, "Rim arterial phase hyperenhancement"),
    "nonperipheral_washout": Code("nonper_washout", OWN_SCHEME, "Nonperipheral washout"),
    "peripheral_washout": Code("per_washout", OWN_SCHEME, "Peripheral washout"),
    "enhancing_capsule": Code("capsule", OWN_SCHEME, "Enhancing capsule"),
    "delayed_central_enhancement": Code("central_enh", OWN_SCHEME, "Delayed central enhancement"),
    "threshold_growth": Code("growth", OWN_SCHEME, "Threshold growth"),
}
"""Code of each feature of CT/MRI LI-RADS v2018; neither DICOM nor its part of SNOMED CT has them."""
STATES: dict[str, Code] = {
    "present": codes.DCM.Present,
    "absent": codes.DCM.Absent,
    "not_assessed": codes.SCT.Undetermined,
}
CONTRADICTED = Code("type_contradict", OWN_SCHEME, "The enhancement contradicts the lesion type")
LIRADS_CATEGORY = Code("lirads_category", OWN_SCHEME, "Suggested LI-RADS category")
CATEGORIES: dict[str, Code] = {
    name: Code(name, OWN_SCHEME, f"LI-RADS category {name}")
    for name in ("LR-3", "LR-4", "LR-5", "LR-M", "LR-NC")
}

VOLUME, LONG_AXIS, SHORT_AXIS = codes.SCT.Volume, codes.SCT.LongAxis, codes.SCT.ShortAxis
MM3, MM, NO_UNITS = codes.UCUM.CubicMillimeter, codes.UCUM.Millimeter, codes.UCUM.NoUnits

FAMILY = codes.DCM.ArtificialIntelligence
DEVICE = codes.DCM.Device
REPORT, PROCEDURE = codes.DCM.ImagingMeasurementReport, codes.SCT.ComputedTomography
EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
"""Container name of TID 1500, row 12."""
COMMENT = codes.DCM.Comment

PROFILE = codes.DCM.BasicApplicationConfidentialityProfile
CLEAN_CONTENT = codes.DCM.CleanStructuredContentOption
KEEP_DEVICE = codes.DCM.RetainDeviceIdentityOption
KEEP_UIDS = codes.DCM.RetainUidsOption
