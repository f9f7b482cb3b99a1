"""Rename the parameters of weights that were saved before release 2.0.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")

PREFIXES = {
    "pyramid.": "pixel_decoder.",
    "hounsfield.": "hounsfield_path.",
    "semantic.": "semantic_head.",
    "content": "query_generator.query_feat",
    "position": "query_generator.query_embed",
    "seed_content.": "query_generator.seed_embedding.content.",
    "level_embedding": "transformer_decoder.level_embed",
    "layers.": "transformer_decoder.layers.",
    "heads.": "transformer_decoder.heads.",
    "project.": "contrastive_projection.",
}
"""First part of a parameter name before 2.0.0 and its present name."""
PARTS = {
    "cross": "cross_attn",
    "itself": "self_attn",
    "feedforward": "ffn",
    "norm_feed": "norm_ffn",
}
"""Modules of a decoder layer before 2.0.0 and their present names."""
HEADS = {"mask": "mask_embed", "classify": "class_embed"}


def has_legacy_names(state: Mapping[str, Value]) -> bool:
    """Return True if a state dict has the parameter names from before 2.0.0."""
    return "seed_content.0.weight" in state and "fusion.fuse_blocks.0.conv.weight" in state


def rename_legacy(state: Mapping[str, Value]) -> dict[str, Value]:
    """Rename the parameters of a state dict from before 2.0.0; the values are not copied."""
    return {_rename(name): value for name, value in state.items()}


def _rename(name: str) -> str:
    for old, new in PREFIXES.items():
        if name == old or (old.endswith(".") and name.startswith(old)):
            words = (new + name.removeprefix(old)).split(".")
            table = PARTS if words[1:2] == ["layers"] else HEADS if words[1:2] == ["heads"] else {}
            at = 3 if table is PARTS else 2
            if table and len(words) > at:
                words[at] = table.get(words[at], words[at])
            return ".".join(words)
    return name
