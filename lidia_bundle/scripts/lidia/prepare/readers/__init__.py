"""Readers of public data sets, one file a data set: from a folder to the patients in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scripts.lidia.datalist import CaseError
from scripts.lidia.prepare.patients import Patient
from scripts.lidia.prepare.readers.amplifai import read_amplifai
from scripts.lidia.prepare.readers.layout import Layout
from scripts.lidia.prepare.readers.msd import read_msd
from scripts.lidia.prepare.readers.patterns import read_patterns
from scripts.lidia.prepare.readers.plc_cect import read_plc_cect
from scripts.lidia.prepare.readers.trials import read_trials
from scripts.lidia.prepare.readers.waw_tace import read_waw_tace

READERS: dict[str, Callable[[Layout], Iterable[Patient | CaseError]]] = {
    "plc_cect": read_plc_cect,
    "amplifai": read_amplifai,
    "waw_tace": read_waw_tace,
    "trials": read_trials,
    "msd": read_msd,
    "folder": read_patterns,
}
"""A reader gives patients, and in the place of one at fault the fault."""

__all__ = ["READERS", "Layout"]
