"""The one table of options: which keys of the configs a user sets, and what each may hold.

A key that stands here with a text kind is never evaluated when its value comes from outside. All other keys
of the configs hold expressions or objects, as MONAI's users know them.
"""

from __future__ import annotations

from scripts.lidia.options.kinds import (
    DEVICE,
    FLAG,
    MAPPING,
    PATH,
    PATHS,
    TEXT,
    Kind,
    choice,
    deidentify,
    names,
    number,
    numbers,
    whole,
)
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

SPACING = numbers(3)
METHOD = choice("greedy", "convexadam", flag=True)

OPTIONS: dict[str, Kind] = {
    # folders and files
    **dict.fromkeys(("dataset_dir", "input_dir", "external_dir", "dicom_dir", "datalist", "config"), PATH),
    **dict.fromkeys(("nc", "arterial", "venous", "delayed", "liver", "background"), PATH),
    **dict.fromkeys(("output_dir", "output", "cache_dir", "registered_dir", "runtime_dir", "archive"), PATH),
    **dict.fromkeys(("results_dir", "evaluation_dir", "training_dir", "judged_dir", "docs_dir"), PATH),
    **dict.fromkeys(("pretrained", "previous"), PATH),
    "model_file": PATHS,
    # ids, titles and names
    **dict.fromkeys(("case_id", "title", "section", "command", "reference", "progress", "source"), TEXT),
    "background_phase": choice(*PHASES),
    "backend": choice("gloo", "nccl"),
    "breathing": choice("residual", "raw"),
    "cohort": choice("internal", "external"),
    "register": METHOD,
    "runtime": choice("torch", "onnx", "openvino"),
    "phases": names(PHASES),
    "types": names(LESION_TYPES),
    **dict.fromkeys(("sections", "only", "looks", "trusted"), names()),
    **dict.fromkeys(("phase_map", "class_map", "masks"), MAPPING),
    # switches
    **dict.fromkeys(("tta", "save_probabilities", "explain", "pages", "dicom", "skip_existing"), FLAG),
    **dict.fromkeys(("amp", "bf16", "resume", "complete_only", "complete", "ct"), FLAG),
    **dict.fromkeys(("voxels", "inline", "difficulty"), FLAG),
    "deidentify": Kind("False, True or uids", deidentify),
    # numbers
    **dict.fromkeys(("patients", "cases", "slices", "pairs", "threads", "draws"), whole(1)),
    **dict.fromkeys(("max_epochs", "steps", "val_interval", "rounds", "ranks"), whole(1)),
    **dict.fromkeys(("seed", "rank", "num_workers", "workers", "subset_patients", "probe_steps"), whole(0)),
    "folds": whole(2),
    "overlap": number(0.0, 1.0),
    **dict.fromkeys(("register_limit_s", "seconds_per_step", "seconds_per_patient"), number(0.0)),
    **dict.fromkeys(("spacing", "fov"), SPACING),
    "phantom_spacing": number(0.0),
    "roi_size": numbers(3, integers=True),
    "window": numbers(2, rising=True),
    "device": DEVICE,
}

WRITTEN = ("output_dir", "cache_dir")
"""Folders that a job writes into: one that was named is looked at before the job begins."""
