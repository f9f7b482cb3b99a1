"""Lists all cohorts: the two of the frozen recipe, and a hard one that was defined later.

The hard cohort has the frozen tables of looks, tissues and organs, so its lesions look the same. Its noise,
slices, contrast dose and timing are the unfavourable ends of published ranges (`docs/phantom.md`). The
delayed phase is mostly missing, more livers are fatty or cirrhotic, and more patients have several diseases.
The values were frozen before a network or a classifier saw the cohort.
"""

from __future__ import annotations

from scripts.lidia.phantom.recipes import RECIPES as FROZEN_RECIPES
from scripts.lidia.phantom.recipes import Recipe

HARD = Recipe(
    number=3,
    healthy=0.1,
    primary=(0.16, 0.14, 0.18, 0.14, 0.14, 0.05, 0.05, 0.14),
    # A malignant lesion beside benign ones, and the reverse
    second=0.4,
    incidental=(0.1, 0.4, 0.2),
    livers=(0.40, 0.28, 0.12, 0.20),
    spread=1.3,
    # Small HCC and flash-filling hemangioma, ICC and metastasis differ in the delayed phase only
    delayed=1 / 3,
    in_plane=(1.95, 2.45),
    slices=((2.5, 3.0, 5.0), (2.5, 3.0, 5.0), (2.5, 3.0, 5.0), (2.5, 3.0, 5.0)),
    # 18 to 25 HU in slices of 2.5 mm; at 23 to 27 HU a fifth of the lesions of 6 to 10 mm is missed
    noise=(13.0, 18.0),
    kernel=(0.6, 1.3),
    psf=(0.7, 1.3),
    dose=(0.65, 1.3),
    # In an arterial phase that is 6 s too early, HCC loses 40 % of its enhancement
    arterial=(0.6, 1.15),
    # A delayed phase after two minutes shows little washout
    washout=(0.6, 1.1),
    flip=True,
)
RECIPES = {**FROZEN_RECIPES, "hard": HARD}
