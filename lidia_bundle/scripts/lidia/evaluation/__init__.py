"""Evaluation: the metrics of a cohort, their files, and the calibration that is fitted on them."""
