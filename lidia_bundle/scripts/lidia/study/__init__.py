"""Evidence: what the shipped figures rest on."""

from scripts.lidia.study.difficulty import measure_difficulty
from scripts.lidia.study.gallery import draw_gallery

__all__ = ["draw_gallery", "measure_difficulty"]
