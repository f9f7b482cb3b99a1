"""Compute the total loss (LIDIA, Eq. 6; section 2.2, weights of section 3).

    L_final = λ1·L_seg + λ2·L_focal + λ3·L_acl,   λ1 = 5, λ2 = 5, λ3 = 0.01

Differs from the print: L_seg and L_focal are summed over the decoder's outputs (deep supervision, as in
Mask2Former); the auxiliary semantic head adds its own loss (as in PLAN), and mask-piloted queries add theirs
(as in MP-Former).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from scripts.lidia.contract import LayerPrediction, Prediction, check_target
from scripts.lidia.loss.contrastive import AsymmetricContrastiveLoss
from scripts.lidia.loss.focal import FocalLoss
from scripts.lidia.loss.instance_targets import Targets, read_targets
from scripts.lidia.loss.mask_loss import MaskLoss, PointFeatures
from scripts.lidia.loss.matcher import Assignment, HungarianMatcher
from scripts.lidia.loss.memory_bank import MemoryBank
from scripts.lidia.loss.semantic_loss import SemanticLoss
from scripts.lidia.recorded_randomness import RecordedChoices
from scripts.lidia.vocabulary import FIRST_LESION


class Criterion(nn.Module):
    """Total loss of Eq. 6; its state is the memory bank.

    Args:
        matcher: assigns queries to target masks.
        masks: L_seg.
        classes: L_focal.
        contrastive: L_acl.
        bank: memory of the contrastive loss.
        semantic: loss of the auxiliary head.
        seg_weight: λ1.
        focal_weight: λ2.
        acl_weight: λ3.
        semantic_weight: weight of the loss of the auxiliary head.
        pilot_weight: weight of the mask-piloted queries relative to the others.
    """

    def __init__(
        self,
        *,
        matcher: HungarianMatcher | None = None,
        masks: MaskLoss | None = None,
        classes: FocalLoss | None = None,
        contrastive: AsymmetricContrastiveLoss | None = None,
        bank: MemoryBank | None = None,
        semantic: SemanticLoss | None = None,
        seg_weight: float = 5.0,
        focal_weight: float = 5.0,
        acl_weight: float = 0.01,
        semantic_weight: float = 30.0,
        pilot_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.matcher = matcher or HungarianMatcher()
        self.masks = masks or MaskLoss()
        self.classes = classes or FocalLoss()
        self.contrastive = contrastive or AsymmetricContrastiveLoss()
        self.bank = bank or MemoryBank()
        self.semantic = semantic or SemanticLoss()
        self.seg_weight, self.focal_weight, self.acl_weight = seg_weight, focal_weight, acl_weight
        self.semantic_weight, self.pilot_weight = semantic_weight, pilot_weight
        self.choices = RecordedChoices()
        self.parts: dict[str, float] = {}
        self._lesions: tuple[Tensor, Tensor] | None = None

    def forward(self, prediction: Prediction, target: Tensor) -> Tensor:
        """Compute the loss and store its unweighted parts and the query class accuracy in `parts`.

        Args:
            prediction: output of the network in training mode.
            target: (B, 2, X, Y, Z) class map and instance map.
        """
        check_target(target)
        semantic_points = self.choices.choose(lambda: self.semantic.draw(target))
        semantic = self.semantic(prediction.semantic_logits, target, semantic_points, prediction.liver_logits)
        self.parts = {"semantic": float(semantic.detach())}
        self._lesions = None
        total = self.semantic_weight * semantic
        if not prediction.layers:
            return total
        targets = [read_targets(sample) for sample in target]
        points = self.choices.choose(
            lambda: [self.masks.draw(*pair) for pair in zip(target[:, 1], targets, strict=True)]
        )
        features = [
            self.masks.read(*sample) for sample in zip(prediction.mask_features, points, targets, strict=True)
        ]
        pairs = self.choices.choose(lambda: self.match(prediction, targets, features))
        unmatched_weights = self.weigh_unmatched(prediction, targets)
        seg, focal = self.compute_layer_losses(prediction.layers, pairs, targets, features, unmatched_weights)
        if prediction.pilots:
            pilot_pairs = [
                match_pilots(*pair) for pair in zip(prediction.pilot_instances, targets, strict=True)
            ]
            no_weights = torch.zeros_like(prediction.pilot_instances, dtype=unmatched_weights.dtype)
            pilot_losses = self.compute_layer_losses(
                prediction.pilots, [pilot_pairs] * len(prediction.pilots), targets, features, no_weights
            )
            seg, focal = (
                seg + self.pilot_weight * pilot_losses[0],
                focal + self.pilot_weight * pilot_losses[1],
            )
        acl = self.compute_contrastive_loss(prediction, pairs[-1], targets)
        self.parts |= {"seg": float(seg.detach()), "focal": float(focal.detach()), "acl": float(acl.detach())}
        return total + self.seg_weight * seg + self.focal_weight * focal + self.acl_weight * acl

    def match(
        self, prediction: Prediction, targets: list[Targets], features: list[PointFeatures]
    ) -> list[list[Assignment]]:
        """Match queries and targets of each layer and sample."""
        return [
            [
                self.matcher(*sample)
                for sample in zip(*layer, features, targets, prediction.seeds, strict=True)
            ]
            for layer in prediction.layers
        ]

    def compute_layer_losses(
        self,
        layers: list[LayerPrediction],
        pairs: list[list[Assignment]],
        targets: list[Targets],
        features: list[PointFeatures],
        unmatched_weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Compute L_seg and L_focal, summed over the layers; L_seg is a mean over the targets of the batch.

        `unmatched_weights` (B, Q) is the weight of the class loss of queries without a target.
        """
        seg = focal = unmatched_weights.new_zeros(())
        count = max(sum(len(t.classes) for t in targets), 1)
        for layer, assigned in zip(layers, pairs, strict=True):
            target_classes = torch.full(
                unmatched_weights.shape,
                layer.pred_logits.shape[-1] - 1,
                dtype=torch.long,
                device=unmatched_weights.device,
            )
            weights = unmatched_weights.clone()
            for i, (pair, truth) in enumerate(zip(assigned, targets, strict=True)):
                if len(pair.queries):
                    target_classes[i, pair.queries] = truth.classes[pair.targets]
                    weights[i, pair.queries] = pair.weights
                    embeddings = layer.mask_embed[i, pair.queries]
                    columns = self.choices.choose(partial(self.masks.pick, embeddings, features[i]))
                    entropy, dice = self.masks(embeddings, pair.targets, features[i], columns)
                    seg = seg + ((entropy + dice) * pair.weights).sum() / count
            focal = focal + self.classes(layer.pred_logits, target_classes, weights)
        return seg, focal

    def weigh_unmatched(self, prediction: Prediction, targets: list[Targets]) -> Tensor:
        """Return class weights (B, Q) of unmatched queries: 0 for proposals in ignored voxels, else 1."""
        rows = []
        for seeds, truth in zip(prediction.seeds, targets, strict=True):
            x, y, z = seeds.clamp(min=0).unbind(1)
            in_target = truth.masks[:, x, y, z].any(dim=0)
            rows.append((in_target | (seeds < 0).any(dim=1)).to(prediction.mask_features.dtype))
        return torch.stack(rows)

    def compute_contrastive_loss(
        self, prediction: Prediction, pairs: list[Assignment], targets: list[Targets]
    ) -> Tensor:
        """Compute L_acl of the lesions, each by its Hungarian query, and store them for `fill_bank`."""
        embeddings, classes, correct = [], [], []
        logits = prediction.layers[-1].pred_logits
        for b, (pair, truth) in enumerate(zip(pairs, targets, strict=True)):
            target_classes = truth.classes[pair.targets[: pair.primary]]
            queries = pair.queries[: pair.primary][target_classes >= FIRST_LESION]
            target_classes = target_classes[target_classes >= FIRST_LESION]
            embeddings.append(prediction.contrastive_embed[b, queries])
            classes.append(target_classes)
            correct.append(logits[b, queries].argmax(dim=1) == target_classes)
        anchors, target_classes = torch.cat(embeddings), torch.cat(classes)
        if len(target_classes):
            self.parts["query_accuracy"] = float(torch.cat(correct).float().mean())
        self._lesions = (anchors.detach(), target_classes)
        return self.contrastive(anchors, target_classes, *self.bank.entries())

    def fill_bank(self) -> None:
        """Add the lesions of the last forward pass to the bank: once per step, on every rank."""
        if self._lesions is not None:
            self.bank.fill(*self._lesions)
            self._lesions = None


def match_pilots(instances: Tensor, targets: Targets) -> Assignment:
    """Assign pilots (T,), given by instance id, to the targets of the sample; padding is skipped."""
    is_same = (instances[:, None] == targets.instances[None]) & (instances > 0)[:, None]
    queries, target_index = is_same.nonzero().unbind(1)
    return Assignment(queries, target_index, torch.ones(len(queries), device=instances.device), len(queries))
