"""The losses: matching, L_seg, L_focal, L_acl (Eq. 3-5) with its memory bank, and their sum (Eq. 6)."""

from scripts.lidia.loss.classes import FocalLoss
from scripts.lidia.loss.contrastive import AsymmetricContrastiveLoss
from scripts.lidia.loss.criterion import Criterion
from scripts.lidia.loss.masks import MaskLoss
from scripts.lidia.loss.matching import HungarianMatcher
from scripts.lidia.loss.memory import MemoryBank
from scripts.lidia.loss.semantic import SemanticLoss

__all__ = [
    "AsymmetricContrastiveLoss",
    "Criterion",
    "FocalLoss",
    "HungarianMatcher",
    "MaskLoss",
    "MemoryBank",
    "SemanticLoss",
]
