"""Lists the options: config keys that users set, and the kind of each.

A key with a text kind is never evaluated when its value comes from outside the config files. All other keys
of the configs hold expressions or objects, as usual in MONAI.
"""

from __future__ import annotations

from scripts.lidia.options.option_kinds import (
    DEVICE,
    FLAG,
    FRACTION,
    MAPPING,
    PATH,
    PATHS,
    TEXT,
    OptionKind,
    as_deidentify,
    choice_kind,
    integer_kind,
    names_kind,
    number_kind,
    numbers_kind,
)
from scripts.lidia.vocabulary import LESION_TYPES, PHASES, PRECISIONS

SPACING = numbers_kind(3)
METHOD = choice_kind("greedy", "convexadam", flag=True)

OPTIONS: dict[str, OptionKind] = {
    # folders and files
    **dict.fromkeys(("dataset_dir", "input_dir", "external_dir", "dicom_dir", "datalist", "config"), PATH),
    **dict.fromkeys(("nc", "arterial", "venous", "delayed", "liver", "background", "backgrounds"), PATH),
    **dict.fromkeys(("output_dir", "output", "cache_dir", "registered_dir", "runtime_dir", "archive"), PATH),
    **dict.fromkeys(("results_dir", "evaluation_dir", "training_dir", "judged_dir", "docs_dir"), PATH),
    **dict.fromkeys(("pretrained", "previous", "weights", "implants_dir"), PATH),
    **dict.fromkeys(("data_dir", "lits_dir", "fold_weights", "network_overlay", "outlines"), PATH),
    **dict.fromkeys(("model_file", "inference_config", "results"), PATHS),
    # ids, titles and names
    **dict.fromkeys(("case_id", "title", "section", "command", "reference", "progress", "source"), TEXT),
    "background_phase": choice_kind(*PHASES),
    "backend": choice_kind("gloo", "nccl"),
    "breathing": choice_kind("residual", "raw"),
    "cohort": choice_kind("internal", "external", "hard"),
    "operating_point": choice_kind("sensitive", "balanced", "specific"),
    "precision": choice_kind(*PRECISIONS),
    "register": METHOD,
    "score": choice_kind("livermax", "pixelcount", "branch"),
    "runtime": choice_kind("torch", "onnx", "openvino"),
    "phases": names_kind(PHASES),
    "types": names_kind(LESION_TYPES),
    **dict.fromkeys(
        ("sections", "only", "looks", "trusted", "accept", "refuse", "leave_out", "background_ids"),
        names_kind(),
    ),
    **dict.fromkeys(("dates", "plotted_parts"), names_kind()),
    **dict.fromkeys(("scans", "training_scans", "reserved", "healthy", "hcc"), names_kind()),
    **dict.fromkeys(("phase_map", "class_map", "masks"), MAPPING),
    # switches
    **dict.fromkeys(("tta", "save_probabilities", "explain", "pages", "dicom", "skip_existing"), FLAG),
    **dict.fromkeys(("resume", "complete_only", "complete", "ct"), FLAG),
    **dict.fromkeys(
        ("voxels", "inline", "difficulty", "pictures", "unchanged", "at_risk", "rtstruct", "pdf"), FLAG
    ),
    "deidentify": OptionKind("False, True or uids", as_deidentify),
    # numbers
    **dict.fromkeys(
        (
            *("patients", "cases", "slices", "pairs", "threads", "draws", "implants_per_background"),
            *("timepoints", "validation_patients"),
        ),
        integer_kind(1),
    ),
    **dict.fromkeys(
        ("max_epochs", "steps_per_epoch", "val_interval", "rounds", "batch_size", "world_size"),
        integer_kind(1),
    ),
    "probe_steps": integer_kind(0),
    **dict.fromkeys(
        ("seed", "rank", "num_workers", "workers", "subset_patients", "mirror_axis"), integer_kind(0)
    ),
    "folds": integer_kind(2),
    "budget_hours": number_kind(0.0),
    **dict.fromkeys(("overlap", "ema_decay"), number_kind(0.0, 1.0)),
    **dict.fromkeys(
        (
            "random_subset_prob",
            "boundary_fraction",
            "min_lr_factor",
            "background_share",
            "small_lesions_prob",
            "coverage",
        ),
        FRACTION,
    ),
    "learning_rate": number_kind(0.0),
    **dict.fromkeys(("register_limit_s", "seconds_per_step", "seconds_per_patient"), number_kind(0.0)),
    **dict.fromkeys(("spacing", "fov"), SPACING),
    "phantom_spacing": number_kind(0.0),
    **dict.fromkeys(("roi_size", "patch_size"), numbers_kind(3, integers=True)),
    "window": numbers_kind(2, rising=True),
    "device": DEVICE,
}

OUTPUT_FOLDERS = ("output_dir", "cache_dir")
"""Folders that a job writes into; they are checked before the job starts."""
