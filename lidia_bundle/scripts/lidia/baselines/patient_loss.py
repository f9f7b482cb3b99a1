"""Compute the losses of PLAN's patient branch (Yan et al. 2023), added to LIDIA's losses.

    t_c = min(1, volume of c in the crop / full_mm3),  L_patient = mean_c BCE(logit_c, t_c)
    L_consistency = Σ_types [(q_c - sg(p_c))² + (sg(q_c) - p_c)²]

p_c  probability of the branch; q_c  max over queries of softmax(class)[c] of the last layer; sg  no gradient.
PLAN's full score is 100 voxels; 10 of its voxels are 25 mm3, so this is 250 mm3.

Differs from PLAN: L_consistency is a mean over samples, equal to PLAN's half sum at its batch size of two.
There is one more label, since the benign group of this bundle includes cyst and calcification and PLAN's
does not. Lesions of `others` are tumours and belong to no group.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.contract import Prediction, check_target
from scripts.lidia.loss.criterion import Criterion
from scripts.lidia.postprocess.branch_scores import BRANCH_SCORES
from scripts.lidia.vocabulary import CALCIFICATION, CLASSES, CYST, FIRST_LESION, LESION_CLASSES, LESION_TYPES

MEMBERS = {"tumour": [c for c in LESION_CLASSES if c not in (CYST, CALCIFICATION)], **BRANCH_SCORES}
"""Labels of the branch and the classes of each."""
LABELS = list(MEMBERS)


class PatientPrediction(NamedTuple):
    """Output of PLAN in training mode.

    Attributes:
        queries: LIDIA's output in training.
        patient_logits: (B, len(LABELS)) of the patient branch; None during the warm-up.
    """

    queries: Prediction
    patient_logits: Tensor | None


class PatientLoss(nn.Module):
    """Computes the losses of the patient branch.

    Args:
        spacing: mm per voxel of the network's grid.
        full_mm3: volume at which the target of a label is 1.
        weight: weight of the cross-entropy of the labels.
        consistency: weight of L_consistency.
    """

    members: Tensor

    def __init__(
        self,
        *,
        spacing: Sequence[float],
        full_mm3: float = 250.0,
        weight: float = 1.0,
        consistency: float = 0.1,
    ) -> None:
        super().__init__()
        self.share = prod(spacing) / full_mm3
        self.weight, self.consistency = weight, consistency
        members = [[float(c in classes) for c in range(len(CLASSES))] for classes in MEMBERS.values()]
        self.register_buffer("members", torch.tensor(members), persistent=False)

    def targets(self, target: Tensor) -> Tensor:
        """Maps class and instance map (B, 2, X, Y, Z) to targets (B, len(LABELS)) in 0..1."""
        classes = target[:, 0].flatten(1).long()
        counts = torch.stack([(classes == c).sum(dim=1) for c in range(len(CLASSES))], dim=1)  # (B, C)
        return (counts.to(self.members.dtype) @ self.members.T * self.share).clamp(max=1.0)

    def forward(self, logits: Tensor, class_logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Computes the cross-entropy of the labels and L_consistency, both unweighted.

        Args:
            logits: (B, len(LABELS)) of the branch.
            class_logits: (B, Q, C + 1) of the last decoder layer.
            target: (B, 2, X, Y, Z).
        """
        labels = F.binary_cross_entropy_with_logits(logits, self.targets(target).to(logits.dtype))
        types = [LABELS.index(name) for name in LESION_TYPES]
        branch = logits[:, types].sigmoid()
        queries = class_logits.softmax(dim=-1)[..., FIRST_LESION : len(CLASSES)].amax(dim=1)
        difference = (queries - branch.detach()).square() + (queries.detach() - branch).square()
        return labels, difference.sum(dim=1).mean()


class PatientCriterion(nn.Module):
    """Adds the losses of the patient branch to LIDIA's `Criterion`; same interface.

    Args:
        patient: losses of the branch.
        **parts: arguments of `Criterion`.
    """

    def __init__(self, *, patient: PatientLoss, **parts: Any) -> None:
        super().__init__()
        self.patient = patient
        self.lesions = Criterion(**parts)
        self.parts: dict[str, float] = {}

    def forward(self, prediction: PatientPrediction, target: Tensor) -> Tensor:
        """Computes the scalar loss for a target (B, 2, X, Y, Z); `parts` holds its unweighted terms."""
        check_target(target)
        loss = self.lesions(prediction.queries, target)
        self.parts = dict(self.lesions.parts)
        if prediction.patient_logits is None:
            return loss
        classes = prediction.queries.layers[-1].pred_logits
        labels, consistency = self.patient(prediction.patient_logits, classes, target)
        self.parts |= {"patient": float(labels.detach()), "consistency": float(consistency.detach())}
        return loss + self.patient.weight * labels + self.patient.consistency * consistency

    def fill_bank(self) -> None:
        """Fills the bank as LIDIA's criterion does."""
        self.lesions.fill_bank()
