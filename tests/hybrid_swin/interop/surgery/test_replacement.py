"""Life with replaced blocks, and the way back."""

import copy

import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.errors import InputError

KINDS = ("timm", "huggingface 4", "huggingface 5", "ours")


def swin(model):
    """What a user would give to ``replace_blocks``."""
    return getattr(model, "inside", model)


@torch.no_grad()
def run(model, x):
    return model(x)


@pytest.mark.parametrize("kind", KINDS)
def test_training_moves_everything_and_undo_keeps_what_it_should(kind, make):
    model, x = make(kind)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    replacement = hs.replace_blocks(swin(model), "w_msa+mdta:gate", stage=0)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    still = [name for name, p in model.named_parameters() if torch.equal(p, start[name])]
    assert not still
    replacement.undo()
    for name, parameter in model.named_parameters():
        inside = any(f"{b.name}.att" in name for b in replacement.blocks)
        assert torch.equal(parameter, before[name]) == inside, name


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_and_a_saved_state_compute_the_same(kind, tmp_path, make):
    model, x = make(kind)
    replacement = hs.replace_blocks(swin(model), "w_msa+mdta:gate", stage=0)
    copied, their_replacement = copy.deepcopy((model, replacement))
    assert torch.equal(run(copied, x), run(model, x))
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other, _ = make(kind)
    hs.replace_blocks(swin(other), "w_msa+mdta:gate", stage=0, identity_start=False)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(run(other, x), run(model, x))
    their_replacement.undo()
    assert not any("branches" in name for name, _ in copied.named_parameters())
    assert any("branches" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize("kind", ["timm", "huggingface 5", "ours"])
def test_half_precision_and_back(kind, make):
    model, x = make(kind)
    before = run(model, x)
    replacement = hs.replace_blocks(swin(model), stage=0)
    model.to(torch.bfloat16)
    half = run(model, x.bfloat16())
    assert half.isfinite().all()
    replacement.undo()
    assert {t.dtype for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()} == {
        torch.bfloat16
    }
    assert (run(model, x.bfloat16()) - before).abs().max() < 0.2
    replacement = hs.replace_blocks(swin(model), stage=0)
    new = [p for n, p in model.named_parameters() if "branches" in n]
    assert new
    assert {p.dtype for p in new} == {torch.bfloat16}
    model.to("meta")
    replacement.undo()
    assert all(p.is_meta for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_modes_follow_the_model(kind, make):
    model, _ = make(kind)
    replacement = hs.replace_blocks(swin(model), stage=0)
    assert not any(m.training for m in model.modules())
    model.train()
    replacement.undo()
    assert all(m.training for m in model.modules())
    hs.replace_blocks(swin(model), stage=0)
    assert all(m.training for m in model.modules())


@pytest.mark.parametrize("kind", ["timm", "huggingface 5", "ours"])
def test_what_was_frozen_stays_frozen(kind, make):
    model, x = make(kind)
    model.requires_grad_(False)
    hs.replace_blocks(swin(model), stage=0)
    free = {name for name, p in model.named_parameters() if p.requires_grad}
    assert any(".branches.0." in name for name in free)  # mdta
    assert not any(".branches.1." in name for name in free)
    model.train()(x).sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_without_weight_decay_are_named_in_full(kind, make):
    model, _ = make(kind)
    replacement = hs.replace_blocks(swin(model), "w_msa+mdta:gate", stage=0, blocks=[1])
    names = replacement.no_weight_decay()
    assert {name.rsplit(".", 1)[1] for name in names} == {
        "temperature",
        "relative_position_bias_table",
    }
    assert names <= {name for name, _ in swin(model).named_parameters()}


@pytest.mark.parametrize("kind", ["timm", "huggingface 5"])
def test_a_block_is_replaced_once_at_a_time(kind, make):
    model, x = make(kind)
    before = run(model, x)
    replacement = hs.replace_blocks(swin(model), stage=0, blocks=[1])
    with pytest.raises(InputError, match=r"layers\.0\.blocks\.1 is replaced already"):
        hs.replace_blocks(swin(model), stage=0)
    other = hs.replace_blocks(swin(model), "conv", stage=1)
    replacement.undo()
    other.undo()
    assert torch.equal(run(model, x), before)
    with pytest.raises(InputError, match="undone already"):
        other.undo()
