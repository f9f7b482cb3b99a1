from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.special import erf

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.fit_patient import fit_patient
from scripts.lidia.implant.implant_case import implant_case
from scripts.lidia.implant.lesion_matte import draw_matte
from scripts.lidia.phantom.case import Case
from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.vocabulary import CLASSES, PHASES

A, V, D = 1, 2, 3


def implanted(anatomy: Anatomy, look: str, index: int = 0, least: float = 0) -> Case:
    """The first case from `index` on whose lesion of this look is at least so wide (mm)."""
    while True:
        case = implant_case(anatomy, 3, index, looks=[look])
        if case.lesions[0]["diameter_mm"] >= least:
            return case
        index += 1


def contrast(case: Case, anatomy: Anatomy) -> np.ndarray:
    """Mean HU in the middle of the lesion and of the liver around it, (phases, 2)."""
    lesion = case.instances > 0
    core = binary_erosion(lesion, np.ones((5, 5, 1)))
    core[:, :, np.arange(lesion.shape[2]) != int(lesion.sum((0, 1)).argmax())] = False
    assert core.sum() >= 8
    near = binary_dilation(lesion, np.ones((13, 13, 1))) & ~binary_dilation(lesion, np.ones((7, 7, 3)))
    near &= anatomy.source.as_stored(anatomy.source.liver & ~anatomy.large)
    volumes = [case.volumes[phase].data for phase in PHASES]
    return np.array([(v[core].mean(), np.median(v[near])) for v in volumes])


def test_away_from_lesions_the_own_phase_is_the_background(anatomy: Anatomy) -> None:
    case = implanted(anatomy, "metastasis_colorectal")
    lesion = case.instances > 0
    before = anatomy.source.as_stored(anatomy.source.phases["venous"])
    change = np.abs(case.volumes["venous"].data - before)
    far = ~binary_dilation(lesion, iterations=6)
    assert lesion.sum() > 100 and far.mean() > 0.9
    assert change[far].max() == 0
    assert change[lesion].mean() > 15


def test_true_lesions_are_inside_the_liver(anatomy: Anatomy) -> None:
    liver = anatomy.source.as_stored(anatomy.source.liver)
    for index, look in enumerate(("ICC", "HCC_typical", "hemangioma_typical", "calcification_plaque")):
        case = implanted(anatomy, look, index)
        lesion = case.instances > 0
        assert lesion.any() and not lesion[~liver].any()
        assert np.array_equal(case.label > 0, liver) and np.array_equal(case.liver > 0, liver)
        assert set(np.unique(case.label[lesion])) == {CLASSES.index(case.lesions[0]["type"])}
        assert set(np.unique(case.label[~lesion])) <= {0, 1}
        assert not (lesion & anatomy.source.as_stored(anatomy.large)).any(), "wide vessels are left free"


def test_hcc_enhances_and_washes_out(anatomy: Anatomy) -> None:
    hu = contrast(implanted(anatomy, "HCC_typical", least=20), anatomy)
    assert hu[A, 0] > hu[A, 1] + 5
    assert hu[D, 0] < hu[D, 1] / 1.05


def test_a_cyst_and_a_calcification_are_constant(anatomy: Anatomy) -> None:
    for look, low, high in (("cyst", -10, 25), ("calcification_granuloma", 100, 900)):
        hu = contrast(implanted(anatomy, look, least=14), anatomy)[:, 0]
        # the noise of a dozen voxels moves a mean by several HU; lesions that enhance change by 20 and more
        assert np.ptp(hu) < 16 and low < hu.mean() < high


def test_fnh_is_bright_early_and_isodense_later(anatomy: Anatomy) -> None:
    case = implanted(anatomy, "FNH", least=20)
    hu = contrast(case, anatomy)
    assert hu[A, 0] > hu[A, 1] + 12
    assert abs(hu[V, 0] - hu[V, 1]) < 14


def test_icc_rises_and_a_flash_hemangioma_is_blood(anatomy: Anatomy) -> None:
    hu = contrast(implanted(anatomy, "ICC", 1, 30), anatomy)
    assert hu[D, 0] - hu[D, 1] > hu[V, 0] - hu[V, 1] > -80
    case = implanted(anatomy, "hemangioma_flash", 2, 12)
    blood = case.patient.vessels["aorta"]
    hu = contrast(case, anatomy)
    assert abs(hu[D, 0] / blood[D] - 1) < 0.15 and hu[A, 0] > hu[A, 1] + 25


