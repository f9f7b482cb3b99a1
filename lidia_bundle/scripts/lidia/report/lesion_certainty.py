"""Describe the certainty of a result on the page of a patient: trust, operating point, sets of types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.lidia.report.probability_bars import format_number, get_mapping, to_finite


def describe_operating_point(result: Mapping[str, Any]) -> list[str]:
    """Describe the operating point in sentences; empty for results without one.

    Args:
        result: content of `ID.json`.
    """
    point = get_mapping(result, "operating_point")
    threshold = to_finite(point.get("threshold"))
    if not point.get("name") or threshold is None:
        return []
    sentences = [
        f"Operating point: {point['name']}. Lesions are reported if the probability that they exist is at "
        f"least {format_number(threshold, 2)}."
    ]
    rates = get_mapping(point, "rates")
    sensitivity, false = to_finite(rates.get("sensitivity")), to_finite(rates.get("false_per_patient"))
    if sensitivity is not None and false is not None:
        sentences.append(
            f"On the calibration patients this finds {sensitivity:.0%} of the lesions of at least 6 mm, with "
            f"{false:.2f} false lesions per patient."
        )
    if point.get("calibrated") is not True:
        sentences.append(
            "The probability that a lesion exists is not calibrated: it is the network's largest lesion "
            "probability."
        )
    return sentences


def describe_coverage(result: Mapping[str, Any]) -> str:
    """Describe the coverage of the sets of types: `90 % coverage`."""
    coverage = to_finite(get_mapping(result, "type_sets").get("coverage"))
    return "coverage unknown" if coverage is None else f"{100 * coverage:.0f} % coverage"


def describe_type_sets(result: Mapping[str, Any]) -> list[str]:
    """Describe the set of types of the patient in sentences; empty for results without one.

    Args:
        result: content of `ID.json`.
    """
    patient = get_mapping(result, "type_sets").get("patient")
    if not isinstance(patient, list | tuple):
        return []
    names = ", ".join(map(str, patient)) or "none"
    return [
        f"Types that this patient may have ({describe_coverage(result)}): {names}.",
        "Of the calibration patients with a type this share had it in the set; of lesions likewise. A set "
        "of many types means that the scan does not decide.",
    ]


def describe_distrust(result: Mapping[str, Any]) -> list[str]:
    """Describe why the result must not be trusted; empty for other results.

    Args:
        result: content of `ID.json`.
    """
    trust = get_mapping(result, "trust")
    if trust.get("trusted") is not False:
        return []
    reasons = trust.get("reasons")
    return [str(reason) for reason in reasons] if isinstance(reasons, list | tuple) else []
