"""Readers of public data sets, one file a data set: from a folder to the patients in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import Patient
from scripts.lidia.prepare.readers.amplifai import read_amplifai
from scripts.lidia.prepare.readers.chaos_ircadb import read_chaos, read_ircadb
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.readers.label_table import WORDS
from scripts.lidia.prepare.readers.lits import read_lits
from scripts.lidia.prepare.readers.msd import read_msd
from scripts.lidia.prepare.readers.organ_sets import read_abdomenatlas, read_amos, read_flare
from scripts.lidia.prepare.readers.path_patterns import read_limt, read_patterns
from scripts.lidia.prepare.readers.plc_cect import read_plc_cect
from scripts.lidia.prepare.readers.tcia_collections import read_crlm, read_hcc_tace_seg
from scripts.lidia.prepare.readers.trials import read_trials
from scripts.lidia.prepare.readers.unlabelled_sets import read_tcga_lihc, read_vindr
from scripts.lidia.prepare.readers.waw_tace import read_waw_tace

READERS: dict[str, Callable[[Layout], Iterable[Patient | CaseError]]] = {
    "plc_cect": read_plc_cect,
    "amplifai": read_amplifai,
    "waw_tace": read_waw_tace,
    "trials": read_trials,
    "hcc_tace_seg": read_hcc_tace_seg,
    "crlm": read_crlm,
    "lits": read_lits,
    "msd": read_msd,
    "limt": read_limt,
    "ircadb": read_ircadb,
    "abdomenatlas": read_abdomenatlas,
    "chaos": read_chaos,
    "amos": read_amos,
    "flare": read_flare,
    "tcga_lihc": read_tcga_lihc,
    "vindr": read_vindr,
    "folder": read_patterns,
}
"""A reader gives patients, and in the place of one at fault the fault; a remark says why one is left out."""

RAW = ("totalsegmentator_liver_lesions",)
"""Sets in nnU-Net's own layout: read as `nnunet`, with words of their own."""

REFUSED = {
    "lld_mmri": (
        "LLD-MMRI is MR: its numbers are no HU, and its phases are not those of a CT",
        "take a CT data set; the network, its window and its phantoms know HU alone",
    ),
    "ratic": (
        "RATIC shows injuries, none of our lesion types, and how its masks lie on its DICOM series is unsure",
        "convert volumes and liver masks to NIfTI on one grid, look at them, and take --source folder",
    ),
}
"""Data sets that are not read: what is in the way, and what to do."""

__all__ = ["RAW", "READERS", "REFUSED", "WORDS", "Layout"]
