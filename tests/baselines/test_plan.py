"""PLAN keeps LIDIA's contract: one anchor per suspected lesion, and a patient branch on request."""

import math

import pytest
import torch

from scripts.lidia.baselines.anchor_queries import compute_component_means, find_suspected_lesions
from scripts.lidia.baselines.patient_branch import PatientBranch
from scripts.lidia.baselines.patient_loss import LABELS, MEMBERS, PatientCriterion, PatientLoss
from scripts.lidia.baselines.plan import build_plan
from scripts.lidia.inference.liver_window_inferer import WindowInferer
from scripts.lidia.postprocess.branch_scores import BRANCH_SCORES
from scripts.lidia.recorded_randomness import record_choices, replay_choices


def small(**more):
    torch.manual_seed(0)
    options = {"spacing": (2.0, 2.0, 2.0), "channels": (4, 8, 8, 8), "hidden_dim": 16, "mask_dim": 8}
    return build_plan(learned_queries=3, anchors=5, memory=4, branch_width=16, **options, **more)


def scan(batch=1, size=32):
    return torch.randn(batch, 4, size, size, size, generator=torch.Generator().manual_seed(1))


def lesion(batch=1):
    target = torch.zeros(batch, 2, 32, 32, 32, dtype=torch.int16)
    target[:, 0, 4:28, 4:28, 4:28] = 1
    target[:, 0, 8:14, 8:14, 8:14] = 5
    target[:, 1, 8:14, 8:14, 8:14] = 1
    return target


def suspicion():
    """A row of 3 voxels, a block of 8 that two types share, a single voxel, and one just under 0.1."""
    maps = torch.zeros(2, 10, 8, 8, 8)
    maps[0, 2, 0, 0, :3] = 0.5
    maps[0, 4, 4:6, 4:6, 4:6] = 0.06
    maps[0, 9, 4:6, 4:6, 4:6] = 0.06
    maps[0, 7, 0, 7, 7] = 1.0
    maps[0, 7, 7, 0, 0] = 0.09
    maps[:, 0] = 1 - maps[:, 1:].sum(dim=1)
    return maps


def test_anchors_are_the_suspected_components_from_the_largest_on():
    parts = find_suspected_lesions(suspicion(), count=4)
    assert (parts[0, 4:6, 4:6, 4:6] == 1).all() and (parts[0, 0, 0, :3] == 2).all()
    assert parts[0, 0, 7, 7] == 3 and parts[0, 7, 0, 0] == 0
    assert int((parts[0] > 0).sum()) == 8 + 3 + 1 and not parts[1].any()
    assert find_suspected_lesions(suspicion(), count=2).max() == 2, "the smallest are left out"
    assert find_suspected_lesions(suspicion(), count=4, smallest=3.0).max() == 2
    assert find_suspected_lesions(suspicion(), count=4, smallest=3.1).max() == 1


def test_an_anchor_is_the_mean_of_its_voxels():
    parts = find_suspected_lesions(suspicion(), count=4).flatten(1)
    values = torch.arange(2 * 3 * 512, dtype=torch.float32).reshape(2, 3, 512)
    means, present = compute_component_means(values, parts, 4)
    assert present.tolist() == [[True, True, True, False], [False] * 4]
    torch.testing.assert_close(means[0, 1], values[0, :, :3].mean(dim=1))
    torch.testing.assert_close(means[0, 2], values[0, :, 63])
    assert not means[0, 3].any() and not means[1].any()


def test_a_slot_without_a_component_holds_its_learned_query():
    network = small()
    network = network.network.query_generator
    described = torch.randn(2, network.descriptor_dim, 8, 8, 8, requires_grad=True)
    with torch.no_grad():
        described[:, -10:] = suspicion()
    content, position, seeds = network(torch.zeros(2, 10, 8, 8, 8), described)
    assert content.shape == position.shape == (2, 5 + 3, 16)
    torch.testing.assert_close(content[1, :5], network.anchor_feat)
    torch.testing.assert_close(content[0, 3:5], network.anchor_feat[3:])
    block = described[0, :, 4:6, 4:6, 4:6].flatten(1).mean(dim=1)
    torch.testing.assert_close(content[0, 0], network.seed_embedding.content(block))
    centre = torch.tensor([5.0, 5.0, 5.0]) * 2 - 8  # voxels of the network's grid from the window's middle
    torch.testing.assert_close(position[0, 0], network.seed_embedding.sine(centre))
    assert (seeds == -1).all()
    content.sum().backward()
    assert described.grad is None or not described.grad.any(), "anchors are detached"


