from __future__ import annotations

import pytest

from scripts.lidia.dicom.series_text import find_kind, find_phases, is_sharp, match_phase_name


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("Abdomen nativ 3.0 B30f", "nc"), ("W/O CONTRAST", "nc"), ("abd C- 5mm", "nc"), ("ohne KM", "nc"),
        ("Abdomen sans injection", "nc"), ("NON-CONTRAST", "nc"), ("Sin contraste", "nc"), ("平扫", "nc"),
        ("Abd art 1.0", "arterial"), ("LATE ARTERIAL", "arterial"), ("spätarteriell", "arterial"),
        ("HAP 1.25", "arterial"), ("Fase arteriosa", "arterial"), ("35s", "arterial"), ("动脉期", "arterial"),
        ("TC del abdomen arterial", "arterial"),
        ("portalvenös 2.0", "venous"), ("PVP", "venous"), ("PORTAL VENOUS", "venous"), ("70 sec", "venous"),
        ("Temps portal", "venous"), ("abd_ven_3.0", "venous"), ("门静脉期", "venous"),
        ("Spätphase 5min", "delayed"), ("DELAY 3 MIN", "delayed"), ("EQUILIBRIUM", "delayed"),
        ("tardif", "delayed"), ("late venous", "delayed"), ("5min", "delayed"),
    ],
)  # fmt: skip
def test_phases_in_many_languages(text: str, phase: str) -> None:
    assert list(find_phases(text)) == [phase]


@pytest.mark.parametrize(
    "text",
    ["CT CH/AB/PEL", "artefact reduction", "W & W/O CONTRAST", "with and without", "Ventral", "C+", ""],
)
def test_texts_that_name_no_phase(text: str) -> None:
    assert find_phases(text) == {}


def test_a_protocol_of_several_phases_names_them_all() -> None:
    assert set(find_phases("Leber nativ art ven")) == {"nc", "arterial", "venous"}


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("nc", "nc"), ("No-Contrast", "nc"), ("DRY", "nc"), ("Late_Arterial", "arterial"),
        ("arterial phase", "arterial"), ("Portal-Venous", "venous"), ("portalvenousphase", "venous"),
        ("late", "delayed"), ("DelayedPhase", "delayed"), ("liver", None), ("phase", None), ("", None),
    ],
)  # fmt: skip
def test_whole_names_of_phases(name: str, phase: str | None) -> None:
    assert match_phase_name(name) == phase


def test_series_that_are_no_phase() -> None:
    for text, kind in {
        "Topogramm 0.6": "a localizer", "MIP COR": "a projection", "Dose Report": "a dose report",
        "PreMonitoring": "bolus tracking", "VNC 3.0": "a computed map", "Abdomen ven": "",
        "LOW DOSE ABDOMEN": "",
    }.items():  # fmt: skip
        assert find_kind(text) == kind, text


def test_kernels() -> None:
    sharp = [("Lunge 1.0", ""), ("abd", "B70f"), ("abd", "BONE"), ("abd", "FC52"), ("abd", "Br64d\\3")]
    soft = [("abd ven", "B30f"), ("abd", "STANDARD"), ("abd", "FC08"), ("abd", "Br40d\\3"), ("abd", "")]
    assert all(is_sharp(*pair) for pair in sharp) and not any(is_sharp(*pair) for pair in soft)
