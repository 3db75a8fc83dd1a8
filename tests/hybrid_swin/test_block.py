import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hybrid_swin.block import Block, DropPath, build_mixer
from hybrid_swin.block_words import parse
from hybrid_swin.branches.conv import Conv
from hybrid_swin.fusions.gate import Gate


def block(drop_path=0.0, word="conv", norm="pre"):
    torch.manual_seed(0)
    return Block(parse(word), 8, 2, 4, (4, 4), 2.5, drop_path, norm)


def test_a_block_is_two_residuals():
    module = block().eval()
    x = torch.randn(2, 4, 4, 8)
    middle = x + module.attn(module.norm1(x))
    expected = middle + module.mlp(module.norm2(middle))
    torch.testing.assert_close(module(x), expected, rtol=0, atol=0)
    assert module.mlp.fc1.out_features == 20


def shaken(module):
    """The same with norms that are not at their start."""
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.LayerNorm):
                part.weight.normal_()
                part.bias.normal_()
    return module


def test_an_mlp_keeps_no_second_hidden_map_without_gradients_and_its_input_with_them():
    mlp, x = block().mlp, torch.randn(2, 4, 4, 8)
    seen = []
    mlp.fc1.register_forward_hook(lambda *call: seen.append(call[2]))
    mlp.act.register_forward_hook(lambda *call: seen.append(call[2]))
    hidden = F.linear(x, mlp.fc1.weight, mlp.fc1.bias).detach()
    expected = F.linear(F.gelu(hidden), mlp.fc2.weight, mlp.fc2.bias).detach()
    out = mlp(x)
    torch.testing.assert_close(out.detach(), expected, rtol=0, atol=0)
    torch.testing.assert_close(seen[0].detach(), hidden, rtol=0, atol=0)
    for context in (torch.no_grad(), torch.inference_mode()):
        seen.clear()
        with context:
            torch.testing.assert_close(mlp(x), expected, rtol=0, atol=0)
            assert seen[0].data_ptr() == seen[1].data_ptr()


def test_norms_may_stand_behind_mixer_and_mlp():
    module = shaken(block(norm="post")).eval()
    x = torch.randn(2, 4, 4, 8)
    middle = x + module.norm1(module.attn(x))
    expected = middle + module.norm2(module.mlp(middle))
    torch.testing.assert_close(module(x), expected, rtol=0, atol=0)
    names = set(block().state_dict())
    assert set(module.state_dict()) == names


def test_a_block_with_norms_behind_starts_as_the_identity():
    x = torch.randn(2, 4, 4, 8)
    assert torch.equal(block(norm="post")(x), x)
    assert not torch.equal(block()(x), x)


@pytest.mark.parametrize("fusion", ["sum", "concat", "gate", "cascade", "split", "cross"])
def test_each_branch_may_have_a_norm_of_its_own(fusion):
    module = shaken(block(word=f"conv+w_msa:{fusion}", norm="branch")).eval()
    first, second = module.attn.branches
    assert isinstance(module.norm1, nn.Identity)
    assert first.norm is not second.norm
    widths = {"split": (4, 4), "cross": (8, 4)}.get(fusion, (8, 8))
    assert (first.norm.weight.numel(), second.norm.weight.numel()) == widths
    x = torch.randn(2, 4, 4, 8)
    mixed = {
        "sum": lambda: first.branch(first.norm(x)) + second.branch(second.norm(x)),
        "cascade": lambda: first(x) + second.branch(second.norm(x + first(x))),
    }.get(fusion, lambda: module.attn(x))()
    middle = x + mixed
    torch.testing.assert_close(module(x), middle + module.mlp(module.norm2(middle)))
    before = module(x)
    with torch.no_grad():
        second.norm.weight.zero_()
        second.norm.bias.zero_()
    assert not torch.allclose(module(x), before)


def test_a_norm_a_branch_is_plain_where_there_is_one_branch():
    assert set(block(norm="branch").state_dict()) == set(block().state_dict())


def test_branches_with_norms_of_their_own_can_start_as_one():
    module = shaken(block(word="conv+w_msa", norm="branch")).eval()
    x = torch.randn(2, 4, 4, 8)
    expected = module.attn.branches[1](x)
    assert module.attn.identity_start(1)
    torch.testing.assert_close(module.attn(x), expected)


def test_a_single_branch_stands_bare_and_several_in_their_fusion():
    single = build_mixer(parse("conv(kernel=5)"), 8, 2, 4, (4, 4))
    assert isinstance(single, Conv)
    assert single.dwconv.kernel_size == (5, 5)
    several = build_mixer(parse("conv+w_msa:gate(per=pixel)"), 8, 2, 4, (4, 4))
    assert isinstance(several, Gate)
    assert several.per == "pixel"
    assert "branches.1.qkv.weight" in several.state_dict()
    unnamed = build_mixer(parse("conv+w_msa"), 8, 2, 4, (4, 4))  # as the user wrote it
    assert [type(b).__name__ for b in unnamed.branches] == ["Conv", "WMSA"]
    assert type(unnamed).__name__ == "Sum"


def test_drop_path_keeps_or_drops_whole_samples_and_keeps_the_expectation():
    torch.manual_seed(0)
    drop = DropPath(0.3).train()
    x = torch.ones(20_000, 2, 3)
    out = drop(x)
    kept = out[:, 0, 0] != 0
    assert torch.equal(out, kept[:, None, None] * x / 0.7)
    assert abs(kept.float().mean() - 0.7) < 0.015
    assert abs(out.mean() - 1) < 0.02


def test_drop_path_is_off_in_evaluation_and_at_rate_zero():
    x = torch.randn(50, 3)
    assert DropPath(0.9).eval()(x) is x
    assert DropPath(0.0).train()(x) is x


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_drop_path_keeps_the_type(dtype):
    out = DropPath(0.5).train()(torch.ones(64, 2, dtype=dtype))
    assert out.dtype == dtype
    assert set(out.unique().tolist()) == {0.0, 2.0}


def test_a_dropped_block_is_the_identity_with_its_gradient():
    torch.manual_seed(3)
    module = block(drop_path=0.999999).train()
    x = torch.randn(4, 4, 4, 8, requires_grad=True)
    out = module(x)
    assert torch.equal(out, x)
    out.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_both_residuals_are_dropped_on_their_own():
    torch.manual_seed(0)
    module = block(drop_path=0.5).train()
    x = torch.randn(1, 4, 4, 8).expand(400, 4, 4, 8)
    distinct = {tuple(row.flatten().tolist()) for row in module(x).detach()}
    assert len(distinct) == 4  # none, the mixer, the MLP, both
