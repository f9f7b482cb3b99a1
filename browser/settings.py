"""Write what the page needs to know from the configs: grid, window, thresholds, classes and calibration.

    PYTHONPATH=lidia_bundle python browser/settings.py [CONFIG ...] > settings.json

With several files the first is inference.json and the others are its overlays.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from scripts.lidia.data.preprocessing import CutAir
from scripts.lidia.data.read_volume import HU
from scripts.lidia.dicom.series_text import LATE, PHASE_OF_WORD
from scripts.lidia.inference.box_sides import CORE_MM, THIN_MM
from scripts.lidia.inference.calibration import get_calibration, get_lesion_calibration
from scripts.lidia.inference.lesion_calibration import select_operating_point
from scripts.lidia.inference.liver_segmenter import read_inference_config
from scripts.lidia.metrics.platt_scaling import EDGE as PLATT_EDGE
from scripts.lidia.postprocess.diagnosis import NAMED_SHARE, NO_LIVER
from scripts.lidia.postprocess.lesion_existence import EDGE as EXISTENCE_EDGE
from scripts.lidia.postprocess.livermax import GROUPS
from scripts.lidia.postprocess.narrow_parts import CERTAINTY_RATIO, COARSEST_MM, LARGEST_SHARE, REGROW_MM
from scripts.lidia.report.palette import LABEL_COLOURS
from scripts.lidia.vocabulary import CLASSES, CYST, FIRST_LESION, GRID_ORDER, LESION_TYPES, PHASES

ROOT = Path(__file__).resolve().parents[1]
INFERER = (
    "roi_size",
    "overlap",
    "coarse",
    "longest_mm",
    "least_ml",
    "contact_cm2",
    "extensions",
    "contact_diameter_mm",
    "liver_hu_ratio",
)
DIAGNOSIS = (
    "grow_mm",
    "smallest_mm3",
    "lesion_threshold",
    "faint_threshold",
    "opening_mm",
    "shell_mm",
    "liver_share",
    "attached_cm2",
)


def collect_settings(configs: list[str]) -> dict[str, Any]:
    """Collect the settings of an inference config and of the code's constants.

    Args:
        configs: inference.json and its overlays.
    """
    parser = read_inference_config(configs)
    inferer = parser.get_parsed_content("inferer")
    diagnosed = parser.get_parsed_content("postprocessing").transforms[-1]
    window, spacing = parser.get_parsed_content("window"), parser.get_parsed_content("spacing")
    metadata = json.loads((ROOT / "lidia_bundle/configs/metadata.json").read_text(encoding="utf-8"))
    calibration = get_calibration(diagnosed.calibration)
    lesions = get_lesion_calibration(diagnosed.calibration)
    point = select_operating_point(diagnosed.operating_point, diagnosed.lesion_points, lesions)
    choices = {name: diagnosed.choices[name] for name in DIAGNOSIS}
    return {
        "version": metadata["version"],
        "intended_use": metadata["intended_use"],
        "phases": PHASES,
        "grid_order": GRID_ORDER,
        "classes": CLASSES,
        "types": LESION_TYPES,
        "first_lesion": FIRST_LESION,
        "cyst": CYST,
        "groups": {name: list(members) for name, members in GROUPS.items()},
        "hu": HU,
        "window": window,
        "spacing": spacing,
        "air_margin_mm": CutAir(window[0]).margin_mm,
        **{name: getattr(inferer, name) for name in INFERER},
        "margin_mm": parser["inferer"]["margin_mm"],
        "extension_mm": parser["inferer"]["extension_mm"],
        "core_mm": CORE_MM,
        "thin_mm": THIN_MM,
        **choices,
        "reach_mm": max(choices["grow_mm"], choices["shell_mm"]),
        "coarsest_mm": COARSEST_MM,
        "regrow_mm": REGROW_MM,
        "largest_share": LARGEST_SHARE,
        "certainty_ratio": CERTAINTY_RATIO,
        "named_share": NAMED_SHARE,
        "no_liver": NO_LIVER,
        "operating_point": point,
        "min_existence": point["threshold"],
        "existence": None if lesions is None else lesions.existence._asdict(),
        "existence_edge": EXISTENCE_EDGE,
        "type_scaling": None if lesions is None or lesions.types is None else lesions.types._asdict(),
        "platt_edge": PLATT_EDGE,
        "calibration": None if calibration is None else {n: list(v) for n, v in calibration.lines.items()},
        "colours": {name: LABEL_COLOURS[name.lower()] for name in CLASSES[1:]},
        "phase_words": PHASE_OF_WORD,
        "late_words": LATE,
    }


if __name__ == "__main__":
    files = sys.argv[1:] or [str(ROOT / "lidia_bundle/configs/inference.json")]
    print(json.dumps(collect_settings(files), ensure_ascii=False, indent=1))  # noqa: T201
