"""Registers the readers of public data sets, which list the patients in a folder.

The argument `layout` of a reader has the folder with the files that the reader's first line names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import SourcePatient
from scripts.lidia.prepare.readers.amplifai import read_amplifai
from scripts.lidia.prepare.readers.chaos_ircadb import read_chaos, read_ircadb
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.readers.label_table import DATASET_TERMS
from scripts.lidia.prepare.readers.lits import read_lits
from scripts.lidia.prepare.readers.msd import read_msd
from scripts.lidia.prepare.readers.organ_sets import read_abdomenatlas, read_amos, read_flare
from scripts.lidia.prepare.readers.path_patterns import read_limt, read_patterns
from scripts.lidia.prepare.readers.plc_cect import read_plc_cect
from scripts.lidia.prepare.readers.tcia_collections import read_crlm, read_hcc_tace_seg
from scripts.lidia.prepare.readers.trials import read_trials
from scripts.lidia.prepare.readers.unlabelled_sets import read_tcga_lihc, read_vindr
from scripts.lidia.prepare.readers.waw_tace import read_waw_tace

READERS: dict[str, Callable[[Layout], Iterable[SourcePatient | CaseError]]] = {
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
"""A reader yields patients, or a CaseError for an invalid one; severity "warning" leaves the case out."""

RAW = ("totalsegmentator_liver_lesions",)
"""Sets in nnU-Net's layout: read as `nnunet`, with their own terms."""

REFUSED = {
    "lld_mmri": (
        "LLD-MMRI is MR: its values are not HU, and its phases are not those of a CT",
        "use a CT data set; the network, its window and its phantoms require HU",
    ),
    "ratic": (
        "RATIC shows injuries, not lesion types, and how its masks align with its DICOM series is unclear",
        "convert volumes and liver masks to NIfTI on one grid, check them, and use --source folder",
    ),
}
"""Data sets that are refused: reason and remedy."""

__all__ = ["RAW", "READERS", "REFUSED", "DATASET_TERMS", "Layout"]
