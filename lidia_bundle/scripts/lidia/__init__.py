"""LIDIA: liver tumour diagnosis on multi-phase contrast-enhanced CT (MICCAI 2024) as a MONAI bundle."""
