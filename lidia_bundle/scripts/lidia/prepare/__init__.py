"""Converts nnU-Net folders, public data sets and DICOM archives to datalists, and datalists to nnU-Net."""
