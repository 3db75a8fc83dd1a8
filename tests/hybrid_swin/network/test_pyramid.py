import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

VARIANT = Variant(
    (24, 20),
    2,
    5,
    2,
    4,
    2,
    [
        Stage(12, 2, 3, ("w_msa", "sw_msa")),
        Stage(24, 1, 3, ("conv+mdta:gate",)),
        Stage(36, 1, 3, ("mdta",)),
    ],
)
CHANNELS = [12, 24, 36]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return HybridSwin(VARIANT).eval()


@pytest.mark.parametrize("size", [(24, 20), (23, 7), (1, 1)])
def test_the_maps_are_those_of_the_network(model, size):
    images = torch.randn(2, 2, *size)
    found = Pyramid(model)(images)
    for mine, other in zip(found, model.forward_intermediates(images)[1], strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize(
    ("out_indices", "stages"),
    [(None, [0, 1, 2]), (1, [2]), ((0, 1), [0, 1]), ((-2,), [1]), ((2, 0), [0, 2])],
)
def test_what_is_told_of_the_maps_is_what_they_are(model, out_indices, stages):
    pyramid = Pyramid(model, out_indices)
    images = torch.randn(2, 2, 32, 48)
    maps, info = pyramid(images), pyramid.feature_info
    assert [m.shape[1] for m in maps] == info.channels() == [CHANNELS[i] for i in stages]
    assert [32 // m.shape[2] for m in maps] == info.reduction() == [2 * 2**i for i in stages]
    assert [48 // m.shape[3] for m in maps] == info.reduction()
    assert all(m.is_contiguous(memory_format=torch.channels_last) for m in maps)
    outputs = {}
    for name in info.module_name():
        pyramid.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: outputs.__setitem__(name, out)
        )
    again = pyramid(images)
    for name, mine in zip(info.module_name(), again, strict=True):
        assert mine.data_ptr() == outputs[name].data_ptr()  # a view: nothing is copied


def test_what_is_told_of_a_stage_is_found_by_its_index(model):
    info = Pyramid(model, (1, 2)).feature_info
    assert (info.channels(0), info.reduction(1), info.module_name(2)) == (12, 4, "layers.2")
    assert info.channels([0, 2]) == [12, 36]
    assert info.get_dicts() == [
        {"num_chs": 24, "reduction": 4, "module": "layers.1", "index": 1},
        {"num_chs": 36, "reduction": 8, "module": "layers.2", "index": 2},
    ]


def test_stages_that_nobody_wants_are_left_out(model):
    pyramid = Pyramid(model, (0, -2))
    assert len(pyramid.layers) == 2
    assert pyramid.variant.stages == VARIANT.stages[:2] and pyramid.variant.num_classes == 0
    pyramid(torch.randn(1, 2, 24, 20))[1].sum().backward()
    assert all(p.grad is not None for p in pyramid.parameters())
    built = HybridSwin(pyramid.variant).state_dict()
    assert {n: p.shape for n, p in pyramid.state_dict().items()} == {
        n: p.shape for n, p in built.items() if not n.startswith(("norm.", "head."))
    }


def test_the_network_and_its_pyramid_share_their_weights(model):
    shared = Pyramid(model)
    assert {id(p) for p in shared.parameters()} < {id(p) for p in model.parameters()}
    exempt = {name for name in model.no_weight_decay() if not name.startswith(("norm.", "head."))}
    assert shared.no_weight_decay() == exempt and exempt


def test_weights_are_loaded_by_name(model, tmp_path):
    path = tmp_path / "weights.safetensors"
    hs.save_weights(model, path)
    pyramid = hs.create_model(VARIANT, features_only=True, out_indices=(0, 1))
    report = hs.load_weights(pyramid, path)
    assert not report.fresh
    images = torch.randn(1, 2, 24, 20)
    assert torch.equal(pyramid.eval()(images)[1], Pyramid(model, (1,))(images)[0])


def test_stages_that_do_not_exist_are_refused(model):
    with pytest.raises(InputError, match="stage 3 does not exist"):
        Pyramid(model, (0, 3))
