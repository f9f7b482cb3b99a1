"""Measure the LI-RADS evidence on phantoms with known features."""
