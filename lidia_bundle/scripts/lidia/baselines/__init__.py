"""Rivals on equal terms: the same tensors in and out, the same training."""

from scripts.lidia.baselines.fusion import ConvLSTM, EarlyFusion, HeMIS
from scripts.lidia.baselines.unet import PlainUNet, SemanticCriterion

__all__ = ["ConvLSTM", "EarlyFusion", "HeMIS", "PlainUNet", "SemanticCriterion"]
