"""Metrics of the paper for lesions, patients and voxels, with confidence intervals."""
