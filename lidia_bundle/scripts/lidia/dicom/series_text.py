"""What the free text of a series says in several languages: its phase, or that it is none."""

from __future__ import annotations

import re

PHASE_WORDS = {
    "nc": """
        nc, ncct, native, nativ, nativo, nativa, natif, plain, unenhanced, unenh, blank, blanko, nonenhanced,
        noncontrast, precontrast, basal, kmfrei, smdc, nonce, dry, non contrast, no contrast, without, w o,
        wo, pre contrast, pre iv, non ce, ohne km, vor km, ohne kontrast, sans iv, sans injection,
        sans contraste, avant injection, zonder contrast, sin contraste, sin civ, senza mdc, senza contrasto,
        sem contraste, 平扫, 単純
    """,
    "arterial": """
        art, arterial, arteriell, arterielle, arteriel, arteriale, arterieel, arteriosa, hap, lap, eap,
        spatarteriell, spatart, fruharteriell, pancreatic phase, 动脉, 動脈
    """,
    "venous": """
        ven, venous, venos, venose, veneux, veineux, veineuse, venosa, venoso, veneus, pv, pvp, portal,
        portale, porto, portalvenos, portovenos, portovenous, portalvenous, portveneuze, portalvenose,
        portovenosa, portvenos, pvenos, 静脉期, 门静脉, 门脉, 門脈
    """,
    "delayed": """
        delay, delayed, del, spatphase, spatvenos, equilibrium, equil, equilibre, equilibrio, excretory,
        excretion, ausscheidung, 延迟, 平衡期, 平衡相, 遅延
    """,
}
"""Words of each phase as `normalize_text` leaves them; what a longer word covers is not read again."""

LATE = ("late", "spat", "tardif", "tardive", "tardivo", "tardiva", "tardio", "tardia", "laat")
"""Beside an arterial word they say late arterial, otherwise delayed."""

WITH = "with|w|mit|avec|con"
BOTH = re.compile(rf"\b(?:{WITH}) (?:(?:and|und|et|y|e|u) )?(?:without|wo|w o|ohne|sans|sin|senza)\b")
MINUTES = re.compile(r"\b(\d{1,2}) (?:min|mins|minutes|minuten|minuti|mn)\b")
SECONDS = re.compile(r"\b(\d{2,3}) (?:s|sec|secs|sek)\b")
AFTER_INJECTION = {"arterial": (15, 48), "venous": (48, 110), "delayed": (110, 1200)}
"""Seconds after the injection began; from the first to before the second."""

KINDS = {
    "a localizer": "scout, localizer, localiser, topo, topogram, topogramm, surview, scanogram",
    "bolus tracking": "premonitoring, monitoring, smartprep, smart prep, surestart, sure start",
    "a dose report": "dose report, dosereport, patient protocol, dosisbericht",
    "a projection": "mip, minip, mips, vr, vrt, volume rendering, ssd, aip, average ip",
    "a computed map": """
        vnc, virtual, iodine, jod, monoe, mono, kev, subtraction, sub, perfusion, overlay, fused, zeff,
        effective z, mixed map, spectral map
    """,
}
"""Series that are no phase."""

SHARP = "lung, lunge, bone, knochen, sharp, edge, poumon, os, polmone, pulmon"
"""Words of kernels that are no good for the liver."""

_FOLD = str.maketrans("äöüáàâãéèêëíìîïóòôõúùûñç", "aouaaaaeeeeiiiioooouuunc")


def normalize_text(text: str) -> str:
    """Small letters without accents; signs become spaces, figures stand alone, `C-` becomes `native`."""
    low = text.lower().translate(_FOLD).replace("ß", "ss").replace("w/o", " wo ")
    low = re.sub(r"(?:^|(?<=[\s_(/]))(?:c|km|iv|mdc|ce)\s?-(?=$|[\s_)/])", " native ", low)
    low = re.sub(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", " ", low)
    return " ".join(re.findall(r"[a-z]+|[0-9]+|[\u3040-\u9fff]+", low))


def find_phases(text: str) -> dict[str, str]:
    """The phases that a text names, each with the word that names it; it may name none or several.

    Args:
        text: SeriesDescription, ProtocolName or the like.
    """
    rest = BOTH.sub(" ", f" {normalize_text(text)} ")
    found: dict[str, str] = {}
    words = [(word, phase) for phase, group in PHASE_WORDS.items() for word in _listed(group)]
    for word, phase in sorted(words, key=lambda pair: -len(pair[0])):
        at = word if ord(word[0]) > 0x3000 else f" {word} "
        if at in rest:
            found.setdefault(phase, word)
            rest = rest.replace(at, "  ")
    late = next((word for word in LATE if f" {word} " in rest), None)
    if late and "arterial" not in found:
        found = {"delayed": late}
    if found.get("delayed") == "del" and len(found) > 1:  # Spanish and Italian: of the
        del found["delayed"]
    delay = max([int(number) * 60 for number in MINUTES.findall(rest)], default=0)
    delay = delay or max(map(int, SECONDS.findall(rest)), default=0)
    if not found:
        found = {p: f"{delay} s" for p, (low, high) in AFTER_INJECTION.items() if low <= delay < high}
    return found


def find_kind(text: str) -> str:
    """What kind of series without a phase a text names, such as "a localizer"; empty if none."""
    words = f" {normalize_text(text)} "
    return next((kind for kind, group in KINDS.items() if _any(group, words)), "")


def is_sharp(text: str, kernel: str = "") -> bool:
    """Whether a series is reconstructed for lung or bone.

    Args:
        text: SeriesDescription.
        kernel: ConvolutionKernel: words (GE), letters and a number (Siemens `B70f`, Canon `FC52`).
    """
    if _any(SHARP, f" {normalize_text(text)} {normalize_text(kernel)} "):
        return True
    siemens = re.match(r"(?:B|Br|Bl|Bf|I|Hr|Qr|J)\s?(\d{2})", kernel.strip())
    canon = re.match(r"FC\s?(\d{2})", kernel.strip())
    return bool(siemens and int(siemens[1]) >= 55 or canon and int(canon[1]) >= 30)


def _listed(words: str) -> list[str]:
    return [" ".join(word.split()) for word in words.split(",")]


def _any(group: str, words: str) -> bool:
    return any(f" {word} " in words for word in _listed(group))
