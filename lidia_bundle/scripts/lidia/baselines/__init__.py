"""Baseline networks with the tensor contract and training of LIDIA."""
