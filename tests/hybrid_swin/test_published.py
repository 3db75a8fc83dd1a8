"""Published networks against published numbers and against timm itself."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hybrid_swin.cost import count_cost
from hybrid_swin.counting import counted_cost
from hybrid_swin.errors import InputError
from hybrid_swin.model import HybridSwin
from hybrid_swin.published import names, published
from hybrid_swin.variant import Stage, Variant

GOLDEN = Path(__file__).parents[1] / "golden" / "timm.safetensors"

# 1,000 classes, 224 x 224: counted on timm's models, matrix products only
TIMM = {
    "swin_t": (28_288_354, 4.491),
    "swin_s": (49_606_258, 8.741),
    "swin_b": (87_768_224, 15.431),
    "swin_l": (196_532_476, 34.476),
}


def test_every_published_network_is_checked():
    assert names() == sorted(TIMM)


@pytest.mark.parametrize("name", sorted(TIMM))
def test_parameters_and_macs_are_those_of_timm(name):
    cost = count_cost(published(name))
    assert (cost.parameters, round(cost.macs / 1e9, 3)) == TIMM[name]


@pytest.mark.parametrize("name", ["swin_t", "swin_l"])
def test_what_is_built_is_what_is_told(name):
    with torch.device("meta"):
        model = HybridSwin(published(name))
    assert counted_cost(model, (3, 224, 224)) == count_cost(published(name))


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="unknown variant 'swin_x'; did you mean 'swin_"):
        published("swin_x")


SMALL = Variant(
    image_size=56,
    num_classes=10,
    stages=[Stage(24, 2, 2, ("w_msa", "sw_msa")), Stage(48, 2, 4, ("w_msa", "sw_msa"))],
)


def test_timms_weights_load_strictly_and_give_timms_logits():
    weights = load_file(GOLDEN)
    images, logits = weights.pop("__input__"), weights.pop("__logits__")
    model = HybridSwin(SMALL).eval()
    model.load_state_dict(weights, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(model(images).detach(), logits, rtol=0, atol=1e-5)


def test_parameter_names_and_shapes_are_those_of_timm():
    weights = load_file(GOLDEN)
    expected = {name: w.shape for name, w in weights.items() if not name.startswith("__")}
    assert {name: p.shape for name, p in HybridSwin(SMALL).state_dict().items()} == expected
