"""Rivals on equal terms: the same tensors in and out, the same training."""
