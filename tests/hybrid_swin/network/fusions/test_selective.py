import pytest
import torch

from hybrid_swin.cost import mixer_cost
from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse

GRID, DIM = (5, 4), 12


def build(word):
    torch.manual_seed(0)
    return build_mixer(parse(word), DIM, 3, 4, GRID).double().eval()


def opened(mixer):
    """The same with a selection that is not at its start."""
    with torch.no_grad():
        for part in (mixer.logits, mixer.norm):
            part.weight.normal_()
            part.bias.normal_()
    return mixer


@pytest.mark.parametrize("branches", ["conv+w_msa", "conv+w_msa+mdta"])
@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_branches_are_selected_by_their_pooled_sum(branches, norm):
    mixer = build(f"{branches}:selective(norm={norm})")
    x = torch.randn(2, *GRID, DIM).double()
    outs = [branch(x) for branch in mixer.branches]
    torch.testing.assert_close(mixer(x), sum(outs), rtol=0, atol=1e-12)  # starts as the sum
    found = opened(mixer)(x)
    for image in range(2):
        pooled = sum(out[image].mean((0, 1)) for out in outs)
        hidden = mixer.reduce.weight @ pooled
        if norm == "layer":
            spread = ((hidden - hidden.mean()) ** 2).mean().add(1e-5).sqrt()
            hidden = (hidden - hidden.mean()) / spread
        else:
            hidden = hidden / (1 + 1e-5) ** 0.5  # evaluation: running mean 0, variance 1
        hidden = (hidden * mixer.norm.weight + mixer.norm.bias).clamp(min=0)
        logits = mixer.logits.weight @ hidden + mixer.logits.bias
        for channel in range(DIM):
            weights = torch.stack([logits[i * DIM + channel] for i in range(len(outs))]).softmax(0)
            expected = sum(
                len(outs) * w * out[image, ..., channel]
                for w, out in zip(weights, outs, strict=True)
            )
            torch.testing.assert_close(found[image, ..., channel], expected, rtol=0, atol=1e-12)


def test_weights_share_out_as_many_as_there_are_branches():
    gates = opened(build("conv+w_msa+mdta:selective")).gates(torch.randn(2, DIM).double())
    assert gates.shape == (2, 3, DIM)
    torch.testing.assert_close(gates.sum(1), torch.full_like(gates.sum(1), 3))


def test_it_can_start_as_each_of_its_branches():
    x = torch.randn(2, *GRID, DIM).double()
    for base in (0, 1):
        mixer = opened(build("conv+w_msa:selective"))
        assert mixer.identity_start(base)
        torch.testing.assert_close(mixer(x), mixer.branches[base](x), rtol=0, atol=1e-12)
    mixer = opened(build("conv+identity:selective"))
    before = mixer.logits.weight.clone()
    assert not mixer.identity_start(0)
    assert torch.equal(mixer.logits.weight, before)


@pytest.mark.parametrize(("dim", "width"), [(96, 32), (128, 32), (512, 32), (1024, 64), (768, 48)])
def test_it_narrows_to_what_the_authors_networks_narrow_to(dim, width):
    """SKNet-50 has 32, 32, 32 and 64 units for 128, 256, 512 and 1,024 channels."""
    mixer = build_mixer(parse("conv+identity:selective"), dim, 4, 4, GRID)
    assert mixer.reduce.weight.shape == (width, dim)
    selection, plain = (
        mixer_cost(parse(f"conv+identity:{f}"), dim, 4, 4, GRID) for f in ("selective", "sum")
    )
    own = dim * width + 2 * width + 2 * dim * (width + 1)
    assert (selection - plain).parameters == own


def test_it_costs_what_the_formula_says():
    for norm in ("layer", "batch"):
        with_selection, plain = (
            mixer_cost(parse(f"conv+w_msa:{f}"), 96, 3, 7, (56, 56))
            for f in (f"selective(norm={norm})", "sum")
        )
        assert (with_selection - plain).parameters == 9_472


def test_batch_norm_needs_more_than_one_image_in_training():
    mixer = build("conv+w_msa:selective(norm=batch)").train()
    with pytest.raises(ValueError, match="more than 1 value"):
        mixer(torch.randn(1, *GRID, DIM).double())
    assert mixer.eval()(torch.randn(1, *GRID, DIM).double()).isfinite().all()
