"""Compare all dates of one patient: the content of the patient's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.lidia.followup.align_studies import LIVER_POSITION
from scripts.lidia.followup.comparison import MERGED, Comparison, Settings
from scripts.lidia.followup.describe_response import describe_response
from scripts.lidia.followup.growth_evidence import combine_growth, update_evidence
from scripts.lidia.followup.lesion_change import assess_threshold_growth, describe_change, to_flag
from scripts.lidia.followup.read_study import Study
from scripts.lidia.followup.recist import ABSENT, PRESENT
from scripts.lidia.followup.tracks import Track
from scripts.lidia.morphometry.lirads_finding import NOT_ASSESSED, Finding

POSITION_WARNING = (
    "{id}: lesions were matched by their position relative to the liver, without a registration ({message})"
)
TYPES_WARNING = "lesion {lesion}: the types of the dates differ ({types})"


def compare_studies(studies: Sequence[Study], settings: Settings) -> tuple[dict[str, Any], Comparison]:
    """Compare the dates of one patient.

    Args:
        studies: at least two dates, in order; the last is the reference.
        settings: settings of the comparison.

    Returns:
        Content of the patient's JSON, and the comparison behind it.
    """
    comparison = Comparison(studies, settings)
    lesions = [_describe_track(comparison, track) for track in comparison.tracks]
    recist = describe_response(comparison)
    for lesion in lesions:
        lesion["target"] = lesion["lesion"] in recist["targets"]
    record = {
        "patient": studies[-1].patient or studies[-1].id,
        "reference": studies[-1].id,
        "studies": [_describe_study(comparison, number) for number in range(len(studies))],
        "lesions": lesions,
        "recist": recist,
        "limits": {
            "matching": dict(settings.matching),
            "change": settings.change._asdict(),
            "lirads": settings.growth._asdict(),
            "recist": {**settings.recist._asdict(), "target_types": list(settings.recist.target_types)},
            "repeatability": dict(settings.repeatability),
        },
        "warnings": _collect_warnings(comparison, lesions),
    }
    return record, comparison


def _describe_study(comparison: Comparison, number: int) -> dict[str, Any]:
    study = comparison.studies[number]
    days = comparison.compute_days(0, number)
    return {
        "id": study.id,
        "date": None if study.date is None else study.date.isoformat(),
        "days": None if days is None else int(days),
        "result": str(study.path.absolute()),
        "grid_phase": study.content.result["grid_phase"],
        "phases_used": list(study.content.result["phases_used"]),
        "alignment": comparison.alignments[number].describe(),
        "warnings": study.warnings,
    }


def _describe_track(comparison: Comparison, track: Track) -> dict[str, Any]:
    measurements = []
    for number, study in enumerate(comparison.studies):
        instance = track.instances.get(number)
        size = None if instance is None else study.sizes[instance]
        measurements.append({
            "id": study.id,
            "date": None if study.date is None else study.date.isoformat(),
            "state": comparison.state(track, number),
            "instance": instance,
            "type": None if instance is None else study.types[instance],
            "longest_mm": None if size is None else round(size.longest_mm, 2),
            "short_mm": None if size is None else round(size.short_mm, 2),
            "volume_mm3": None if size is None else round(size.volume_mm3, 1),
        })
    types = list(dict.fromkeys(entry["type"] for entry in measurements if entry["type"]))
    changes = [_describe_interval(comparison, track, number) for number in range(1, len(measurements))]
    growth = _assess_growth(comparison, track)
    evidence = update_evidence(comparison.studies[-1], track.instances.get(len(measurements) - 1), growth)
    return {
        "lesion": track.lesion,
        "types": types,
        "types_differ": len(types) > 1,
        "measurements": measurements,
        "changes": [change for change in changes if change is not None],
        "threshold_growth": None if growth is None else to_flag(growth),
        **({} if evidence is None else {"lirads": evidence}),
        "merged_into": None if track.merged_into is None else track.merged_into[0],
        "split_from": None if track.split_from is None else track.split_from[0],
    }


def _assess_growth(comparison: Comparison, track: Track) -> Finding | None:
    """Assesses the last date that shows a lesion against all dates before it; None if there are none."""
    last = max(track.instances)
    results: list[Finding] = []
    for number in sorted(track.instances):
        if number == last or not comparison.are_both_covered(track, number, last):
            continue
        before, after = (comparison.studies[i].sizes[track.instances[i]] for i in (number, last))
        days = comparison.compute_days(number, last)
        if any(_find_union_or_split(comparison, track, date) for date in range(number + 1, last + 1)):
            results.append(Finding(NOT_ASSESSED, "lesions merged or separated between the scans"))
            continue
        results.append(assess_threshold_growth(before, after, days, comparison.settings.growth))
    return combine_growth(results)


def _describe_interval(comparison: Comparison, track: Track, number: int) -> dict[str, Any] | None:
    """Describes the change between a date and the date before; None if neither shows the lesion."""
    before, after = comparison.state(track, number - 1), comparison.state(track, number)
    ends = {"from": comparison.studies[number - 1].id, "to": comparison.studies[number].id}
    if PRESENT not in (before, after):
        return None
    shown_at = track.last_before(number)
    if after != PRESENT:
        name = {ABSENT: "gone", MERGED: "merged"}.get(after, "not covered")
        return {**ends, "change": name}
    if shown_at is None:
        if track.split_from is not None:
            return {**ends, "change": "split"}
        return {**ends, "change": "new" if before == ABSENT else "not covered"}
    if shown_at != number - 1:
        ends["from"] = comparison.studies[shown_at].id
    if not comparison.are_both_covered(track, shown_at, number):
        return {**ends, "change": "not covered"}
    sizes = [comparison.studies[i].sizes[track.instances[i]] for i in (shown_at, number)]
    settings = comparison.settings
    change = describe_change(
        sizes[0],
        sizes[1],
        comparison.compute_days(shown_at, number),
        settings.change,
        settings.growth,
        settings.repeatability,
    )
    if name := _find_union_or_split(comparison, track, number):
        # The sizes are not those of one lesion
        change |= {"change": name, "threshold_growth": None, "doubling_days": None}
    return {**ends, **change}


def _find_union_or_split(comparison: Comparison, track: Track, number: int) -> str:
    """Finds whether other lesions merge with a lesion at a date, or separate from it.

    Returns:
        `merged`, `split`, or "".
    """
    place = (track.lesion, number)
    if any(other.merged_into == place for other in comparison.tracks):
        return "merged"
    return "split" if any(other.split_from == place for other in comparison.tracks) else ""


def _collect_warnings(comparison: Comparison, lesions: Sequence[Mapping[str, Any]]) -> list[str]:
    warnings = [
        POSITION_WARNING.format(id=study.id, message=alignment.message)
        for study, alignment in zip(comparison.studies, comparison.alignments, strict=True)
        if alignment.method == LIVER_POSITION
    ]
    warnings += [f"{study.id}: {warning}" for study in comparison.studies for warning in study.warnings]
    warnings += [
        TYPES_WARNING.format(lesion=lesion["lesion"], types=", ".join(lesion["types"]))
        for lesion in lesions
        if lesion["types_differ"]
    ]
    return warnings
