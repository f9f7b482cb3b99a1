"""Rivals on equal terms: the same tensors in and out, the same training."""

from scripts.lidia.baselines.unet import PlainUNet, SemanticCriterion

__all__ = ["PlainUNet", "SemanticCriterion"]