@torch.no_grad()
def test_ten_channels_by_default_and_the_branch_on_request():
    network = small().eval()
    image = scan()
    image[:, 3] = torch.nan
    other = image.clone()
    other[:, 3, 1:] = 7.0
    out, (probabilities, scores) = network(image), network.predict_patient(image)
    assert out.shape == (1, 10, 32, 32, 32) and scores.shape == (1, len(BRANCH_SCORES))
    torch.testing.assert_close(probabilities, out)
    torch.testing.assert_close(out.sum(1), torch.ones(1, 32, 32, 32), atol=1e-5, rtol=0)
    assert (scores > 0).all() and (scores < 1).all()
    assert torch.equal(network(other), out)


@torch.no_grad()
def test_the_window_inferer_blends_the_painted_scores():
    network = small().eval()
    image = torch.cat([scan(), scan(size=32).roll(5, 2)], dim=2)
    both = WindowInferer(roi_size=(32, 32, 32), overlap=0.0)(image, network)
    assert both.shape == (1, 21, 64, 32, 32)
    probabilities, scores = network.predict_patient(image[:, :, :32])
    torch.testing.assert_close(both[:, :10, :32], probabilities)
    maps = both[0, 10:, :32].flatten(1)
    torch.testing.assert_close(maps, scores[0, :, None].expand_as(maps))


@torch.no_grad()
def test_the_branch_finds_what_depends_on_the_whole_window():
    branch = PatientBranch(channels=(4, 8), factors=(4, 1), stride=16, outputs=3, memory=4, width=16).eval()
    levels = [torch.randn(2, 4, 8, 8, 4), torch.randn(2, 8, 2, 2, 1)]
    out = branch(levels)
    assert out.shape == (2, 3)
    torch.testing.assert_close(branch([level[1:] for level in levels]), out[1:])
    levels[0][0, :, 7, 7, 3] += 5.0
    assert not torch.allclose(branch(levels)[0], out[0])
    assert torch.isfinite(branch([torch.randn(1, 4, 4, 4, 4), torch.randn(1, 8, 1, 1, 1)])).all()


@torch.no_grad()
def test_the_branch_reads_what_all_voxels_share():
    """Absolute HU in the end: a norm over all tokens would take it away."""
    branch = PatientBranch(channels=(4,), factors=(2,), stride=16, outputs=3, memory=4, width=16).eval()
    level = torch.randn(1, 4, 8, 8, 4)
    shift = torch.tensor([1.0, -1.0, 0.5, 0.0])[:, None, None, None]
    assert float((branch([level + shift]) - branch([level])).abs().max()) > 1e-3


@torch.no_grad()
def test_the_branch_reads_the_description_of_voxels():
    network = small().eval()
    features = network.network.encode(scan())
    described = network.network.semantic_head(features.pixels)[1]
    prediction = network.read_patient(features, described)
    others = network.network.semantic_head(features.pixels + torch.randn_like(features.pixels))[1]
    assert not torch.allclose(network.read_patient(features, others), prediction)


def test_labels_and_their_soft_targets():
    loss = PatientLoss(spacing=(2.0, 2.0, 2.5), full_mm3=250.0)  # a voxel is 10 mm3, so 25 are full
    target = torch.zeros(1, 2, 8, 8, 8, dtype=torch.int16)
    target[0, 0] = 1
    for kind, voxels in ((2, 5), (4, 15), (7, 40), (9, 10), (-1, 30)):
        free = (target[0, 0].flatten() == 1).nonzero()[:voxels, 0]
        target[0, 0].flatten()[free] = kind
    got = dict(zip(LABELS, loss.targets(target)[0].tolist(), strict=True))
    expected = {"HCC": 0.2, "metastasis": 0.6, "cyst": 1.0, "others": 0.4, "malignant": 0.8, "benign": 1.0}
    expected |= {"benign_authors": 0.0, "tumour": 1.0}
    for name in LABELS:
        assert got[name] == pytest.approx(expected.get(name, 0.0)), name
    assert len(LABELS) == 12 and MEMBERS["tumour"] == [2, 3, 4, 5, 6, 9]


