"""Reads the contrast phase, or the kind of a series without a phase, from free text in eight languages.

`PHASE_WORDS` is the only table of phase words: `prepare` takes the words of other data sets from it too.
"""

from __future__ import annotations

import re


def _split_words(words: str) -> list[str]:
    return [" ".join(word.split()) for word in words.split(",")]


PHASE_WORDS = {
    "nc": """
        nc, ncct, native, nativ, nativo, nativa, natif, plain, unenhanced, unenh, blank, blanko, nonenhanced,
        noncon, noncontrast, precontrast, basal, kmfrei, smdc, nonce, dry, non contrast, no contrast, without,
        w o, wo, pre contrast, pre iv, non ce, ohne km, vor km, ohne kontrast, sans iv, sans injection,
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
"""Words of each phase in the form that `normalize_text` returns. Longer words are matched first."""

PHASE_OF_WORD = {word: phase for phase, group in PHASE_WORDS.items() for word in _split_words(group)}

LATE = ("late", "spat", "tardif", "tardive", "tardivo", "tardiva", "tardio", "tardia", "laat")
"""With an arterial word they mean late arterial, otherwise delayed."""

WITH = "with|w|mit|avec|con"
BOTH = re.compile(rf"\b(?:{WITH}) (?:(?:and|und|et|y|e|u) )?(?:without|wo|w o|ohne|sans|sin|senza)\b")
MINUTES = re.compile(r"\b(\d{1,2}) (?:min|mins|minutes|minuten|minuti|mn)\b")
SECONDS = re.compile(r"\b(\d{2,3}) (?:s|sec|secs|sek)\b")
AFTER_INJECTION = {"arterial": (15, 48), "venous": (48, 110), "delayed": (110, 1200)}
"""Seconds after the start of the injection; the second bound is excluded."""

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
"""Words that name a series without a contrast phase, by kind."""

SHARP = "lung, lunge, bone, knochen, sharp, edge, poumon, os, polmone, pulmon"
"""Words of kernels for lung or bone, which are unsuitable for the liver."""

_FOLD = str.maketrans("äöüáàâãéèêëíìîïóòôõúùûñç", "aouaaaaeeeeiiiioooouuunc")


def normalize_text(text: str) -> str:
    """Normalizes a text: lower case, no accents or punctuation, separate digits, `native` for `C-`."""
    low = text.lower().translate(_FOLD).replace("ß", "ss").replace("w/o", " wo ")
    low = re.sub(r"(?:^|(?<=[\s_(/]))(?:c|km|iv|mdc|ce)\s?-(?=$|[\s_)/])", " native ", low)
    low = re.sub(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", " ", low)
    return " ".join(re.findall(r"[a-z]+|[0-9]+|[\u3040-\u9fff]+", low))


def find_phases(text: str) -> dict[str, str]:
    """Finds the phases that a text names.

    Returns:
        The matched word of each phase; empty if the text names none.
    """
    rest = BOTH.sub(" ", f" {normalize_text(text)} ")
    word_of_phase: dict[str, str] = {}
    for word, phase in sorted(PHASE_OF_WORD.items(), key=lambda pair: -len(pair[0])):
        pattern = word if ord(word[0]) > 0x3000 else f" {word} "
        if pattern in rest:
            word_of_phase.setdefault(phase, word)
            rest = rest.replace(pattern, "  ")
    late = next((word for word in LATE if f" {word} " in rest), None)
    if late and "arterial" not in word_of_phase:
        word_of_phase = {"delayed": late}
    # "del" is also Spanish and Italian for "of the"
    if word_of_phase.get("delayed") == "del" and len(word_of_phase) > 1:
        del word_of_phase["delayed"]
    delay = max([int(number) * 60 for number in MINUTES.findall(rest)], default=0)
    delay = delay or max(map(int, SECONDS.findall(rest)), default=0)
    if not word_of_phase:
        word_of_phase = {p: f"{delay} s" for p, (low, high) in AFTER_INJECTION.items() if low <= delay < high}
    return word_of_phase


def match_phase_name(name: str) -> str | None:
    """Finds the phase that a whole name means, such as "Portal-Venous", "latearterial" or "venous phase".

    Args:
        name: letters and digits count; case, spaces and punctuation do not.

    Returns:
        The phase; None if the name is no word of `PHASE_WORDS` or `LATE`, with or without "phase" behind it.
    """
    compact = re.sub(r"[^a-z0-9]", "", name.lower())
    phases = {re.sub(r"[^a-z0-9]", "", word): phase for word, phase in PHASE_OF_WORD.items()}
    phases |= dict.fromkeys(LATE, "delayed")
    phases |= {f"{late}{word}": "arterial" for late in LATE for word in ("arterial", "art")}
    phases.pop("", None)
    return phases.get(compact) or phases.get(compact.removesuffix("phase"))


def find_kind(text: str) -> str:
    """Finds the kind of series without a phase that a text names, such as "a localizer"; empty if none."""
    words = f" {normalize_text(text)} "
    return next((kind for kind, group in KINDS.items() if _contains_any(group, words)), "")


def is_sharp(text: str, kernel: str = "") -> bool:
    """Returns whether a series is reconstructed for lung or bone.

    Args:
        text: SeriesDescription.
        kernel: ConvolutionKernel: words (GE), or letters and a number (Siemens `B70f`, Canon `FC52`).
    """
    if _contains_any(SHARP, f" {normalize_text(text)} {normalize_text(kernel)} "):
        return True
    siemens = re.match(r"(?:B|Br|Bl|Bf|I|Hr|Qr|J)\s?(\d{2})", kernel.strip())
    canon = re.match(r"FC\s?(\d{2})", kernel.strip())
    return bool(siemens and int(siemens[1]) >= 55 or canon and int(canon[1]) >= 30)


def _contains_any(group: str, text: str) -> bool:
    return any(f" {word} " in text for word in _split_words(group))
