"""What is particular to our own networks."""

import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.errors import InputError


@torch.no_grad()
def run(model, x):
    return model(x)


def hows(replacement):
    return [block.how for block in replacement.blocks]


def test_a_hybrid_swin_tells_its_new_variant(make):
    model, x = make("ours")
    old = model.variant
    replacement = hs.replace_blocks(model, "w_msa+mdta:gate", stage=1, blocks=[0, 1])
    blocks = model.variant.stages[1].blocks
    assert blocks == ("w_msa+mdta:gate", "sw_msa+mdta:gate", "w_msa")
    again = hs.HybridSwin(model.variant)
    again.load_state_dict(model.state_dict())
    assert torch.equal(run(again.eval(), x), run(model, x))
    replacement.undo()
    assert model.variant is old


def test_a_hybrid_swin_is_replaced_again_and_undone_in_order(make):
    model, x = make("ours")
    before, old = run(model, x), model.variant
    first = hs.replace_blocks(model, "w_msa+conv", stage=0)
    second = hs.replace_blocks(model, "mdta", stage=0)
    assert set(hows(second)) == {"fresh"}
    with pytest.raises(InputError, match="undo what came later first"):
        first.undo()
    second.undo()
    first.undo()
    assert torch.equal(run(model, x), before)
    assert model.variant == old


def test_windows_of_two_sides_stay():
    stages = tuple(hs.Stage(8 * i, 2, 2 * i, ("w_msa", "sw_msa")) for i in (1, 2))
    torch.manual_seed(0)
    model = hs.HybridSwin(hs.Variant((20, 24), 3, 2, 2, (3, 4), 2, stages)).eval()
    x = torch.randn(1, 3, 20, 24)
    before = run(model, x)
    for stage in range(2):
        assert set(hows(hs.replace_blocks(model, stage=stage))) == {"identity start"}
    assert torch.allclose(run(model, x), before, atol=1e-5)
    assert model.layers[0].blocks[1].attn.branches[1].window == (3, 4)
    assert hs.HybridSwin(model.variant).load_state_dict(model.state_dict())


def test_norms_inside_the_mixer_are_refused():
    stage = hs.Stage(8, 1, 2, ("w_msa+conv",), norm="branch")
    model = hs.HybridSwin(hs.Variant(image_size=8, patch_size=1, num_classes=2, stages=(stage,)))
    with pytest.raises(InputError, match="norms each of its branches"):
        hs.replace_blocks(model, stage=0)


def test_a_pyramid_of_features():
    model = hs.create_model("swin_t", img_size=32, patch_size=2, window_size=4, features_only=True)
    x = torch.randn(1, 3, 32, 32)
    before = run(model.eval(), x)
    replacement = hs.replace_blocks(model, stage=1)
    assert set(hows(replacement)) == {"identity start"}
    for a, b in zip(run(model, x), before, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
