"""What is measured of lesions beyond their size: where they lie in the liver, and what they enhance against.

Arrays are indexed `X Y Z` in the order of their affine; places are RAS mm, lengths mm.
"""

from __future__ import annotations

from scripts.lidia.measures.capsule import Capsule
from scripts.lidia.measures.lobes import MIDDLE_MM, lobe_of, middle_plane
from scripts.lidia.measures.samples import inside, parenchyma

__all__ = ["MIDDLE_MM", "Capsule", "inside", "lobe_of", "middle_plane", "parenchyma"]
