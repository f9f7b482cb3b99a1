"""Defines the names of phases and classes in each public data set: one table for all readers.

docs/datasets.md shows the table; a test compares the two. A user's `phase_map` and `class_map` have priority.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scripts.lidia.dicom.series_text import PHASE_OF_WORD

ALL_LESIONS, ONE_LESION, LIVER_ONLY, NO_LABELS = (
    "every lesion",
    "one lesion a case",
    "the liver alone",
    "nothing",
)

UNSPECIFIED = ""
"""Class of a term without a lesion type: `class_map` must define it."""


class DatasetTerms(NamedTuple):
    """Terms of one data set.

    Args:
        phases: phase by term, as used by the set or by series descriptions in it.
        values: term by value of the label map; other values are an error.
        organs: whether values without a term are other organs, and not an error.
        classes: class by term; `UNSPECIFIED` where the set does not define it.
        malignant: whether terms of class `others` are malignant; unknown for terms without an entry.
        ignored: terms of the set that are left out.
        annotated: what is annotated in each case.
    """

    phases: Mapping[str, str] = {}
    values: Mapping[int, str] = {}
    organs: bool = False
    classes: Mapping[str, str] = {}
    malignant: Mapping[str, bool] = {}
    ignored: tuple[str, ...] = ()
    annotated: str = ALL_LESIONS

    def as_dict(self) -> dict[str, Any]:
        """Returns the terms as plain data, for a summary."""
        return {"phases": dict(self.phases), "classes": dict(self.classes), "drawn": self.annotated}


CT = {"CT": "venous"}
"""Phase of sets with one phase that their files do not name; `phase_map` {"CT": ...} changes it."""

DESCRIPTIONS = {
    "pre": "nc",  # in these two archives alone: elsewhere it may mean "before surgery"
    **{
        word: PHASE_OF_WORD[word]
        for word in (
            *("noncon", "noncontrast", "unenhanced", "plain", "without", "wo", "arterial", "art"),
            *("portal", "venous", "ven", "pv", "pvp", "delay", "delayed", "del", "equilibrium"),
        )
    },
}
"""Terms in series descriptions. AP is not one of them: in HCC-TACE-Seg it means abdomen and pelvis."""

DATASET_TERMS: dict[str, DatasetTerms] = {
    "plc_cect": DatasetTerms(
        phases={"P": "nc", "C1": "arterial", "C2": "venous", "C3": "delayed"},
        classes={"HCC": "HCC", "ICC": "ICC", "CHCC": "others", "CN": "background"},
        malignant={"CHCC": True},
    ),
    "amplifai": DatasetTerms(
        phases={"DRY": "nc", "ART": "arterial", "VEN": "venous", "DEL": "delayed"},
        classes={"LR-5": "HCC"} | dict.fromkeys(("LR-M", "LR-TIV", "LR-1", "LR-2", "LR-3", "LR-4"), "others"),
        malignant={"LR-M": True, "LR-TIV": True, "LR-1": False, "LR-2": False},
        annotated=ONE_LESION,
    ),
    "waw_tace": DatasetTerms(
        phases={"0": "nc", "1": "arterial", "2": "venous", "3": "delayed"},
        classes={"tumour": "HCC", "liver": "liver"},
    ),
    "trials": DatasetTerms(
        phases={"nocontrast": "nc", "arterial": "arterial", "venous": "venous", "delayed": "delayed"},
        values={1: "liver", 2: "lesion"},
        classes={"liver": "liver", "lesion": UNSPECIFIED},
    ),
    "hcc_tace_seg": DatasetTerms(
        phases=DESCRIPTIONS,
        classes={"liver": "liver"}
        | dict.fromkeys(("mass", "tumor", "tumour"), "HCC")
        | dict.fromkeys(("portal vein", "abdominal aorta", "aorta"), "background"),
    ),
    "crlm": DatasetTerms(
        phases=CT,
        classes={"tumor": "metastasis"}
        | dict.fromkeys(("liver", "liver remnant"), "liver")
        | dict.fromkeys(("hepatic", "hepatic vein", "portal", "portal vein"), "background"),
    ),
    "lits": DatasetTerms(
        phases=CT, values={1: "liver", 2: "tumour"}, classes={"liver": "liver", "tumour": UNSPECIFIED}
    ),
    "msd": DatasetTerms(
        phases=CT,
        classes={"liver": "liver", "vessel": "background", "cancer": UNSPECIFIED, "tumour": UNSPECIFIED},
    ),
    "totalsegmentator_liver_lesions": DatasetTerms(
        phases=CT,
        classes={"liver": "liver"} | dict.fromkeys(("lesion", "liver lesion", "liver tumor"), UNSPECIFIED),
    ),
    "limt": DatasetTerms(classes={"the values of its label maps": UNSPECIFIED}),
    "ircadb": DatasetTerms(
        phases=CT,
        classes={"liver": "liver"} | {"liver cyst": "cyst", "liver tumor": UNSPECIFIED},
        ignored=("all other masks",),
    ),
    "abdomenatlas": DatasetTerms(phases=CT, classes={"liver": "liver", "lesion": UNSPECIFIED}),
    "chaos": DatasetTerms(phases=CT, classes={"liver": "liver"}),
    "amos": DatasetTerms(
        phases=CT, values={6: "liver"}, organs=True, classes={"liver": "liver"}, annotated=LIVER_ONLY
    ),
    "flare": DatasetTerms(
        phases=CT, values={1: "liver"}, organs=True, classes={"liver": "liver"}, annotated=LIVER_ONLY
    ),
    "tcga_lihc": DatasetTerms(phases=DESCRIPTIONS, annotated=NO_LABELS),
    "vindr": DatasetTerms(
        phases={"non-contrast": "nc", "arterial": "arterial", "venous": "venous"},
        ignored=("others",),
        annotated=NO_LABELS,
    ),
    "folder": DatasetTerms(),
    "nnunet": DatasetTerms(),
}
"""Terms of each data set, by its `--source`."""
