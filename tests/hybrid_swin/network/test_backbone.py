"""What holds for every network: names, weight decay, checkpointing, compiling."""

import copy

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.parameter_groups import parameter_groups

HYBRID = Variant(
    image_size=(24, 20),
    in_channels=2,
    num_classes=5,
    patch_size=2,
    window_size=4,
    mlp_ratio=2,
    stages=[
        Stage(12, 2, 3, ("w_msa", "sw_msa")),
        Stage(24, 2, 3, ("conv+mdta:gate", "w_msa+mdta:split")),
        Stage(36, 1, 3, ("mdta",)),
    ],
)

# Weight decay


def test_what_must_not_decay_is_named():
    model = HybridSwin(HYBRID)
    exempt = model.no_weight_decay()
    assert exempt == {
        "layers.0.blocks.0.attn.relative_position_bias_table",
        "layers.0.blocks.1.attn.relative_position_bias_table",
        "layers.1.blocks.0.attn.branches.1.temperature",
        "layers.1.blocks.1.attn.branches.0.temperature",
        "layers.1.blocks.1.attn.branches.1.relative_position_bias_table",
        "layers.2.blocks.0.attn.temperature",
    }
    assert exempt <= {name for name, _ in model.named_parameters()}


def test_only_matrices_and_kernels_decay():
    model = HybridSwin(HYBRID)
    decayed, kept = ({*group.parameters.values()} for group in parameter_groups(model, Recipe()))
    weights = {
        id(module.weight) for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)
    }
    assert {id(p) for p in decayed} == weights
    assert len(decayed) + len(kept) == len(list(model.parameters()))


def test_mixers_are_found_by_name():
    model = HybridSwin(HYBRID)
    found = dict(model.mixers())
    assert list(found) == [
        "layers.0.blocks.0.attn",
        "layers.0.blocks.1.attn",
        "layers.1.blocks.0.attn",
        "layers.1.blocks.1.attn",
        "layers.2.blocks.0.attn",
    ]
    assert all(model.get_submodule(name) is mixer for name, mixer in found.items())


# Gradient checkpointing


def saved_bytes(model, images):
    """What a forward pass leaves for the backward pass, parameters aside, and its loss."""
    held, mine = {}, {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in mine:
            held[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = model(images).square().sum()
    return sum(size for size, _ in held.values()), loss


def test_checkpointing_stores_less_and_gives_the_same_gradients():
    torch.manual_seed(0)
    model = HybridSwin(HYBRID, 0.5).train()
    images = torch.randn(4, 2, 24, 20)
    stored, gradients = [], []
    for enable in (False, True, False):
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        torch.manual_seed(1)  # of drop path, which must drop the same when computed again
        size, loss = saved_bytes(model, images)
        loss.backward()
        stored.append(size)
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert stored[1] < stored[0] / 4 and stored[2] == stored[0]
    for plain, checkpointed in zip(*gradients[:2], strict=True):
        assert torch.equal(plain, checkpointed)


def test_checkpointing_without_gradients_computes_once():
    model = HybridSwin(HYBRID).eval()
    calls = []
    for _, block in model.blocks():
        block.register_forward_pre_hook(lambda *_: calls.append(1))
    model.set_grad_checkpointing()
    images = torch.randn(1, 2, 24, 20)
    with torch.no_grad():
        model(images)
    assert len(calls) == 5
    model(images).sum().backward()
    assert len(calls) == 5 + 2 * 5


def test_a_pyramid_checkpoints_as_well():
    pyramid = Pyramid(HybridSwin(HYBRID))
    images = torch.randn(2, 2, 24, 20)
    plain = saved_bytes(nn.Sequential(pyramid, Last()), images)[0]
    pyramid.set_grad_checkpointing()
    assert saved_bytes(nn.Sequential(pyramid, Last()), images)[0] < plain / 3


class Last(nn.Module):
    def forward(self, maps):
        return maps[-1]


# Compiling

# Dynamo asks every tensor for its gradient, and hides the warning only from what is printed:
# https://github.com/pytorch/pytorch/blob/v2.13.0/torch/_dynamo/variables/builder.py
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


def compiled(model, **options):
    torch._dynamo.reset()
    counter = CompileCounter()
    model.compile_blocks(backend=counter, fullgraph=True, **options)
    return counter


def test_blocks_compile_without_a_break():
    """``fullgraph`` refuses what would break the graph."""
    stages = [
        Stage(12, 2, 3, ("sw_msa", "grid(attention=cosine;mask_padding=true)")),
        Stage(12, 3, 3, ("conv+sw_msa:split", "conv+w_msa:cross", "mdta+conv:scale")),
        Stage(12, 2, 3, ("mdta+w_msa:selective", "conv+mdta+w_msa:concat"), norm="branch"),
        Stage(12, 2, 3, ("mdta+w_msa:cascade", "conv+w_msa:gate"), norm="post"),
    ]
    torch.manual_seed(0)
    plain = HybridSwin(Variant(50, 1, 3, 1, 4, 2, stages)).eval()
    model = copy.deepcopy(plain)
    counter = compiled(model)
    images = torch.randn(1, 1, 50, 50)
    with torch.no_grad():
        torch.testing.assert_close(model(images), plain(images))
    assert counter.frame_count == 9
    assert list(model.state_dict()) == list(plain.state_dict())


def test_equal_blocks_are_compiled_once_whatever_their_drop_path():
    stages = [Stage(8, 6, 2, ("conv", "identity"))]
    model = HybridSwin(Variant(8, 1, 3, 1, 4, 2, stages), 0.3).train()
    counter = compiled(model)
    images = torch.randn(2, 1, 8, 8)
    for _ in range(2):
        model(images).sum().backward()
    assert counter.frame_count == 3  # two kinds, and the first block, which drops nothing
    assert all(p.grad is not None for p in model.parameters())


def test_every_size_is_compiled_once_and_none_is_left_out():
    """Torch's own limit of 8 would leave the fifth size of two kinds of block as it is."""
    stages = [Stage(8, 4, 2, ("conv", "identity"))]
    model = HybridSwin(Variant(8, 1, 3, 1, 4, 2, stages)).eval()
    counter = compiled(model)
    with torch.no_grad():
        for side, count in ((8, 2), (6, 4), (8, 4), (10, 6), (5, 8), (9, 10), (6, 10)):
            model(torch.randn(1, 1, side, side))
            assert counter.frame_count == count


def test_a_whole_network_compiles_without_a_break():
    torch._dynamo.reset()
    stages = [Stage(8, 1, 2, ("sw_msa",)), Stage(8, 1, 2, ("conv",))]
    model = HybridSwin(Variant(15, 1, 3, 2, 2, 2, stages)).eval()
    compiled_model = torch.compile(model, backend="eager", fullgraph=True, dynamic=False)
    images = torch.randn(2, 1, 15, 15)
    with torch.no_grad():
        torch.testing.assert_close(compiled_model(images), model(images))
