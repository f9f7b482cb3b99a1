"""Rivals on equal terms: the same tensors in and out, the same training."""

from scripts.lidia.baselines.fusion import ConvLSTM, EarlyFusion, HeMIS
from scripts.lidia.baselines.nnunet import DeepSupervision, NNUNet
from scripts.lidia.baselines.patient_loss import PatientCriterion, PatientLoss
from scripts.lidia.baselines.plan import PLAN
from scripts.lidia.baselines.unet import PlainUNet, SemanticCriterion

__all__ = [
    "ConvLSTM",
    "DeepSupervision",
    "EarlyFusion",
    "HeMIS",
    "NNUNet",
    "PLAN",
    "PatientCriterion",
    "PatientLoss",
    "PlainUNet",
    "SemanticCriterion",
]
