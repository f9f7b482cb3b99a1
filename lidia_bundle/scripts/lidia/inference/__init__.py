"""Inference: from the input files of a patient to the result files, on the patient's own grid."""
