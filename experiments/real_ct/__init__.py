"""Measure the shipped inference on real CT and draw its results."""
