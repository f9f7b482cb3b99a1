"""Eq. 6: the weighted sum, the bank's filling, edge cases."""

import pytest
import torch

from scripts.lidia.loss.criterion import Criterion
from scripts.lidia.net.build_lidia import build_lidia


def network(**more):
    torch.manual_seed(0)
    return build_lidia(channels=(4, 8, 8, 8), hidden_dim=16, mask_dim=8, **more).train()


def image(batch=1):
    return torch.randn(batch, 4, 32, 32, 32, generator=torch.Generator().manual_seed(0))


def target(*lesions):
    out = torch.zeros(1, 2, 32, 32, 32, dtype=torch.int16)
    out[0, 0, 2:30, 2:30, 2:30] = 1
    for k, (c, at) in enumerate(lesions, start=1):
        out[0, :, at : at + 6, 8:14, 8:14] = torch.tensor([c, k], dtype=torch.int16)[:, None, None, None]
    return out


def test_eq_6_is_the_weighted_sum_of_its_parts():
    torch.manual_seed(0)
    criterion = Criterion(seg_weight=5, focal_weight=5, acl_weight=0.01, semantic_weight=2)
    criterion.bank.fill(torch.nn.functional.normalize(torch.randn(20, 64)), torch.arange(20) % 8 + 2)
    truth = target((3, 4), (7, 12))
    loss = criterion(network()(image(), truth), truth)
    p = criterion.parts
    assert p["acl"] > 0
    by_hand = 2 * p["semantic"] + 5 * p["seg"] + 5 * p["focal"] + 0.01 * p["acl"]
    assert float(loss.detach()) == pytest.approx(by_hand, rel=1e-5)


def test_the_papers_weights_are_the_defaults():
    criterion = Criterion()
    assert (criterion.seg_weight, criterion.focal_weight, criterion.acl_weight) == (5.0, 5.0, 0.01)
    assert criterion.contrastive.temperature == 0.1 and len(criterion.bank.classes) == 1024
    assert criterion.classes.gamma == 2.0


def test_the_bank_is_filled_once_a_step_with_one_embedding_a_lesion():
    criterion, truth, net = Criterion(), target((3, 4), (9, 12)), network()
    criterion(net(image(), truth), truth)
    assert len(criterion.bank.entries()[1]) == 0
    criterion.fill_bank()
    criterion.fill_bank()
    assert sorted(criterion.bank.entries()[1].tolist()) == [3, 9]


@pytest.mark.parametrize("lesions", [(), ((8, 4),)], ids=["healthy", "one lesion"])
def test_every_gradient_is_finite(lesions):
    net, truth = network(), target(*lesions)
    Criterion()(net(image(), truth), truth).backward()
    grads = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}
    assert all(torch.isfinite(g).all() for g in grads.values())
    assert {n.split(".")[0] for n in grads} >= {
        "fusion",
        "encoder",
        "pixel_decoder",
        "semantic_head",
        "query_generator",
        "transformer_decoder",
    }


def test_an_empty_target_works():
    net, truth = network(), torch.zeros(1, 2, 32, 32, 32, dtype=torch.int16)
    assert torch.isfinite(Criterion()(net(image(), truth), truth))


def test_the_warm_up_is_the_semantic_loss_alone():
    net, criterion, truth = network(), Criterion(semantic_weight=2.0), target((3, 4))
    net.decoding = False
    loss = criterion(net(image(), truth), truth)
    assert set(criterion.parts) == {"semantic"}
    assert float(loss.detach()) == pytest.approx(2 * criterion.parts["semantic"])


def test_queries_seeded_in_ignored_voxels_do_not_count():
    net, criterion, truth = network(), Criterion(), target((3, 4))
    prediction = net(image(), truth)
    from scripts.lidia.loss.instance_targets import read_targets

    ignored = truth.clone()
    ignored[0, 0, 20:24] = -1
    seeds = prediction.seeds.clone()
    seeds[0, 0] = torch.tensor([21, 16, 16])
    seeds[0, 1] = torch.tensor([10, 16, 16])
    weights = criterion.weigh_unmatched(prediction._replace(seeds=seeds), [read_targets(ignored[0])])
    assert weights[0, 0] == 0 and weights[0, 1] == 1 and weights[0, -1] == 1


def test_a_target_without_instances_is_refused():
    net, truth = network(), target((3, 4))
    with pytest.raises(ValueError, match="classes, instances"):
        Criterion()(net(image(), truth), truth[:, :1])
