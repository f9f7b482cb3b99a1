"""Lists of cases: read, check, write; every fault is one `CaseError`."""
