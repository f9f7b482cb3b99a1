"""The phantom: four-phase abdomens with lesions, drawn from tables of Hounsfield units."""

from scripts.lidia.phantom.case import Case, Volume, sample_case
from scripts.lidia.phantom.cohort import write_cohort
from scripts.lidia.phantom.fingerprint import RECIPE_HASH, recipe_hash

__all__ = ["RECIPE_HASH", "Case", "Volume", "recipe_hash", "sample_case", "write_cohort"]
