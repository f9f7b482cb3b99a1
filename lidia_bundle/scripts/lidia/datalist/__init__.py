"""Reads, checks and writes datalists; every fault is a `CaseError`."""
