"""How far the landmark finder errs, and which phase it takes a phantom's volume for by the image alone.

    PYTHONPATH=lidia_bundle:tests python tests/phase_id/landmark_errors.py 14 192

Prints two tables in Markdown, and how far off the aorta's HU of a patient's page are, from so many patients
of either cohort and a seed; synthetic, all of them.
The rules were written while looking at the first ten patients of either cohort of seed 91: take another one.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

import numpy as np
from phase_id.phantom_organs import organs_of, truth_in

from scripts.lidia.data.phase_sampling import sample_hu
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.phantom.case import Case
from scripts.lidia.phase_id.aorta import find_blood_points
from scripts.lidia.phase_id.image_evidence import compute_brightness_likelihood
from scripts.lidia.phase_id.organ_landmarks import find_landmarks
from scripts.lidia.phase_id.select_series import MIN_CONFIDENCE
from scripts.lidia.report.scan_layout import BRIGHT, is_blood_hu
from scripts.lidia.vocabulary import PHASES

NAMES = ("aorta", "liver", "spleen", "kidney_left", "kidney_right")


def main(patients: int, seed: int) -> None:
    errors, counts, sure = defaultdict(list), Counter(), Counter()
    blood = []
    for cohort in ("internal", "external"):
        for index in range(patients):
            case, organs, frame = organs_of(seed, index, cohort)
            blood.append(blood_errors(case))
            for phase, volume in case.volumes.items():
                truth = truth_in(volume, PHASES.index(phase), case, organs, frame)
                landmarks = find_landmarks(volume.data, volume.affine)
                odds = compute_brightness_likelihood(landmarks)
                best = PHASES[int(odds.argmax())]
                counts[cohort, phase, best] += 1
                sure[best == phase] += bool(odds.max() / odds.sum() >= MIN_CONFIDENCE)
                for name, (centre, hu) in truth.items():
                    mark = landmarks.get(name)
                    off = np.full(3, np.nan) if mark is None else np.array(mark.centre_mm) - centre
                    away = np.linalg.norm(
                        off[:2] if name == "aorta" else off
                    )  # a tube has no middle along it
                    errors[name, phase].append((away, np.nan if mark is None else abs(mark.hu - hu)))
    lines = [
        "| landmark | phase | found | centre, mm: median (90 %) | HU: median (90 %) |",
        "|---|---|---|---|---|",
    ]
    for name in NAMES:
        for phase in PHASES:
            both = np.array(errors[name, phase])
            visible = both[~np.isnan(both[:, 0])]
            middle, high = np.median(visible, 0), np.quantile(visible, 0.9, axis=0)
            cells = [f"{a:.0f} ({b:.0f})" for a, b in zip(middle, high, strict=True)]
            lines.append(f"| {name} | {phase} | {len(visible)} of {len(both)} | {' | '.join(cells)} |")
    lines += ["", f"| cohort, true phase | {' | '.join(PHASES)} |", "|---|---|---|---|---|"]
    for cohort in ("internal", "external"):
        for phase in PHASES:
            row = " | ".join(str(counts[cohort, phase, other]) for other in PHASES)
            lines.append(f"| {cohort}, {phase} | {row} |")
    right = sum(count for (_, phase, other), count in counts.items() if phase == other)
    total = sum(counts.values())
    lines += [
        "",
        f"{right} of {total} right; {total - right} wrong, {sure[False]} of them without a warning.",
    ]
    lines += [f"Of the right ones {right - sure[True]} came with a warning."]
    displayed = np.abs([error for entry in blood if entry for error in entry.values()])
    lines += [
        f"Aorta of the report: surely found in {sum(map(bool, blood))} of {len(blood)} patients; their "
        f"{len(displayed)} HU are off by {np.median(displayed):.0f} in the median, "
        f"{np.quantile(displayed, 0.9):.0f} in 90 % of them, {displayed.max():.0f} at most."
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def blood_errors(case: Case) -> dict[str, float]:
    """Phase -> HU of the aorta as a patient's page reads it, minus the true one; empty if it is not shown."""
    parts = {phase: Volume(volume.data, volume.affine) for phase, volume in case.volumes.items()}
    present = np.flatnonzero(case.liver.any((0, 1)))
    ends = (case.affine @ np.array([[0, 0, z, 1] for z in (present[0], present[-1])]).T)[2]
    for phase in (phase for phase in BRIGHT if phase in parts):
        values, affine = parts[phase]
        heights = affine[2, 3] + affine[2, 2] * np.arange(values.shape[2])
        remaining = np.flatnonzero((heights >= ends.min()) & (heights <= ends.max()))
        shifted = affine.copy()
        shifted[:3, 3] += shifted[:3, 2] * remaining[0]
        places = find_blood_points(values[:, :, remaining], shifted)
        if places is not None:
            break
    else:
        return {}
    truth = dict(zip(PHASES, case.patient.vessels["aorta"], strict=True))
    result = {phase: float(np.nanmedian(sample_hu(part, places))) for phase, part in parts.items()}
    if "nc" in result and not is_blood_hu(result["nc"]):
        return {}
    return {phase: hu - truth[phase] for phase, hu in result.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
