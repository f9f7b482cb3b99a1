"""Lists of cases: read, check, write; every fault is one `CaseError`."""

from __future__ import annotations

from scripts.lidia.datalist.check import check_header, check_item
from scripts.lidia.datalist.errors import CaseError
from scripts.lidia.datalist.items import case_name, complete
from scripts.lidia.datalist.read import datalist, list_file, read_lists, read_sections
from scripts.lidia.datalist.text import read_text
from scripts.lidia.datalist.write import write_datalist

__all__ = [
    "CaseError",
    "case_name",
    "check_header",
    "check_item",
    "complete",
    "datalist",
    "list_file",
    "read_lists",
    "read_sections",
    "read_text",
    "write_datalist",
]
