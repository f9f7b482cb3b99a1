"""What each public data set calls a phase and a class, and which of ours that is: one table for all readers.

docs/datasets.md prints it, and a test holds the two together. `phase_map` and `class_map` come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scripts.lidia.dicom.series_text import PHASE_OF_WORD

EVERY, ONE, LIVER_ALONE, NOTHING = "every lesion", "one lesion a case", "the liver alone", "nothing"

UNTOLD = ""
"""Class of a word that names no type: `class_map` has to."""


class Words(NamedTuple):
    """One data set's words.

    Args:
        phases: phase of what the set, or a description in it, calls one.
        values: what a value of the label map is called; values that are not named are an error.
        organs: whether values without a name are other organs, and no error.
        classes: class of each word; `UNTOLD` where the set does not say it.
        malignant: side of words that are `others`; a word without an entry is on neither side.
        unread: words of the set that are left out.
        drawn: what somebody drew of each case.
    """

    phases: Mapping[str, str] = {}
    values: Mapping[int, str] = {}
    organs: bool = False
    classes: Mapping[str, str] = {}
    malignant: Mapping[str, bool] = {}
    unread: tuple[str, ...] = ()
    drawn: str = EVERY

    def told(self) -> dict[str, Any]:
        """The words as plain data, for a summary."""
        return {"phases": dict(self.phases), "classes": dict(self.classes), "drawn": self.drawn}


CT = {"CT": "venous"}
"""Sets of one phase that name it in their paper alone, or nowhere; `phase_map` {"CT": ...} says another."""

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
"""Words in descriptions of series. AP is none of them: in HCC-TACE-Seg it is abdomen and pelvis."""

WORDS: dict[str, Words] = {
    "plc_cect": Words(
        phases={"P": "nc", "C1": "arterial", "C2": "venous", "C3": "delayed"},
        classes={"HCC": "HCC", "ICC": "ICC", "CHCC": "others", "CN": "background"},
        malignant={"CHCC": True},
    ),
    "amplifai": Words(
        phases={"DRY": "nc", "ART": "arterial", "VEN": "venous", "DEL": "delayed"},
        classes={"LR-5": "HCC"} | dict.fromkeys(("LR-M", "LR-TIV", "LR-1", "LR-2", "LR-3", "LR-4"), "others"),
        malignant={"LR-M": True, "LR-TIV": True, "LR-1": False, "LR-2": False},
        drawn=ONE,
    ),
    "waw_tace": Words(
        phases={"0": "nc", "1": "arterial", "2": "venous", "3": "delayed"},
        classes={"tumour": "HCC", "liver": "liver"},
    ),
    "trials": Words(
        phases={"nocontrast": "nc", "arterial": "arterial", "venous": "venous", "delayed": "delayed"},
        values={1: "liver", 2: "lesion"},
        classes={"liver": "liver", "lesion": UNTOLD},
    ),
    "hcc_tace_seg": Words(
        phases=DESCRIPTIONS,
        classes={"liver": "liver"}
        | dict.fromkeys(("mass", "tumor", "tumour"), "HCC")
        | dict.fromkeys(("portal vein", "abdominal aorta", "aorta"), "background"),
    ),
    "crlm": Words(
        phases=CT,
        classes={"tumor": "metastasis"}
        | dict.fromkeys(("liver", "liver remnant"), "liver")
        | dict.fromkeys(("hepatic", "hepatic vein", "portal", "portal vein"), "background"),
    ),
    "lits": Words(phases=CT, values={1: "liver", 2: "tumour"}, classes={"liver": "liver", "tumour": UNTOLD}),
    "msd": Words(
        phases=CT, classes={"liver": "liver", "vessel": "background", "cancer": UNTOLD, "tumour": UNTOLD}
    ),
    "totalsegmentator_liver_lesions": Words(
        phases=CT,
        classes={"liver": "liver"} | dict.fromkeys(("lesion", "liver lesion", "liver tumor"), UNTOLD),
    ),
    "limt": Words(classes={"the values of its label maps": UNTOLD}),
    "ircadb": Words(
        phases=CT,
        classes={"liver": "liver"} | {"liver cyst": "cyst", "liver tumor": UNTOLD},
        unread=("all other masks",),
    ),
    "abdomenatlas": Words(phases=CT, classes={"liver": "liver", "lesion": UNTOLD}),
    "chaos": Words(phases=CT, classes={"liver": "liver"}),
    "amos": Words(phases=CT, values={6: "liver"}, organs=True, classes={"liver": "liver"}, drawn=LIVER_ALONE),
    "flare": Words(
        phases=CT, values={1: "liver"}, organs=True, classes={"liver": "liver"}, drawn=LIVER_ALONE
    ),
    "tcga_lihc": Words(phases=DESCRIPTIONS, drawn=NOTHING),
    "vindr": Words(
        phases={"non-contrast": "nc", "arterial": "arterial", "venous": "venous"},
        unread=("others",),
        drawn=NOTHING,
    ),
    "folder": Words(),
    "nnunet": Words(),
}
"""The words of each data set, by its `--source`."""
