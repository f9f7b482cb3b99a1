"""Compute the semantic map, the input of LiverMax, from the queries and the auxiliary semantic head.

S[c] = Σ_q softmax(class_q)[c] · sigmoid(mask_q)   or, with one-to-many assignment, max over q instead of Σ
S[0] += max(0, 1 - Σ_c S[c]);   S /= Σ_c S[c]

The class 'no object' is excluded; the remaining probability of a voxel is background. Source: Mask2Former's
semantic inference, PLAN's normalisation. Differs from PLAN: dividing without the second line would amplify
voxels with small scores of all queries.

The map may be a weighted mean of S and the map H of the semantic head (queries and semantic head together;
ours, not the paper's). The head detects lesions that the queries miss, and the queries classify better, so
localisation and type have separate weights s and t:

localisation    M = (1 - s) S + s H
type            M[c] = Σ_k M[k] · T[c],   T[c] = (1 - t) S[c] / Σ_k S[k] + t H[c] / Σ_k H[k]

with c and k the lesion types.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scripts.lidia.contract import is_exporting
from scripts.lidia.vocabulary import FIRST_LESION


def combine_query_scores(classes: Tensor, masks: Tensor, max_over_queries: bool) -> Tensor:
    """Combine scores by Σ_q or max_q: class (B, Q, C) times mask (B, Q, N) -> (B, C, N), not normalised."""
    # One class at a time, because autocast would run a matrix product in half precision.
    combined: list[Tensor] = []
    for c in range(classes.shape[2]):
        score = classes[:, :, c : c + 1] * masks
        combined.append(score.amax(dim=1) if max_over_queries else score.sum(dim=1))
    return torch.stack(combined, dim=1)


def compute_semantic_map(class_logits: Tensor, mask_logits: Tensor, max_over_queries: bool = False) -> Tensor:
    """Compute the semantic map S of the module's docstring.

    Args:
        class_logits: (B, Q, C + 1), the last class is 'no object'.
        mask_logits: (B, Q, x, y, z).
        max_over_queries: take the maximum over queries instead of the sum.

    Returns:
        (B, C, x, y, z) probabilities that sum to 1 over C.
    """
    classes = class_logits.float().softmax(dim=-1)[..., :-1]  # (B, Q, C)
    flat = mask_logits.flatten(2)  # (B, Q, N)
    # In chunks of voxels, because the intermediate tensors of a whole volume do not fit into the cache and
    # allocating them costs more than the arithmetic. In an ONNX graph the number of voxels is unknown.
    parts = [flat] if is_exporting() else flat.split(4096, dim=2)
    scores = torch.cat(
        [combine_query_scores(classes, part.float().sigmoid(), max_over_queries) for part in parts], dim=2
    )
    unclaimed = (1.0 - scores.sum(dim=1, keepdim=True)).clamp(min=0.0)
    scores = torch.cat([scores[:, :1] + unclaimed, scores[:, 1:]], dim=1)
    scores = scores / scores.sum(dim=1, keepdim=True)
    b, c, _ = scores.shape
    x, y, z = mask_logits.shape[2:]
    return scores.reshape(b, c, x, y, z)


def mix_maps(
    queries: Tensor, head: Tensor, share: float, type_share: float, first: int = FIRST_LESION
) -> Tensor:
    """Combine the maps of the queries and the semantic head to the map M of the module's docstring.

    Args:
        queries: (B, C, x, y, z) probabilities of `compute_semantic_map`.
        head: (B, C, x, y, z) probabilities of the semantic head.
        share: s, weight of the head in the localisation of lesions and in background and liver.
        type_share: t, weight of the head in the type of a lesion.
        first: channel of the first lesion type; an argument because TorchScript cannot read globals.

    Returns:
        (B, C, x, y, z) probabilities that sum to 1 over C.
    """
    mixed = torch.lerp(queries, head, share)
    if type_share == share:
        return mixed
    types = torch.lerp(_type_shares(queries[:, first:]), _type_shares(head[:, first:]), type_share)
    lesion = mixed[:, first:].sum(dim=1, keepdim=True)
    return torch.cat([mixed[:, :first], lesion * types], dim=1)


def _type_shares(types: Tensor) -> Tensor:
    """Normalise (B, T, x, y, z) to sum 1 over T: the probability of each type, given a lesion."""
    # The offset gives all types equal shares in voxels without any lesion probability
    types = types + 1e-9
    return types / types.sum(dim=1, keepdim=True)
