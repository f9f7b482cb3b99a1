"""From files to tensors: loading, one grid for all phases, targets, augmentation, cache."""

from __future__ import annotations

from scripts.lidia.data.augment import DropPhases, JitterIntensity, ShiftPhases, augmentation
from scripts.lidia.data.cache import CachedCases, cached
from scripts.lidia.data.crop import CropLesions
from scripts.lidia.data.phases import LoadPhases
from scripts.lidia.data.prediction import RenameResult, RequireMeta
from scripts.lidia.data.preprocess import Preprocessing, preprocessing

__all__ = [
    "CachedCases",
    "CropLesions",
    "DropPhases",
    "JitterIntensity",
    "LoadPhases",
    "Preprocessing",
    "RenameResult",
    "RequireMeta",
    "ShiftPhases",
    "augmentation",
    "cached",
    "preprocessing",
]
