"""Networks that are made without memory, or emptied, get the first weights that others have."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from hybrid_swin import registry
from hybrid_swin.contract import words_with
from hybrid_swin.errors import InputError
from hybrid_swin.first_weights import reset
from hybrid_swin.model import HybridSwin
from hybrid_swin.pyramid import Pyramid
from hybrid_swin.variant import Variant

# Every branch alone and every fusion, and options that make parameters of their own.
WORDS = sorted(
    {
        *registry.names("branch"),
        "sw_msa(attention=cosine;bias=continuous)",
        "conv+mdta:scale(init=0.5)",
        "conv+w_msa:cross(norm=batch)",
        "conv+mdta:selective(norm=batch)",
    }
    | {list(words_with("fusion", name))[-1] for name in registry.names("fusion")}
)
# Of widths at which a few thousand weights tell a standard deviation.
VARIANT = Variant.from_dict(
    {
        "image_size": 16,
        "num_classes": 7,
        "patch_size": 2,
        "window_size": 4,
        "stages": [
            {"width": 24, "depth": len(WORDS), "num_heads": 4, "blocks": WORDS},
            {"width": 32, "depth": 1, "num_heads": 4, "blocks": ["w_msa"], "norm": "post"},
        ],
    }
)


def network(weight_init="trunc_normal", zero_init_residual=True):
    torch.manual_seed(0)
    return HybridSwin(VARIANT, 0.3, weight_init, zero_init_residual=zero_init_residual)


def tensors(model):
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def assert_first_weights(model, like):
    """Constants are the same, what is random is as wide, and nothing else is there."""
    found, expected = tensors(model), tensors(like)
    assert found.keys() == expected.keys()
    for name, want in expected.items():
        got = found[name]
        assert got.isfinite().all(), name
        if want.numel() < 2 or want.double().std() == 0:
            assert torch.equal(got, want), name
            continue
        assert not torch.equal(got, want), name  # drawn again
        few = 4 / math.sqrt(2 * want.numel())  # four standard errors of a standard deviation
        ratio = float(got.detach().std() / want.detach().std())
        assert abs(math.log(ratio)) < 0.05 + 2 * few, (name, ratio)


def garbage(model):
    with torch.no_grad():
        for tensor in tensors(model).values():
            tensor.fill_(float("nan") if tensor.is_floating_point() else 99)
    torch.manual_seed(1)  # other draws than those of the network to compare with
    return model


@pytest.mark.parametrize("zero_init_residual", [True, False])
@pytest.mark.parametrize("weight_init", ["trunc_normal", "lecun_normal"])
def test_a_reset_leaves_nothing_as_it_was(weight_init, zero_init_residual):
    like = network(weight_init, zero_init_residual)
    model = garbage(copy.deepcopy(like))
    model.reset_parameters()
    assert_first_weights(model, like)


@pytest.mark.parametrize("zero_init_residual", [True, False])
def test_norms_behind_mixers_start_as_asked_and_others_at_1(zero_init_residual):
    model = network(zero_init_residual=zero_init_residual)
    behind = [model.layers[1].blocks[0].norm1, model.layers[1].blocks[0].norm2]
    norms = [m for m in model.modules() if isinstance(m, nn.LayerNorm)]
    for norm in norms:
        start = 0 if norm in behind and zero_init_residual else 1
        assert (norm.weight == start).all() and (norm.bias == 0).all()


@pytest.mark.parametrize("features_only", [False, True])
def test_a_network_made_on_meta_is_emptied_and_reset(features_only):
    make = Pyramid if features_only else (lambda model: model)
    with torch.device("meta"):
        model = make(network())
    assert all(t.is_meta for t in tensors(model).values())
    garbage(model.to_empty(device="cpu")).reset_parameters()
    assert_first_weights(model, make(network()))
    model.train()(torch.randn(2, 3, 16, 16))


def test_weights_assigned_to_a_network_on_meta_train():
    like = network()
    with torch.device("meta"):
        model = network()
    model.load_state_dict(like.state_dict(), assign=True)
    assert not any(t.is_meta for t in tensors(model).values())
    images = torch.randn(4, 3, 16, 16)
    for each in (model, like):
        torch.manual_seed(1)
        each.train()(images).sum().backward()
    for (name, got), want in zip(model.named_parameters(), like.parameters(), strict=True):
        assert torch.equal(got.grad, want.grad), name


def test_a_copy_of_a_network_on_meta_finds_its_own_buffers():
    with torch.device("meta"):
        model = network()
    twin = copy.deepcopy(model)
    twin.load_state_dict(network().state_dict(), assign=True)
    assert not any(b.is_meta for b in twin.buffers())
    assert any(b.is_meta for b in model.buffers())


@pytest.mark.filterwarnings("ignore:DTensor random operators:UserWarning")  # on a CPU, torch says
def test_a_sharded_network_is_reset(tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        with torch.device("meta"):
            model = network()
        mesh = init_device_mesh("cpu", (1,))
        for _, block in model.blocks():
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)
        model.to_empty(device="cpu")
        torch.manual_seed(1)
        model.reset_parameters()
        whole = {name: p.full_tensor() for name, p in model.named_parameters()}
        like = network()
        like.load_state_dict({**like.state_dict(), **whole})
        assert_first_weights(like, network())
        loss = model.train()(torch.randn(2, 3, 16, 16)).sum()
        loss.backward()
        assert loss.isfinite()
    finally:
        torch.distributed.destroy_process_group()


def test_a_part_that_cannot_be_reset_is_named():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

    model = network()
    model.head.extra = Bare()
    with pytest.raises(InputError, match=r"head.extra \(Bare\) has no reset_parameters"):
        reset(model)
