"""Optimisation: sharpness-aware minimisation."""
