"""Eq. 1 and Eq. 2, recomputed step by step."""

import pytest
import torch

from scripts.lidia.net.ifm import IterativeFusion, PhaseBlock


@pytest.mark.parametrize("present_phases", [(0, 1, 2), (0, 1, 2, 3), (1, 3), (2, 3), (0, 2, 3), (2,)])
@pytest.mark.parametrize("stride", [1, 2])
def test_fusion_is_the_recursion_of_eq_2_over_the_present_phases(present_phases, stride):
    torch.manual_seed(0)
    fusion = IterativeFusion(phases=4, channels=5, stride=stride)
    image = torch.randn(1, 4, 8, 6, 4)
    present = torch.tensor([[p in present_phases for p in range(4)]])

    features = [fusion.phase_blocks[p](image[:, p : p + 1]) for p in present_phases]
    fused = features[0]
    for feature in features[1:]:
        fused = fusion.fuse_blocks[0](torch.cat([fused, feature], dim=1))

    torch.testing.assert_close(fusion(image, present), fused)
    assert fused.shape == (1, 5, 8 // stride, 6 // stride, 4 // stride)


def test_one_f_conv_serves_all_steps_unless_each_step_has_its_own():
    shared = IterativeFusion(phases=4, channels=4)
    own = IterativeFusion(phases=4, channels=4, per_step=True)
    count = {p.data_ptr() for p in shared.fuse_blocks.parameters()}
    assert len({p.data_ptr() for p in own.fuse_blocks.parameters()}) == 3 * len(count)


def test_a_batch_gives_each_sample_what_it_gets_alone():
    torch.manual_seed(0)
    fusion = IterativeFusion(phases=4, channels=4)
    image = torch.randn(3, 4, 4, 4, 4)
    present = torch.tensor([[1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 0, 0]]).bool()
    alone = [fusion(image[i : i + 1], present[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(fusion(image, present), torch.cat(alone))


def test_values_of_an_absent_phase_are_never_used():
    torch.manual_seed(0)
    fusion = IterativeFusion(phases=4, channels=4)
    image = torch.randn(2, 4, 4, 4, 4)
    present = torch.tensor([[True, True, True, False], [False, True, True, True]])
    other = image.clone()
    other[0, 3] = 1e6
    other[1, 0] = -7.0
    assert torch.equal(fusion(image, present), fusion(other, present))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_phase_has_two_convolutional_blocks_of_its_own(stride):
    block = PhaseBlock(5, stride=stride)
    kernels = [module.weight.shape for module in block.modules() if isinstance(module, torch.nn.Conv3d)]
    assert kernels == [(5, stride**3, 3, 3, 3), (5, 5, 3, 3, 3)]
    x = torch.randn(1, 1, 8, 8, 8)
    feature = block(x)
    assert feature.shape == (1, 5, 8 // stride, 8 // stride, 8 // stride)
    fusion = IterativeFusion(phases=2, channels=5, stride=stride)
    fusion.phase_blocks[1].load_state_dict(block.state_dict())
    image, present = torch.cat([torch.zeros_like(x), x], dim=1), torch.tensor([[False, True]])
    assert torch.allclose(fusion(image, present), feature, atol=1e-6)
