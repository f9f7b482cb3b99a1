"""The plain U-Net keeps LIDIA's contract."""

import torch

from scripts.lidia.baselines.unet import PlainUNet, SemanticCriterion


def small():
    torch.manual_seed(0)
    return PlainUNet(channels=(4, 8, 8, 8), mask_dim=8)


@torch.no_grad()
def test_probabilities_sum_to_one_and_absent_phases_do_not_count():
    network = small().eval()
    image = torch.randn(2, 4, 32, 16, 16)
    image[:, 1] = torch.nan
    other = image.clone()
    other[:, 1, 0, 0, 1:] = 3.0
    out = network(image)
    assert out.shape == (2, 10, 32, 16, 16)
    torch.testing.assert_close(out.sum(1), torch.ones(2, 32, 16, 16))
    assert torch.equal(out, network(other))
    torch.testing.assert_close(torch.jit.script(network)(image), out)


def test_it_learns_a_lesion_from_the_same_target():
    network, criterion = small().train(), SemanticCriterion()
    target = torch.ones(1, 2, 32, 32, 32, dtype=torch.int16)
    target[:, 1] = 0
    target[:, :, 8:20, 8:20, 8:20] = torch.tensor([7, 1], dtype=torch.int16)[None, :, None, None, None]
    image = (target[:, :1].float() / 7).expand(1, 4, -1, -1, -1).contiguous()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = criterion(network(image), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert (network.eval()(image)[0, :, 12, 12, 12].argmax()) == 7
