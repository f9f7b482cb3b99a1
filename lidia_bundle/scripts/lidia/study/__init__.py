"""Evidence: what the shipped figures rest on."""

from scripts.lidia.study.difficulty import measure_difficulty
from scripts.lidia.study.gallery import draw_gallery
from scripts.lidia.study.implants import draw_implants
from scripts.lidia.study.registering import measure_registration
from scripts.lidia.study.runner import run_study
from scripts.lidia.study.write import write_study

__all__ = [
    "draw_gallery",
    "draw_implants",
    "measure_difficulty",
    "measure_registration",
    "run_study",
    "write_study",
]
