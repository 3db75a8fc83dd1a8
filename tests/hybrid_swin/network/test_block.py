from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from hybrid_swin.network.block import Block, DropPath, build_mixer
from hybrid_swin.network.branches.conv import Conv
from hybrid_swin.network.fusions.gate import Gate
from hybrid_swin.spec.block_words import parse


def block(drop_path=0.0, word="conv", norm="pre", layer_scale=0.0):
    torch.manual_seed(0)
    return Block(parse(word), 8, 2, 4, (4, 4), 2.5, drop_path, norm, layer_scale)


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


def by_formula(mlp, x):
    hidden = F.linear(x, mlp.fc1.weight, mlp.fc1.bias).detach()
    return hidden, F.linear(F.gelu(hidden), mlp.fc2.weight, mlp.fc2.bias).detach()


def test_an_mlp_keeps_no_second_hidden_map_without_gradients(monkeypatch):
    mlp, x = block().mlp, torch.randn(2, 4, 4, 8)
    seen, linear = [], nn.Linear.forward  # of the class: no hook, which would be let see its values

    def watched(layer, given):
        out = linear(layer, given)
        seen.append((given.data_ptr(), out.data_ptr()))
        return out

    monkeypatch.setattr(nn.Linear, "forward", watched)
    _, expected = by_formula(mlp, x)
    for context in (torch.no_grad(), torch.inference_mode()):
        seen.clear()
        with context:
            torch.testing.assert_close(mlp(x), expected, rtol=0, atol=0)
        assert seen[0][1] == seen[1][0]


class Functions(TorchFunctionMode):
    def __init__(self, seen):
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **kwargs or {})
        if func is F.linear:
            self.seen.append(out)
        return out


class Operations(TorchDispatchMode):
    def __init__(self, seen):
        self.seen = seen

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **kwargs or {})
        if func in (torch.ops.aten.addmm.default, torch.ops.aten.linear.default):
            self.seen.append(out)
        return out


def replace_forward(mlp, seen):
    forward = mlp.fc1.forward
    mlp.fc1.forward = lambda x: seen.append(forward(x)) or seen[-1]


def replace_layer(mlp, seen):
    class Kept(nn.Linear):
        def forward(self, x):
            seen.append(super().forward(x))
            return seen[-1]

    mlp.fc1 = Kept(8, 20)


WATCHERS = {
    "hook": lambda mlp, seen: mlp.fc1.register_forward_hook(lambda *call: seen.append(call[2])),
    "hook of the next": lambda mlp, seen: mlp.act.register_forward_pre_hook(
        lambda _, given: seen.append(given[0])
    ),
    "another forward": replace_forward,
    "another layer": replace_layer,
    "functions": lambda mlp, seen: Functions(seen),
    "operations": lambda mlp, seen: Operations(seen),
}


@pytest.mark.parametrize("watcher", WATCHERS)
def test_whoever_watches_an_mlp_sees_its_values(watcher):
    mlp, x, seen = block().mlp, torch.randn(2, 4, 4, 8), []
    mode = WATCHERS[watcher](mlp, seen)
    hidden, expected = by_formula(mlp, x)
    for context in (torch.enable_grad(), torch.no_grad(), torch.inference_mode()):
        seen.clear()
        with context, mode if "ions" in watcher else nullcontext():
            torch.testing.assert_close(mlp(x).detach(), expected, rtol=0, atol=0)
        torch.testing.assert_close(seen[0].detach().view_as(hidden), hidden, rtol=0, atol=0)


def test_a_layer_that_gives_its_input_on_does_not_have_it_overwritten():
    mlp, x = block().mlp, torch.randn(2, 4, 4, 8)
    mlp.fc1, mlp.fc2, before = nn.Identity(), nn.Identity(), x.clone()
    with torch.no_grad():
        torch.testing.assert_close(mlp(x), F.gelu(before))
    assert torch.equal(x, before)


def test_another_activation_in_the_place_of_gelu_is_used():
    mlp, x = block().mlp, torch.randn(2, 4, 4, 8)
    for act in (nn.GELU("tanh"), nn.ReLU()):
        mlp.act = act
        with torch.no_grad():
            torch.testing.assert_close(mlp(x), mlp.fc2(act(mlp.fc1(x))))


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


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_layer_scales_multiply_what_mixer_and_mlp_add(norm):
    module, plain = block(norm=norm, layer_scale=1e-5), block(norm=norm)
    assert module.ls1.gamma.tolist() == pytest.approx([1e-5] * 8)
    assert (module.norm1.weight == 1).all()  # of both: the scale is what starts small
    assert set(module.state_dict()) - set(plain.state_dict()) == {"ls1.gamma", "ls2.gamma"}
    with torch.no_grad():
        shaken(module).ls1.gamma.normal_()
        module.ls2.gamma.normal_()
    x = torch.randn(2, 4, 4, 8)
    if norm == "pre":
        middle = x + module.attn(module.norm1(x)) * module.ls1.gamma
        expected = middle + module.mlp(module.norm2(middle)) * module.ls2.gamma
    else:
        middle = x + module.norm1(module.attn(x)) * module.ls1.gamma
        expected = middle + module.norm2(module.mlp(middle)) * module.ls2.gamma
    torch.testing.assert_close(module(x), expected, rtol=0, atol=0)


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


def test_compiled_drop_paths_share_code_and_keep_their_rates():
    torch._dynamo.reset()
    counter = CompileCounter()
    for rate in (0.2, 0.5, 0.8):
        drop = DropPath(rate).train()
        drop.compile(backend=counter, fullgraph=True, dynamic=False)
        out = drop(torch.ones(20_000, 2))
        assert abs((out[:, 0] != 0).float().mean() - (1 - rate)) < 0.02
        torch.testing.assert_close(out.max(), torch.tensor(1 / (1 - rate)))
    drop.rate = 0.5
    torch.testing.assert_close(drop(torch.ones(20_000, 2)).max(), torch.tensor(2.0))
    assert counter.frame_count == 1


def test_a_rate_may_change():
    drop, x = DropPath(0.0).train(), torch.ones(64, 2)
    drop.rate = 0.75
    assert set(drop(x).unique().tolist()) == {0.0, 4.0}
    drop.rate = 0.0
    assert drop(x) is x


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
