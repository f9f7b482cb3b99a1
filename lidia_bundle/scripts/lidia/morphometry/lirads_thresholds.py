"""Define the thresholds of the LI-RADS evidence."""

from __future__ import annotations

from typing import NamedTuple

SOURCE = "CT/MRI LI-RADS v2018"


class LiradsThresholds(NamedTuple):
    """Thresholds that turn the words of LI-RADS into measurements.

    CT/MRI LI-RADS v2018 (American College of Radiology, core document, 2018) defines its features for the
    eye of a radiologist ("unequivocally", "in whole or in part") and gives numbers only for size and growth
    (see `assess_growth`).
    `washout_ratio` is that of Liu et al., AJR 2013;200:84-89 (attenuation of liver over that of HCC, 1.07).
    The other values are choices of this project, set on phantoms with seed 1001 (docs/lirads.md).

    Attributes:
        hyperenhancement_hu: lesion above liver in the arterial phase from which it is hyperenhancing.
        part_share: share of the lesion that must show a feature ("in whole or in part").
        rim_hu: rim above the next layer from which enhancement is most pronounced in the periphery.
        rim_contrast_hu: rim above liver; less than `hyperenhancement_hu`, because blur takes most of the
            contrast of a thin layer between a dark centre and the liver.
        rim_share: share of the rim that must be brighter than the liver to be a rim and not single nodules.
        washout_ratio: liver over lesion in the venous or delayed phase from which it is hypoenhancing.
        washout_hu: least difference of that, for livers of low attenuation.
        washout_share: share of the rim or of the inside that must enhance in an earlier phase to wash out.
        drop_hu: least loss of lesion against liver from the earlier to the later phase.
        isodense_hu: lesion below liver up to which a part counts as enhanced in the earlier phase.
        enhancement_hu: rise after contrast from which tissue enhances.
        capsule_hu: capsule above both of its sides.
        capsule_share: share of the directions in which the capsule must be visible ("most or all").
        central_hu: rise of the centre from the arterial to the delayed phase.
        noise_factor: a value is uncertain within this number of standard errors.
        rim_radius_mm: least depth of a lesion in which rim and centre can be told apart.
        capsule_radius_mm: the same for capsule and lesion.
        cyst_hu: largest HU of the core, in any phase, that does not contradict the type cyst.
        calcification_hu: least mean HU, in any phase, that does not contradict the type calcification.
    """

    hyperenhancement_hu: float = 10.0
    part_share: float = 0.2
    rim_hu: float = 10.0
    rim_contrast_hu: float = 2.0
    rim_share: float = 0.5
    washout_ratio: float = 1.07
    washout_hu: float = 5.0
    washout_share: float = 0.35
    drop_hu: float = 5.0
    isodense_hu: float = 5.0
    enhancement_hu: float = 20.0
    capsule_hu: float = 5.0
    capsule_share: float = 0.7
    central_hu: float = 20.0
    noise_factor: float = 1.64
    rim_radius_mm: float = 4.0
    capsule_radius_mm: float = 6.0
    cyst_hu: float = 40.0
    calcification_hu: float = 100.0
