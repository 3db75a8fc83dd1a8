"""What `replace_blocks` does to any Swin, and what it refuses."""

import pytest
import torch
from torch import nn
from transformers import Swinv2Config, Swinv2Model

import hybrid_swin as hs
from hybrid_swin.errors import InputError

KINDS = ("timm", "huggingface 4", "huggingface 5", "ours")


def swin(model):
    """What a user would give to ``replace_blocks``."""
    return getattr(model, "inside", model)


@torch.no_grad()
def run(model, x):
    return model(x)


def hows(replacement):
    return [block.how for block in replacement.blocks]


def is_same(replacement):
    return set(hows(replacement)) <= {"taken", "identity start"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("w_msa", "taken"),
        ("w_msa+mdta:gate", "identity start"),
        ("conv+w_msa", "identity start"),
        ("w_msa+conv:scale", "identity start"),
        ("mdta+w_msa:cascade", "identity start"),
        ("conv+mdta+w_msa:concat", "identity start"),
        ("w_msa+xca:selective", "identity start"),
        ("w_msa+sw_msa", "identity start"),
        ("w_msa+conv:split", "fresh"),
        ("w_msa+conv:cross", "fresh"),
        ("conv", "fresh"),
        ("identity+w_msa", "changed"),
    ],
)
def test_a_block_starts_as_it_is_said_to_and_comes_back(kind, word, expected, make):
    model, x = make(kind)
    before, names, modules = run(model, x), list(model.state_dict()), list(model.modules())
    replacement = hs.replace_blocks(swin(model), word, stage=0)
    assert set(hows(replacement)) == {expected}
    assert all(block.why or is_same(replacement) for block in replacement.blocks)
    assert expected in str(replacement)
    assert torch.allclose(run(model, x), before, atol=1e-5) == is_same(replacement)

    model.train()(x).square().sum().backward()
    unfelt = [
        name
        for name, p in model.named_parameters()
        if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not unfelt

    replacement.undo()
    model.eval()
    assert list(model.state_dict()) == names
    assert all(a is b for a, b in zip(model.modules(), modules, strict=True))
    assert torch.equal(run(model, x), before)


@pytest.mark.parametrize("kind", ["timm", "huggingface 5", "ours"])
def test_only_the_blocks_named_are_replaced(kind, make):
    model, x = make(kind)
    before, modules = run(model, x), dict(model.named_modules())
    replacement = hs.replace_blocks(swin(model), "mdta", stage=1, blocks=[2, 0])
    assert [b.name.split("layers.")[1] for b in replacement.blocks] == ["1.blocks.2", "1.blocks.0"]
    assert not torch.allclose(run(model, x), before, atol=1e-3)
    for name, module in model.named_modules():
        if not any(block.name in name for block in replacement.blocks) and "blocks" in name:
            assert module is modules[name]
    kept = {
        p.data_ptr()
        for n, p in model.named_parameters()
        if any(f"{block.name}." in n for block in replacement.blocks)
    }
    shell = {
        p.data_ptr()
        for name, module in modules.items()
        if any(f"{block.name}." in f"{name}." for block in replacement.blocks)
        for n, p in module.named_parameters(name)
        if "att" not in n
    }
    assert shell
    assert shell <= kept


@pytest.mark.parametrize("kind", ["timm", "huggingface 5", "ours"])
def test_the_shift_is_the_blocks_own_unless_the_word_shall_say_it(kind, make):
    model, x = make(kind)
    before = run(model, x)
    words = [b.word for b in hs.replace_blocks(swin(model), "w_msa+conv", stage=0).blocks]
    timm = "w_msa(small_map=fixed)", "sw_msa(roll=bare;shift=fixed;small_map=fixed)"
    own = {
        "timm": timm,
        "huggingface 5": ("w_msa", "sw_msa(shift=map)"),
        "ours": ("w_msa", "sw_msa"),
    }
    assert words == [f"{part}+conv" for part in own[kind]]
    for word, shift in (("w_msa+conv", "word"), ("sw_msa+conv", "word"), ("sw_msa+conv", "block")):
        model, x = make(kind)
        replacement = hs.replace_blocks(swin(model), word, stage=0, shift=shift)
        expected = ["identity start", "changed"]
        assert hows(replacement) == (expected if word == "w_msa+conv" else expected[::-1])
        assert not torch.allclose(run(model, x), before, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_identity_start_the_attention_has_its_weights_all_the_same(kind, make):
    model, x = make(kind)
    before = run(model, x)
    block = next(m for m in model.modules() if hasattr(m, "layernorm_before") or hasattr(m, "mlp"))
    attention = block.attn if hasattr(block, "attn") else block.attention
    proj = [p.clone() for n, p in attention.named_parameters() if "weight" in n and p.ndim == 2]
    replacement = hs.replace_blocks(swin(model), "conv+w_msa", stage=0, identity_start=False)
    assert set(hows(replacement)) == {"changed"}
    assert not torch.allclose(run(model, x), before, atol=1e-3)
    kept = [p for n, p in model.named_parameters() if "branches.1" in n and p.ndim == 2]
    assert any(torch.equal(p, q) for p in kept for q in proj if p.shape == q.shape)


@pytest.mark.parametrize("kind", ["timm", "huggingface 5", "ours"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stage": 2}, "stage 2 does not exist; the model has stages 0 to 1"),
        ({"stage": -1}, "stage -1 does not exist"),
        ({"stage": "2"}, "stage '2' does not exist"),
        ({"stage": 1, "blocks": [0, 3]}, "block 3 does not exist; stage 1 has blocks 0 to 2"),
        ({"stage": 1, "blocks": [0, 0]}, "each block once"),
        ({"stage": 1, "blocks": []}, "at least one block's number"),
        ({"stage": 1, "blocks": "01"}, "block '0' does not exist"),
        ({"stage": 1, "blocks": 1}, "must be a list of at least one"),
        ({"stage": 1, "word": "w_mas"}, "did you mean 'w_msa'"),
        ({"stage": 1, "word": "w_msa+"}, "cannot be read"),
        ({"stage": 1, "word": 3}, "a block is a word"),
        ({"stage": 0, "word": "w_msa+conv+mdta:split"}, "num_heads 2 is too few for 3 branches"),
        ({"stage": 1, "shift": "none"}, "unknown shift 'none'"),
    ],
)
def test_a_mistake_is_told_and_the_model_is_as_it_was(kind, arguments, message, make):
    model, _ = make(kind)
    modules = list(model.modules())
    with pytest.raises(InputError, match=message):
        hs.replace_blocks(swin(model), **arguments)
    assert all(a is b for a, b in zip(model.modules(), modules, strict=True))


def test_a_misfit_names_the_users_stage(make):
    model, _ = make("timm")
    with pytest.raises(InputError, match=r"^stage 0: 'w_msa.*\+conv\+mdta:split'"):
        hs.replace_blocks(model, "w_msa+conv+mdta:split", stage=0)


@pytest.mark.parametrize(
    "build",
    [
        lambda make: nn.Linear(2, 2),
        lambda make: nn.Sequential(make("timm")[0]),
        lambda make: make("huggingface 5")[0],
        lambda make: Swinv2Model(
            Swinv2Config(image_size=8, patch_size=2, embed_dim=8, depths=[1], num_heads=[2])
        ),
        lambda make: None,
    ],
)
def test_what_is_no_swin_is_refused(build, make):
    with pytest.raises(InputError, match=r"takes a Swin Transformer of timm .* got a"):
        hs.replace_blocks(build(make), stage=0)
