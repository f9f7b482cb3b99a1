"""Implants lesions of the phantom into real CT, for training without labels (Hu et al., CVPR 2023)."""
