"""The semantic map that LiverMax reads, from the queries and the auxiliary semantic head.

S[c] = Σ_q softmax(class_q)[c] · sigmoid(mask_q)   or, with one-to-many assignment, max over q instead of Σ
S[0] += max(0, 1 - Σ_c S[c]);   S /= Σ_c S[c]

'No object' is left out; what no query claims is background. Source: Mask2Former's semantic inference, PLAN's
normalisation. Differs from PLAN: a plain division would blow up voxels that no query claims.

The map may be shared with the semantic head, whose map is H (ours, not the paper's). The head finds lesions
that queries miss, the queries tell types better, so each question has its own share:

where a lesion is    M = (1 - s) S + s H
and of which type    M[c] = Σ_k M[k] · T[c],   T[c] = (1 - t) S[c] / Σ_k S[k] + t H[c] / Σ_k H[k]

with c and k the lesion types.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scripts.lidia.contract import exporting
from scripts.lidia.vocabulary import FIRST_LESION


def gather_votes(classes: Tensor, masks: Tensor, max_over_queries: bool) -> Tensor:
    """Σ_q or max_q of class (B, Q, C) times mask (B, Q, N) -> (B, C, N), before anything is normalised."""
    # A class at a time: a product of matrices would be taken in half precision under autocast.
    votes: list[Tensor] = []
    for c in range(classes.shape[2]):
        vote = classes[:, :, c : c + 1] * masks
        votes.append(vote.amax(dim=1) if max_over_queries else vote.sum(dim=1))
    return torch.stack(votes, dim=1)


def semantic_map(class_logits: Tensor, mask_logits: Tensor, max_over_queries: bool = False) -> Tensor:
    """The map of the module's docstring.

    Args:
        class_logits: (B, Q, C + 1), the last class is 'no object'.
        mask_logits: (B, Q, x, y, z).
        max_over_queries: take the maximum over queries instead of the sum.

    Returns:
        (B, C, x, y, z) probabilities that sum to 1 over C.
    """
    classes = class_logits.float().softmax(dim=-1)[..., :-1]  # (B, Q, C)
    flat = mask_logits.flatten(2)  # (B, Q, N)
    # Some voxels at a time: what stands between would not fit into the cache, and fresh pages cost more than
    # the arithmetic. A graph for ONNX has no number of voxels to count by.
    parts = [flat] if exporting() else flat.split(4096, dim=2)
    scores = torch.cat(
        [gather_votes(classes, part.float().sigmoid(), max_over_queries) for part in parts], dim=2
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
    """Queries and semantic head together: the map M of the module's docstring.

    Args:
        queries: (B, C, x, y, z) probabilities of `semantic_map`.
        head: (B, C, x, y, z) probabilities of the semantic head.
        share: s, of the head in where a lesion is, and in background and liver.
        type_share: t, of the head in which type a lesion has.
        first: channel of the first lesion type; an argument since TorchScript knows no globals.

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
    """(B, T, x, y, z) -> the same, summing to 1 over T: which type, given that there is a lesion."""
    # One part in 10^9 each: what claims no lesion at all has no opinion about its type
    types = types + 1e-9
    return types / types.sum(dim=1, keepdim=True)
