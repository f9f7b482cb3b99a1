"""From voxel probabilities to lesions and patient scores."""

from __future__ import annotations

from scripts.lidia.postprocess.asked import among, known_types
from scripts.lidia.postprocess.branch import BRANCH_SCORES, branch_scores, split_branch
from scripts.lidia.postprocess.diagnosis import NO_LIVER, Diagnosis, diagnose
from scripts.lidia.postprocess.doubt import without_doubtful
from scripts.lidia.postprocess.instances import Lesions, lesions
from scripts.lidia.postprocess.livermax import GROUPS, livermax
from scripts.lidia.postprocess.pixelcount import pixel_count
from scripts.lidia.postprocess.region import filled_parts, liver_region, no_longer_than

__all__ = [
    "BRANCH_SCORES",
    "GROUPS",
    "NO_LIVER",
    "Diagnosis",
    "Lesions",
    "among",
    "branch_scores",
    "diagnose",
    "filled_parts",
    "known_types",
    "lesions",
    "liver_region",
    "livermax",
    "no_longer_than",
    "pixel_count",
    "split_branch",
    "without_doubtful",
]
