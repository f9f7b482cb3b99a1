"""Compare the baselines of Eq. 2 with a few lines of plain torch; absent phases have no influence."""

import itertools

import pytest
import torch

from scripts.lidia.baselines.fusion import ConvLSTM, EarlyFusion, HeMIS
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.ifm import IterativeFusion

KINDS = [EarlyFusion, HeMIS, ConvLSTM]
SUBSETS = [s for n in (1, 2, 3, 4) for s in itertools.combinations(range(4), n)]


def make_fusion(kind, stride=2):
    torch.manual_seed(0)
    return kind(phases=4, channels=4, stride=stride)


@torch.no_grad()
@pytest.mark.parametrize("present_phases", [(0, 1, 2, 3), (1, 3), (2,)])
def test_hemis_is_mean_and_variance_over_the_present_phases(present_phases):
    fusion, image = make_fusion(HeMIS), torch.randn(1, 4, 8, 6, 4)
    features = torch.stack([fusion.phase_blocks[p](image[:, p : p + 1]) for p in present_phases])
    expected = fusion.fuse(torch.cat([features.mean(0), features.var(0, unbiased=False)], dim=1))
    present = torch.tensor([[p in present_phases for p in range(4)]])
    torch.testing.assert_close(fusion(image, present), expected)


@torch.no_grad()
@pytest.mark.parametrize("present_phases", [(0, 1, 2, 3), (1, 3), (2,)])
def test_conv_lstm_is_an_lstm_voxel_by_voxel(present_phases):
    """With a kernel that sees its centre alone, torch's own LSTM cell gives the same."""
    fusion, image = make_fusion(ConvLSTM), torch.randn(1, 4, 8, 6, 4)
    centre = fusion.gates.weight[:, :, 1, 1, 1].clone()
    fusion.gates.weight.zero_()
    fusion.gates.weight[:, :, 1, 1, 1] = centre

    cell = torch.nn.LSTMCell(4, 4)
    order = torch.tensor([0, 1, 3, 2])  # ours i f o g, torch's i f g o
    rows = torch.arange(16).view(4, 4)[order].flatten()
    cell.weight_ih.copy_(centre[rows, :4])
    cell.weight_hh.copy_(centre[rows, 4:])
    cell.bias_ih.copy_(fusion.gates.bias[rows])
    cell.bias_hh.zero_()
    state = None
    for p in present_phases:
        feature = fusion.phase_blocks[p](image[:, p : p + 1])
        state = cell(feature[0].flatten(1).T, state)
    expected = state[0].T.view(1, 4, 4, 3, 2)
    present = torch.tensor([[p in present_phases for p in range(4)]])
    torch.testing.assert_close(fusion(image, present), expected)
    assert (fusion.gates.bias[4:8] == 1).all()


@torch.no_grad()
def test_hemis_is_independent_of_the_order_of_phases():
    fusion, image = make_fusion(HeMIS), torch.randn(1, 4, 8, 6, 4)
    for block in fusion.phase_blocks:
        block.load_state_dict(fusion.phase_blocks[0].state_dict())
    present = torch.tensor([[True, False, True, True]])
    turned = [3, 2, 1, 0]
    torch.testing.assert_close(fusion(image, present), fusion(image[:, turned], present[:, turned]))


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_absent_phases_leave_no_trace_and_samples_do_not_mix(kind):
    fusion, image = make_fusion(kind), torch.randn(len(SUBSETS), 4, 8, 6, 4)
    present = torch.tensor([[p in s for p in range(4)] for s in SUBSETS])
    out = fusion(image, present)
    other = torch.where(present[:, :, None, None, None], image, torch.full_like(image, 1e4))
    assert out.isfinite().all()
    assert out.shape == (15, 4, 4, 3, 2)
    torch.testing.assert_close(out, fusion(other, present), rtol=0, atol=0)
    alone = torch.cat([fusion(image[i : i + 1], present[i : i + 1]) for i in range(15)])
    torch.testing.assert_close(out, alone)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_lidia_runs_with_any_fusion_and_scripts(kind):
    torch.manual_seed(0)
    network = build_lidia(fusion=kind(phases=4, channels=4, stride=2), channels=(4, 8, 8, 8)).eval()
    assert not any(isinstance(m, IterativeFusion) for m in network.modules())
    image = torch.randn(2, 4, 32, 16, 16)
    image[0, 3] = torch.nan
    out = network(image)
    torch.testing.assert_close(out.sum(1), torch.ones(2, 32, 16, 16))
    torch.testing.assert_close(torch.jit.script(network)(image), out)
