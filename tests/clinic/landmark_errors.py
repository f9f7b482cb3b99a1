"""How far the landmark finder errs, and which phase it takes a phantom's volume for by the image alone.

    PYTHONPATH=lidia_bundle:tests python tests/clinic/landmark_errors.py 14 192

Prints two tables in Markdown from so many patients of either cohort and a seed; synthetic, all of them.
The rules were written while looking at the first ten patients of either cohort of seed 91: take another one.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

import numpy as np
from clinic.phantom_organs import organs_of, truth_in

from scripts.lidia.clinic.choice import SURE
from scripts.lidia.clinic.enhancement import by_brightness
from scripts.lidia.clinic.landmarks import find_landmarks
from scripts.lidia.vocabulary import PHASES

NAMES = ("aorta", "liver", "spleen", "kidney_left", "kidney_right")


def main(patients: int, seed: int) -> None:
    errors, counts, sure = defaultdict(list), Counter(), Counter()
    for cohort in ("internal", "external"):
        for index in range(patients):
            case, organs, frame = organs_of(seed, index, cohort)
            for phase, volume in case.volumes.items():
                truth = truth_in(volume, PHASES.index(phase), case, organs, frame)
                found = find_landmarks(volume.data, volume.affine)
                odds = by_brightness(found)
                best = PHASES[int(odds.argmax())]
                counts[cohort, phase, best] += 1
                sure[best == phase] += bool(odds.max() / odds.sum() >= SURE)
                for name, (centre, hu) in truth.items():
                    mark = found.get(name)
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
            seen = both[~np.isnan(both[:, 0])]
            middle, high = np.median(seen, 0), np.quantile(seen, 0.9, axis=0)
            cells = [f"{a:.0f} ({b:.0f})" for a, b in zip(middle, high, strict=True)]
            lines.append(f"| {name} | {phase} | {len(seen)} of {len(both)} | {' | '.join(cells)} |")
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
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
