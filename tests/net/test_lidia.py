"""The network's contract: one tensor in, one tensor out, NaN marks an absent phase."""

from itertools import combinations

import pytest
import torch

from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.query_generator import find_lesion_peaks

SUBSETS = [s for n in range(1, 5) for s in combinations(range(4), n)]
PAPER = {
    "stem_stride": 1,
    "channels": (4, 8, 8, 8, 8),
    "hidden_dim": 16,
    "mask_dim": 16,
    "focus": None,
    "hounsfield": False,
    "liver_context": False,
    "mask_pooling": False,
    "learned_queries": 6,
    "proposals": 0,
    "attention_levels": (4, 3, 2),
    "num_heads": 8,
    "mask_pilots": False,
    "max_over_queries": False,
}


def small(**more):
    torch.manual_seed(0)
    return build_lidia(
        channels=(4, 8, 8, 8), hidden_dim=16, mask_dim=8, learned_queries=3, proposals=5, **more
    )


def scan(absent=(), size=(32, 32, 32), seed=1):
    image = torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(seed))
    image[:, list(absent)] = torch.nan
    return image


def lesion(batch=1, size=32):
    target = torch.zeros(batch, 2, size, size, size, dtype=torch.int16)
    target[:, 0, 4:28, 4:28, 4:28] = 1
    target[:, 0, 8:14, 8:14, 8:14] = 5
    target[:, 1, 8:14, 8:14, 8:14] = 1
    return target


@pytest.mark.parametrize("present", SUBSETS, ids=lambda s: "+".join(map(str, s)))
@torch.no_grad()
def test_every_subset_of_phases_gives_a_finite_simplex(present):
    network = small().eval()
    out = network(scan(absent=set(range(4)) - set(present)))
    assert out.shape == (1, 10, 32, 32, 32)
    assert torch.isfinite(out).all() and (out >= 0).all()
    torch.testing.assert_close(out.sum(1), torch.ones(1, 32, 32, 32), atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_content_of_an_absent_phase_changes_no_bit():
    network = small().eval()
    image = scan(absent=[3])
    other = image.clone()
    other[:, 3] = 123.0
    other[:, 3, 5, 6, 7] = torch.nan  # one NaN is enough to be absent
    assert torch.equal(network(image), network(other))


@torch.no_grad()
def test_a_phase_that_is_there_matters():
    network = small().eval()
    assert not torch.equal(network(scan()), network(scan(absent=[3])))


def test_no_gradient_is_lost_to_nan():
    network = small().train()
    out = network(scan(absent=[1]), lesion())
    (out.semantic_logits.sum() + sum(x.pred_logits.sum() + x.mask_embed.sum() for x in out.layers)).backward()
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    assert grads and all(torch.isfinite(g).all() for g in grads)


def test_a_case_without_any_phase_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        small()(scan(absent=range(4)))


@pytest.mark.parametrize("shape", [(1, 3, 32, 32, 32), (1, 4, 30, 32, 32), (4, 32, 32, 32)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="phases|multiples of 16"):
        small()(torch.zeros(shape))


@pytest.mark.parametrize("options", [{}, PAPER], ids=["compact", "paper"])
def test_torchscript_equals_eager(options):
    network = (build_lidia(**options) if options else small()).eval()
    scripted = torch.jit.script(network)
    for size in ((32, 32, 32), (48, 32, 16)):
        image = scan(absent=[0], size=size)
        with torch.no_grad():
            torch.testing.assert_close(scripted(image), network(image))


@torch.no_grad()
@pytest.mark.filterwarnings("ignore")  # torch's own, on graphs that break where a value is looked at
def test_torch_compile_gives_the_same_numbers():
    network, image = small().eval(), scan(absent=[0])
    torch.testing.assert_close(torch.compile(network, backend="eager")(image), network(image))


@torch.no_grad()
def test_the_semantic_head_may_share_in_the_map():
    queries, both, head = (small(semantic_share=w).eval() for w in (0.0, 0.25, 1.0))
    image = scan()
    torch.testing.assert_close(both(image), 0.75 * queries(image) + 0.25 * head(image))
    assert not torch.allclose(queries(image), head(image))


def test_training_predicts_at_every_layer_and_for_every_pilot():
    out = small().train()(scan(), lesion())
    assert len(out.layers) == len(out.pilots) == 3  # before the first layer and after each of two
    assert out.layers[0].pred_logits.shape == (1, 8, 11)
    assert out.pilots[0].pred_logits.shape == (1, 1, 11)
    assert out.pilot_instances.tolist() == [[1]]
    torch.testing.assert_close(out.contrastive_embed.norm(dim=-1), torch.ones(1, 8))
    assert (out.seeds[:, :5] >= 0).all() and (out.seeds[:, 5:] == -1).all()
    assert (out.seeds < 32).all()


def test_pilots_read_the_truth_and_change_no_other_query():
    network = small().train()
    with_pilots, without = network(scan(), lesion()), network(scan(), None)
    torch.testing.assert_close(with_pilots.layers[-1].pred_logits, without.layers[-1].pred_logits)


def test_the_warm_up_skips_the_transformer():
    network = small().train()
    network.decoding = False
    out = network(scan(), lesion())
    assert out.layers == out.pilots == [] and out.semantic_logits.shape == (1, 10, 16, 16, 16)
    assert out.contrastive_embed.shape[1] == 0 and out.seeds.shape == (1, 0, 3)
    assert out.pilot_instances.shape == (1, 0)


def test_paper_options_build_the_papers_network():
    network = build_lidia(**PAPER).train()
    out = network(scan(), lesion())
    assert len(out.layers) == 4 and out.pilots == [] and out.liver_logits is None
    assert out.mask_features.shape == (1, 16, 32, 32, 32)  # full resolution


def test_a_sure_lesion_takes_one_proposal() -> None:
    """Its probability rounds to 1 in all of it: peaks are told apart before that, and last bits move none."""
    place = torch.stack(torch.meshgrid(*[torch.arange(12.0)] * 3, indexing="ij"))
    logits = torch.zeros(1, 10, 12, 12, 12)
    for centre, kind, height in (((3, 3, 3), 2, 60.0), ((9, 8, 9), 7, 25.0)):
        away = (place - torch.tensor(centre).view(3, 1, 1, 1)).norm(dim=0)
        logits[0, kind] += height * torch.exp(-((away / 3.0) ** 2))
    assert (logits.softmax(1)[:, 2:].sum(1) == 1.0).sum() > 20
    expected = [3 * 144 + 3 * 12 + 3, 9 * 144 + 8 * 12 + 9]
    for _ in range(5):
        shaken = logits + torch.randn_like(logits) * 1e-6
        assert find_lesion_peaks(shaken, 2)[0].tolist() == expected
