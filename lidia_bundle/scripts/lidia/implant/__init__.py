"""The phantom's lesions in real CT: synthetic tumours for training without labels (Hu et al., CVPR 2023)."""

from scripts.lidia.implant.anatomy import Anatomy, study
from scripts.lidia.implant.background import Background, read_background
from scripts.lidia.implant.case import implant_case
from scripts.lidia.implant.cohort import write_implants

__all__ = ["Anatomy", "Background", "implant_case", "read_background", "study", "write_implants"]