def test_tissues_move_by_the_table(anatomy: Anatomy) -> None:
    case = implanted(anatomy, "cyst")
    liver = anatomy.source.as_stored(binary_erosion(anatomy.source.liver, iterations=3))
    liver &= ~binary_dilation(case.instances > 0, iterations=3)
    for phase, expected in zip(PHASES, case.patient.liver, strict=True):
        assert abs(np.median(case.volumes[phase].data[liver]) - expected) < 4
    bone = anatomy.source.as_stored(anatomy.source.phases["venous"]) > 500
    for phase in ("nc", "arterial", "delayed"):
        assert abs(np.median(case.volumes[phase].data[bone] - case.volumes["venous"].data[bone])) < 15


def test_noise_is_as_strong_and_another_one_in_each_phase(anatomy: Anatomy) -> None:
    case = implanted(anatomy, "cyst")
    plain = binary_erosion(anatomy.source.liver & ~anatomy.large, iterations=3)
    plain &= anatomy.maps.shares[anatomy.maps.names.index("parenchyma")] > 0.9
    plain = anatomy.source.as_stored(plain) & ~binary_dilation(case.instances > 0, iterations=4)
    steps = {p: np.diff(v.data.astype(float), axis=0)[plain[1:]] for p, v in case.volumes.items()}
    for phase, louder in (("nc", 1.15), ("arterial", 1.0), ("delayed", 1.1)):
        assert abs(steps[phase].std() / steps["venous"].std() / louder - 1) < 0.12
        assert abs(np.corrcoef(steps[phase], steps["venous"])[0, 1]) < 0.25


def test_a_seam_is_no_steeper_than_the_scan_resolves(anatomy: Anatomy) -> None:
    """From pixel to pixel no more of a lesion may set in than of an edge blurred like the skin."""
    recipe = RECIPES["internal"]
    patient = fit_patient(np.random.default_rng(0), recipe, anatomy.maps.levels, "venous", ["cyst", "FNH"])
    matte = draw_matte(anatomy, patient, recipe.spread, np.random.default_rng(0))
    cover = 1 - matte.through[V]
    assert cover.max() > 0.99 and cover.min() > -1e-4
    steepest = max(float(np.abs(np.diff(cover, axis=axis)).max()) for axis in (0, 1))
    pixel, blur = anatomy.source.spacing[0], anatomy.blur
    assert steepest < 1.1 * erf(pixel / (2 * np.sqrt(2) * blur))


def test_painted_values_do_not_depend_on_the_background(anatomy: Anatomy) -> None:
    """Outside lesions nothing is painted, and nothing shines through a solid one."""
    recipe = RECIPES["internal"]
    patient = fit_patient(np.random.default_rng(1), recipe, anatomy.maps.levels, "venous", ["cyst"])
    matte = draw_matte(anatomy, patient, recipe.spread, np.random.default_rng(1))
    inside = binary_erosion(matte.instances > 0, np.ones((5, 5, 1)))
    inside[:, :, np.arange(inside.shape[2]) != int(inside.sum((0, 1)).argmax())] = False
    assert inside.any() and matte.through[:, inside].max() < 0.01
    apart = ~binary_dilation(matte.instances > 0, iterations=6)
    assert np.abs(matte.paint[:, apart]).max() < 1e-3 and matte.through[:, apart].min() > 1 - 1e-4


def test_the_same_seed_gives_the_same_voxels(anatomy: Anatomy) -> None:
    first, second, other = (implant_case(anatomy, seed, 0) for seed in (5, 5, 6))
    for phase, volume in first.volumes.items():
        assert np.array_equal(volume.data, second.volumes[phase].data)
    assert np.array_equal(first.instances, second.instances)
    assert not np.array_equal(first.volumes["venous"].data, other.volumes["venous"].data)


@pytest.mark.parametrize(("millilitres", "look"), [(0, "cyst"), (15, "hepatoblastoma")])
def test_a_liver_without_room_is_an_error(anatomy: Anatomy, millilitres: float, look: str) -> None:
    at = np.flatnonzero(anatomy.source.liver)[: int(millilitres * 1000 / np.prod(anatomy.source.spacing))]
    large = np.ones_like(anatomy.large)
    large.flat[at] = False
    with pytest.raises(CaseError) as caught:
        implant_case(anatomy._replace(large=large), 0, 0, looks=[look])
    assert caught.value.code == "no_room" and f"({look}) in {millilitres} ml" in caught.value.problem
