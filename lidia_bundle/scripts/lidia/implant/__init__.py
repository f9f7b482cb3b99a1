"""The phantom's lesions in real CT: synthetic tumours for training without labels (Hu et al., CVPR 2023)."""
