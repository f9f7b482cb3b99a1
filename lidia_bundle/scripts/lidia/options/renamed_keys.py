"""Keys and `_target_` names that release 2.0.0 renamed: an old one is refused with the new name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

RELEASE = "2.0.0"

RENAMED_KEYS = {
    "steps": "steps_per_epoch",
    "amp": "precision",
    "bf16": "precision",
    "ranks": "world_size",
    "train#decay": "ema_decay",
    "train#augmentation#lose_any": "random_subset_prob",
    "train#lr_scheduler#lr_lambda#floor": "min_lr_factor",
    "train#iteration#bf16": "precision",
    "train#batches#ranks": "world_size",
    "train#stages#0": "train#stages#semantic",
    "train#stages#1": "train#stages#queries",
    "train#stages#2": "train#stages#larger",
    "train#stages#3": "train#stages#full",
    "loss#masks#shell": "boundary_fraction",
    "loss#masks#shell_width": "loss#masks#boundary_width",
    "inferer#bf16": "precision",
    "inferer#neck_mm": "inferer#contact_diameter_mm",
    "inferer#alike": "inferer#liver_hu_ratio",
    "validate#inferer#bf16": "precision",
    "validate#inferer#neck_mm": "validate#inferer#contact_diameter_mm",
    "validate#inferer#alike": "validate#inferer#liver_hu_ratio",
    "network_def#pyramid_width": "network_def#hidden_dim",
    "network_def#pixel_width": "network_def#mask_dim",
    "network_def#pilots": "network_def#mask_pilots",
    "network_def#maximum": "network_def#max_over_queries",
    "network_def#heads": "network_def#num_heads",
    "network_def#feedforward": "network_def#ffn_dim",
    "network_def#projection": "network_def#contrastive_dim",
}
"""Old key and new key, levels joined by `#`."""

_ENGINE = {
    "AverageWeights": "training.ema.AverageWeights",
    "Batches": "training.sampling.CaseBatchSampler",
    "ClipGradients": "training.gradient_clipping.ClipGradients",
    "cases": "inference.inputs.defer_inputs",
    "CohortDataset": "inference.cohort_dataset.CohortDataset",
    "CohortEvaluator": "inference.case_evaluator.CohortEvaluator",
    "ensembled": "inference.ensemble.build_ensemble",
    "EvaluationFiles": "evaluation.evaluation_files.EvaluationFiles",
    "ExplainPhases": "inference.phase_ablation.ExplainPhases",
    "FitCalibration": "evaluation.fit_calibration.FitCalibration",
    "HidePhases": "inference.phase_ablation.HidePhases",
    "Iteration": "training.update_step.UpdateStep",
    "LoadState": "training.checkpoints.LoadState",
    "LoadWeights": "runtime.weights.LoadWeights",
    "losses": "training.loss_logging.collect_losses",
    "MeanLosses": "training.loss_logging.MeanLosses",
    "PatientScores": "evaluation.patient_metrics.PatientScores",
    "PatientTable": "evaluation.patient_metrics.PatientTable",
    "Progress": "training.progress.Progress",
    "read_calibration": "inference.calibration.CalibrationFile",
    "runtime": "inference.exported_network.load_runtime",
    "SaveBest": "training.checkpoints.SaveBest",
    "SaveState": "training.checkpoints.SaveState",
    "SeedEpochs": "training.sampling.SeedEpochs",
    "Stages": "training.curriculum.Curriculum",
    "Standing": "training.checkpoints.BaselineFromExistingWeights",
    "SubsetScores": "evaluation.phase_subset_scores.SubsetScores",
    "Validate": "training.progress.Validate",
    "WindowInferer": "inference.liver_window_inferer.WindowInferer",
    "WriteDicom": "inference.dicom_results.WriteDicom",
    "WriteResults": "inference.result_files.WriteResults",
    "postprocessing": "inference.postprocessing.postprocessing",
    "prepare_batch": "training.batch.prepare_batch",
    "warm_up_then_decay": "training.optimizer.warm_up_then_decay",
    "weight_groups": "training.optimizer.weight_groups",
}
_FACES = {
    "baselines.ConvLSTM": "baselines.fusion.ConvLSTM",
    "baselines.DeepSupervision": "baselines.nnunet.DeepSupervision",
    "baselines.EarlyFusion": "baselines.fusion.EarlyFusion",
    "baselines.HeMIS": "baselines.fusion.HeMIS",
    "baselines.NNUNet": "baselines.nnunet.NNUNet",
    "baselines.PLAN": "baselines.plan.build_plan",
    "baselines.PatientCriterion": "baselines.patient_loss.PatientCriterion",
    "baselines.PatientLoss": "baselines.patient_loss.PatientLoss",
    "baselines.PlainUNet": "baselines.unet.PlainUNet",
    "baselines.SemanticCriterion": "baselines.unet.SemanticCriterion",
    "check.check": "check.check_datalist.check",
    "check.list_expressions": "check.config_expressions.list_expressions",
    "data.CropLesions": "data.lesion_crop.CropLesions",
    "data.augmentation": "data.augmentation.augmentation",
    "data.cache.cached": "data.cache.CachedCases",
    "data.cached": "data.cache.CachedCases",
    "data.preprocessing": "data.preprocessing.preprocessing",
    "datalist.datalist": "datalist.deferred_list.defer_datalist",
    "implant.write_implants": "prepare.write_implants.write_implants",
    "loss.AsymmetricContrastiveLoss": "loss.contrastive.AsymmetricContrastiveLoss",
    "loss.Criterion": "loss.criterion.Criterion",
    "loss.FocalLoss": "loss.focal.FocalLoss",
    "loss.HungarianMatcher": "loss.matcher.HungarianMatcher",
    "loss.MaskLoss": "loss.mask_loss.MaskLoss",
    "loss.MemoryBank": "loss.memory_bank.MemoryBank",
    "loss.SemanticLoss": "loss.semantic_loss.SemanticLoss",
    "net.LIDIA": "net.build_lidia.build_lidia",
    "optim.SharpnessAware": "optim.sharpness.SharpnessAware",
    "phantom.write_cohort": "phantom.write_cohort.write_cohort",
    "prepare.prepare": "prepare.prepare_data.prepare",
    "report.PatientPages": "report.patient_pages.PatientPages",
    "report.write_report": "report.write_report.write_report",
}
ROOT = "scripts.lidia."
RENAMED_TARGETS = {
    **{f"{ROOT}engine.{old}": ROOT + new for old, new in _ENGINE.items()},
    **{ROOT + old: ROOT + new for old, new in _FACES.items()},
}
"""Old and new `_target_`."""

PACKAGE = Path(__file__).resolve().parents[1]


def find_new_key(key: str) -> str:
    """Find the new name of a key of an earlier release.

    Args:
        key: levels joined by `#`.

    Returns:
        The key that took its place, "" if none did.
    """
    for old, new in RENAMED_KEYS.items():
        if key == old or key.startswith(old + "#"):
            return new + key[len(old) :]
    return ""


def list_old_keys(config: Any, base: Any) -> list[str]:
    """List the keys of an earlier release that a config has.

    Args:
        config: of a workflow.
        base: merged content of the bundle's own configs, which may use the same name for something else.

    Returns:
        Keys of `RENAMED_KEYS`, levels joined by `#`.
    """
    return [key for key in RENAMED_KEYS if _has(config, key) and not _has(base, key)]


def _has(config: Any, key: str) -> bool:
    for name in key.split("#"):
        if not isinstance(config, dict) or name not in config:
            return False
        config = config[name]
    return True


def find_new_target(target: str) -> str:
    """Find the new name of a `_target_` of an earlier release.

    Args:
        target: the name in the package, or with the module of the earlier release
            (`scripts.lidia.engine.cohort.CohortDataset`).

    Returns:
        The `_target_` that took its place, "" if none did or the target is one of this release.
    """
    if target in RENAMED_TARGETS or not target.startswith(ROOT):
        return RENAMED_TARGETS.get(target, "")
    module, _, name = target.removeprefix(ROOT).rpartition(".")
    package = module.split(".", maxsplit=1)[0]
    has_module = PACKAGE.joinpath(*module.split(".")).with_suffix(".py").is_file()
    return "" if has_module else RENAMED_TARGETS.get(f"{ROOT}{package}.{name}", "")


def list_removed_items(config: Any) -> list[str]:
    """List the arguments `items` of handlers, which release 2.0.0 removed.

    Args:
        config: of a workflow.

    Returns:
        Keys such as `handlers#3#items`.
    """
    handlers = config.get("handlers") if isinstance(config, dict) else None
    return [
        f"handlers#{number}#items"
        for number, handler in enumerate(handlers if isinstance(handlers, list) else ())
        if isinstance(handler, dict) and "items" in handler
    ]


def list_old_targets(config: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """List the components of a config that have a `_target_` of an earlier release.

    Yields:
        Key of the component with its levels joined by `#`, the old target and the new one.
    """
    if isinstance(config, dict):
        target = config.get("_target_")
        if isinstance(target, str) and (new := find_new_target(target)):
            yield "#".join(path), target, new
    if isinstance(config, dict | list):
        for name, part in config.items() if isinstance(config, dict) else enumerate(config):
            yield from list_old_targets(part, (*path, str(name)))
