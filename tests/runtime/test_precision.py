"""The key `precision` selects fp32, bf16 or fp16."""

from __future__ import annotations

import pytest
import torch

from scripts.lidia.runtime.precision import has_bf16_instructions, uses_amp, uses_bf16

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_fp16_is_monais_amp_and_needs_a_gpu() -> None:
    assert uses_amp(precision="fp16", device=GPU)
    assert not uses_amp(precision="bf16", device=GPU)
    assert not uses_amp(precision="fp32", device=GPU)
    with pytest.raises(ValueError, match="fp16 needs a GPU.*cpu.*bf16 or fp32"):
        uses_amp(precision="fp16", device=CPU)


def test_bf16_is_an_autocast_of_the_network_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for supported in (True, False):
        monkeypatch.setattr(
            "scripts.lidia.runtime.precision.supports_bf16", lambda device, answer=supported: answer
        )
        assert uses_bf16("bf16", CPU) is supported
        assert not uses_bf16("fp32", CPU) and not uses_bf16("fp16", CPU)
    with pytest.raises(ValueError, match="half.*fp32, bf16, fp16"):
        uses_bf16("half", CPU)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx512_f": True, "avx512_bw": True, "avx512_bf16": False, "amx_bf16": False}, False),  # Ice Lake
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, True),  # Zen 4
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": True}, True),  # Sapphire Rapids
        ({"avx2": True}, False),
    ],
)
def test_a_cpu_that_emulates_bf16_uses_float32(features: dict[str, bool], expected: bool) -> None:
    assert has_bf16_instructions({"architecture": "x86_64", **features}) is expected
