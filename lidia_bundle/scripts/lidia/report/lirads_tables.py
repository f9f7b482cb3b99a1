"""Render the LI-RADS evidence of a lesion: features with the measurement behind each, and HU by zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from scripts.lidia.morphometry.lirads_features import FEATURES
from scripts.lidia.morphometry.lirads_finding import NOT_ASSESSED, PRESENT
from scripts.lidia.report.probability_bars import format_number, get_mapping, to_finite
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.tables import render_table
from scripts.lidia.vocabulary import PHASES

LABELS = {
    "nonrim_aphe": "APHE, nonrim",
    "rim_aphe": "APHE, rim",
    "nonperipheral_washout": "washout, nonperipheral",
    "peripheral_washout": "washout, peripheral",
    "enhancing_capsule": "enhancing capsule",
    "delayed_central_enhancement": "delayed central enhancement",
    "threshold_growth": "threshold growth",
    "enhancement": "any enhancement",
}
"""Names of the features on the page; APHE is arterial-phase hyperenhancement."""
ZONES = {
    "core_hu": "core",
    "rim_hu": "rim",
    "liver_hu": "liver around it",
    "noise_hu": "noise (SD of the liver)",
    "error_hu": "standard error of lesion - liver",
}
STATES = {"present": "present", "absent": "absent", "not_assessed": "cannot be assessed"}
PRESUMED = (
    "From the diagnostic table of LI-RADS v2018, which presumes that the patient is at risk of HCC, that the "
    "lesion is not benign and that no vein contains tumour."
)


def render_lirads(row: Mapping[str, Any]) -> Markup:
    """Render the evidence of a lesion; empty if the result has none.

    Args:
        row: the lesion in `ID.json`.
    """
    evidence = get_mapping(row, "lirads")
    features = get_mapping(evidence, "features")
    if not features:
        return Markup("")
    by_phase = get_mapping(evidence, "phases")
    rows = [
        _make_feature_row(name, get_mapping(features, name), get_mapping(by_phase, name))
        for name in FEATURES
        if name in features
    ]
    head = ("LI-RADS feature", "finding", "measured", "limit", "")
    table = render_table(head, rows, label="LI-RADS features", style="tight told")
    suggestion = get_mapping(evidence, "suggestion")
    return render_template(
        "lirads",
        features=table,
        zones=_render_zones(get_mapping(evidence, "attenuation")),
        suggestion=describe_suggestion(suggestion) if suggestion else "",
        presumed=PRESUMED,
        contradictions=join_contradictions(evidence),
    )


def join_contradictions(evidence: Mapping[str, Any]) -> str:
    """Join what contradicts the type of a lesion to one line; empty if nothing does.

    Args:
        evidence: `lirads` of a lesion.
    """
    return ", ".join(map(str, evidence.get("contradictions") or ()))


def describe_suggestion(suggestion: Mapping[str, Any]) -> str:
    """Describe a suggested category in one line.

    Args:
        suggestion: result of `suggest_category`.
    """
    category, possible = suggestion.get("category"), list(suggestion.get("possible") or ())
    text = str(category) if category else "no category"
    if len(possible) > 1:
        text += f" ({' or '.join(map(str, possible))})"
    return f"{text}; {suggestion['reason']}" if suggestion.get("reason") else text


def describe_state(finding: Mapping[str, Any], by_phase: Mapping[str, Any]) -> str:
    """Describe the state of a feature, with the phases that show it.

    Args:
        finding: of one feature.
        by_phase: state by phase, for features that two phases can show.
    """
    state = str(finding.get("state"))
    phases = [phase for phase in PHASES if by_phase.get(phase) == PRESENT]
    text = STATES.get(state, state)
    return f"{text} ({', '.join(phases)})" if phases and state == PRESENT else text


def format_measurement(finding: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Format the measured value with its standard error, and the limit.

    Args:
        finding: of one feature.
        name: the feature.
    """
    value, limit, error = (to_finite(finding.get(key)) for key in ("value", "limit", "error"))
    if value is None:
        return "–", "–"
    if name == "threshold_growth":
        return f"{value:+.0%}", "–" if limit is None else f"{limit:+.0%}"
    spread = "" if error is None else f" ± {error:.1f}"
    return f"{value:.0f}{spread} HU", "–" if limit is None else f"{limit:.0f} HU"


def _make_feature_row(name: str, finding: Mapping[str, Any], by_phase: Mapping[str, Any]) -> tuple[Any, ...]:
    state = describe_state(finding, by_phase)
    if finding.get("state") == PRESENT:
        state = Markup("<strong>{}</strong>").format(state)
    elif finding.get("state") == NOT_ASSESSED:
        state = Markup("<em>{}</em>").format(state)
    return (LABELS.get(name, name), state, *format_measurement(finding, name), finding.get("reason") or "")


def _render_zones(attenuation: Mapping[str, Any]) -> Markup:
    rows = [
        (
            label,
            *(
                format_number(get_mapping(attenuation, phase).get(key), 1 if key == "error_hu" else 0)
                for phase in PHASES
            ),
        )
        for key, label in ZONES.items()
    ]
    return render_table(("HU", *PHASES), rows, numbers=range(1, 5), label="HU by zone", style="tight")
