"""nnU-Net keeps LIDIA's contract, supervises its levels, and can leave out the delayed phase."""

import pytest
import torch

from scripts.lidia.baselines.nnunet import DeepPrediction, DeepSupervision, NNUNet
from scripts.lidia.loss.semantic_loss import SemanticLoss

AIDS = {"hounsfield": True, "focus": (-0.1333, 0.2667)}


def small(**options):
    torch.manual_seed(0)
    return NNUNet(filters=(4, 8, 8, 8, 8), **options)


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, AIDS, {"seen": (0, 1, 2)}], ids=["plain", "aids", "three phases"])
def test_probabilities_sum_to_one_and_absent_phases_do_not_count(options):
    network = small(**options).eval()
    image = torch.randn(2, 4, 32, 16, 16)
    image[:, 1] = torch.nan
    other = image.clone()
    other[:, 1, 0, 0, 1:] = 3.0
    out = network(image)
    assert out.shape == (2, 10, 32, 16, 16)
    torch.testing.assert_close(out.sum(1), torch.ones(2, 32, 16, 16))
    assert torch.equal(out, network(other))


@torch.no_grad()
def test_the_papers_nnunet_never_looks_at_the_delayed_phase():
    network = small(seen=(0, 1, 2)).eval()
    image = torch.randn(1, 4, 32, 16, 16)
    other = image.clone()
    other[:, 3] = torch.nan
    assert torch.equal(network(image), network(other))
    assert not torch.equal(small().eval()(image), small().eval()(other))


def test_its_levels_count_half_as_much_each_time():
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 10, 8, 8, 8, requires_grad=True)
    target = torch.zeros(1, 2, 8, 8, 8, dtype=torch.int16)
    target[:, 0] = torch.randint(0, 10, (1, 8, 8, 8))
    criterion = DeepSupervision(semantic=SemanticLoss(points=64, foreground=0.0))
    torch.manual_seed(1)
    loss = criterion(DeepPrediction(logits), target)
    torch.manual_seed(1)
    points = criterion.semantic.draw(target)
    entry, half, quarter = (criterion.semantic(logits[:, i], target, points) for i in range(3))
    torch.testing.assert_close(loss, (4 * entry + 2 * half + quarter) / 7)
    assert criterion.parts["semantic"] == pytest.approx(float(entry.detach()))


def test_maps_of_two_voxels_are_not_trained_in_half_precision():
    torch.manual_seed(0)
    for size, kind in ((32, torch.float32), (48, torch.bfloat16)):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert small().train()(torch.randn(1, 4, size, size, size)).logits.dtype == kind


def test_it_learns_a_lesion():
    network, criterion = small(**AIDS).train(), DeepSupervision()
    target = torch.ones(1, 2, 32, 32, 32, dtype=torch.int16)
    target[:, 1] = 0
    target[:, :, 8:20, 8:20, 8:20] = torch.tensor([7, 1], dtype=torch.int16)[None, :, None, None, None]
    image = (target[:, :1].float() / 7).expand(1, 4, -1, -1, -1).contiguous()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = criterion(network(image), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert (network.eval()(image)[0, :, 14, 14, 14].argmax()) == 7