def test_the_losses_by_hand():
    loss = PatientLoss(spacing=(1.0, 1.0, 1.0), full_mm3=250.0)
    target = torch.zeros(1, 2, 8, 8, 8, dtype=torch.int16)
    target[0, 0, :5, :5, :5] = 6  # 125 mm3 of FNH: half of FNH, benign, PLAN's benign, tumour
    logits = torch.zeros(1, len(LABELS), requires_grad=True)
    with torch.no_grad():
        logits[0, LABELS.index("FNH")] = math.log(3.0)  # 0.75
    classes = torch.zeros(1, 2, 11)
    classes[0, 0, 6] = math.log(10.0)  # FNH 0.5, every other class 0.05; the other query has 1/11 everywhere
    classes.requires_grad_()
    labels, apart = loss(logits, classes, target)
    fnh = -0.5 * math.log(0.75) - 0.5 * math.log(0.25)
    assert float(labels.detach()) == pytest.approx((11 * math.log(2.0) + fnh) / 12)
    gaps = [0.5 - 0.75] + [1 / 11 - 0.5] * 7
    assert float(apart.detach()) == pytest.approx(2 * sum(gap**2 for gap in gaps))
    apart.backward()
    slope = 2 * (0.75 - 0.5) * 0.75 * 0.25  # of (0.5 - sigmoid)² alone: the other square is stopped
    assert float(logits.grad[0, LABELS.index("FNH")]) == pytest.approx(slope)
    assert not logits.grad[0, LABELS.index("tumour")] and classes.grad[0, 0, 6] != 0


def test_its_criterion_adds_the_branch_once_it_is_there():
    network = small().train()
    criterion = PatientCriterion(patient=PatientLoss(spacing=(2.0,) * 3, weight=3.0, consistency=0.5))
    target = lesion()
    network.decoding = False
    warm = network(scan(), target)
    assert warm.patient_logits is None and warm.queries.layers == []
    assert set(criterion.parts) == set()
    criterion(warm, target)
    assert set(criterion.parts) == {"semantic"}
    network.decoding = True
    prediction = network(scan(), target)
    with record_choices(network, criterion):
        complete = criterion(prediction, target)
    parts = criterion.parts
    with replay_choices(network, criterion):
        alone = criterion.lesions(prediction.queries, target)
    added = 3.0 * parts["patient"] + 0.5 * parts["consistency"]
    assert float((complete - alone).detach()) == pytest.approx(added, rel=1e-4)
    complete.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    criterion.fill_bank()
    assert criterion.lesions.bank.entries()[1].tolist() == [5]


def test_a_replayed_pass_keeps_its_anchors():
    network = small().train()
    with record_choices(network):
        first = network(scan(), lesion())
    with torch.no_grad():
        network.network.semantic_head.classify[-1].bias[0] += 9.0  # nothing is suspected any more
    with replay_choices(network):
        again = network(scan(), lesion())
    assert first.queries.layers[0].pred_logits.shape == again.queries.layers[0].pred_logits.shape
    remaining = [
        *network.network.choices.recorded,
        *network.network.query_generator.choices.recorded,
    ]
    assert remaining == [], "every choice was used once"


def test_it_learns_what_a_crop_holds():
    network = small().train()
    loss_of = PatientLoss(spacing=(2.0,) * 3)
    target = lesion(2)
    target[1] = target[1].clamp(max=1)
    target[1, 1] = 0
    image = (target[:, :1].float() / 5).expand(2, 4, -1, -1, -1).contiguous()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(40):
        features = network.network.encode(image)
        descriptors = network.network.semantic_head(features.pixels)[1]
        loss, _ = loss_of(network.read_patient(features, descriptors), torch.zeros(2, 3, 11), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = network.eval().predict_patient(image)[1][:, list(BRANCH_SCORES).index("hemangioma")]
    assert scores[0] > 0.6 and scores[1] < 0.4
