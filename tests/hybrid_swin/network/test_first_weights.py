"""Networks that are made without memory, or emptied, get the first weights that others have."""

import copy
import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.utils import prune, weight_norm

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.network.contract import words_with
from hybrid_swin.network.first_weights import reset
from hybrid_swin.network.fusions.concat import Concat
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec import registry
from hybrid_swin.spec.variant import Variant

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


@pytest.mark.parametrize("merging", ["conv", "pool"])
def test_other_stems_and_mergings_and_layer_scales_are_reset(merging):
    stages = [dataclasses.replace(VARIANT.stages[1], width=width) for width in (32, 64)]
    others = {"stem": "conv", "merging": merging, "layer_scale": 1e-4}
    like = HybridSwin(dataclasses.replace(VARIANT, stages=stages, **others))
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


def load_plainly(model, like):
    model.load_state_dict(like.state_dict())


def load_ours(model, like):
    hs.load_weights(model, like.state_dict())


def load_sharded(model, like):
    mesh = init_device_mesh("cpu", (1,))
    for _, block in [*model.blocks()][::8]:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    garbage(model.to_empty(device="cpu"))
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    set_model_state_dict(model, like.state_dict(), options=options)


@pytest.mark.parametrize("load", [load_plainly, load_ours, load_sharded])
def test_an_emptied_network_trains_once_its_weights_are_loaded(load, one_process):
    like = network()
    with torch.device("meta"):
        model = network()
    garbage(model.to_empty(device="cpu"))
    load(model, like)
    images, outs = torch.randn(4, 3, 16, 16), []
    for each in (model, like):
        torch.manual_seed(1)  # drop path must drop the same
        outs.append(each.train()(images))
    torch.testing.assert_close(*outs)
    outs[0].sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_checkpoint_holds_every_buffer():
    """What it does not hold is garbage in a network that was emptied and filled from it."""
    for model in (network(), Pyramid(network())):
        assert {name for name, _ in model.named_buffers()} <= set(model.state_dict())


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore:DTensor random operators:UserWarning")  # on a CPU, torch says
def test_a_sharded_network_is_reset(one_process):
    with torch.device("meta"):
        model = network()
    mesh = init_device_mesh("cpu", (1,))
    for _, block in [*model.blocks()][::8]:
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


def test_a_part_that_cannot_be_reset_is_named():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

    model = network()
    model.head.extra = Bare()
    with pytest.raises(InputError, match=r"head.extra \(Bare\) has no reset_parameters"):
        reset(model)


def test_what_others_put_on_the_network_itself_stays():
    model = network()
    model.register_buffer("mean", torch.tensor([0.5, 0.25]))
    model.extra = nn.Parameter(torch.ones(2))
    garbage(model.layers)
    model.reset_parameters()
    model.init_weights("lecun_normal")
    assert model.mean.tolist() == [0.5, 0.25] and model.extra.tolist() == [1, 1]
    assert all(t.isfinite().all() for t in tensors(model).values())


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("apply", "source"),
    [
        (weight_norm, "weight_g"),
        (lambda layer: prune.l1_unstructured(layer, "weight", 0.5), "weight_orig"),
    ],
)
def test_a_weight_that_a_hook_computes_is_named(apply, source):
    model = network()
    apply(model.layers[0].blocks[0].mlp.fc1)
    with pytest.raises(InputError, match=f"mlp.fc1.weight is computed from {source}.*remove that"):
        model.reset_parameters()


def test_networks_change_whatever_the_default_device_is():
    model = network()
    concat = next(m for m in model.modules() if isinstance(m, Concat))
    with torch.device("meta"):
        concat.identity_start(0)
        model.reset_classifier(5)
        model.prune_intermediate_layers([0], prune_head=True)
        model.reset_parameters()
    assert not any(t.is_meta for t in tensors(model).values())
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 8, 8, 24)
