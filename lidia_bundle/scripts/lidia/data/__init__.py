"""Converts files to tensors: loads a case, resamples its phases to one grid, augments and caches it."""
