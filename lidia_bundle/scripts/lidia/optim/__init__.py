"""The update: sharpness-aware minimisation."""

from scripts.lidia.optim.sharpness import SharpnessAware

__all__ = ["SharpnessAware"]
