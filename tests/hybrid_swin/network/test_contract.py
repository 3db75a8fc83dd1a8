"""Every branch x fusion keeps the contract."""

import pytest
import torch

from hybrid_swin.network import contract
from hybrid_swin.network.branches.routing import Routing
from hybrid_swin.network.contract import CHECKS, ContractError, words_with
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse

OPTIONS = [
    "conv(kernel=7)",
    "mdta(depthwise=false)",
    "overlap(mask_padding=true)",
    "routing(regions=3;topk=2)",
    "routing(topk=99)",
    "routing(depthwise=false)",
    "routing(attention=false)",
    "deform(stride=2;kernel=3;groups=3)",
    "deform(offsets=fixed;stride=4)",
    "deform(bias=none)",
    "mdta(attention=false)",
    "mdta(attention=false;depthwise=false)",
    "pointwise(ratio=0.5)",
    "channel_group(scale=tokens)",
    "xca(qkv_bias=true)",
    "pooled(pool=1)",
    "pooled(pool=7)",
    "spectral(kernel=5)",
    "spectral+w_msa:cross(padding=both)",
    "stripes(width=1)",
    "stripes(width=7)",
    "stripes(positions=false)",
    "stripes(attention=false)",
    "large_conv(kernel=13;ratio=0.4)",
    "focal(levels=4;kernel=9)",
    "linear(feature=focused;rotary=true)",
    "linear(depthwise=false)",
    "linear(attention=false)",
    "agent(agents=2;depthwise=false)",
    "agent(attention=false;depthwise=false)",
    "inception_dw(kernel=7;reduction=16)",
    "w_msa+mdta:gate(per=pixel)",
    "conv+w_msa:split(ratio=1-2)",
    "w_msa+mdta:selective(norm=batch)",
    "conv+w_msa:cross(norm=batch)",
    "conv+mdta:cross",
    "conv+w_msa:cross(norm=batch;padding=both)",
    "sw_msa(small_map=pad)+w_msa(small_map=pad):cross(padding=both)",
    "conv+sw_msa(mask_padding=true):cross(padding=both)",
    "sw_msa+w_msa(small_map=pad):cross(padding=both)",
    "mdta+w_msa:cascade",
    "sw_msa(window_size=2x5)",
    "conv+w_msa(window_size=7):cross(padding=both)",
    "sw_msa(registers=3)",
    "grid(attention=cosine;bias=continuous;mask_padding=true;registers=2)",
    "conv+overlap(registers=2):cross",
    "w_msa:sum(gate=se)",
    "conv:sum(gate=eca)",
    "conv+w_msa:split(gate=eca;ratio=1-2)",
    "w_msa:sum(gate=grn)",
    "conv+w_msa:concat(gate=grn)",
    "w_msa(attention=cosine;bias=continuous;pretrained_window_size=3)",
    "sw_msa(mask_padding=true)",
    "sw_msa(bias=none;mask_padding=true)",
    "sw_msa(mask_padding=true;roll=bare;shift=map;small_map=square)",
    "sw_msa(shift=always;small_map=pad)",
    "sw_msa(roll=bare;shift=fixed;small_map=fixed)",
    "grid(attention=cosine;bias=continuous;mask_padding=true)",
]
WORDS = sorted(
    {
        *OPTIONS,
        *(word for name in registry.names("branch") for word in words_with("branch", name)),
        *(word for name in registry.names("fusion") for word in words_with("fusion", name)),
    }
)


# What holds for each branch holds for a fusion of them, so few words show what it does to that.
OF_PARTS = {
    contract.remembers_nothing,
    contract.saves_and_loads,
    contract.starts_anew,
    contract.survives_zeros,
    contract.takes_oblong_windows,
    contract.treats_images_alone,
    contract.decays_what_it_should,
}


def cases():
    for word in WORDS:
        names = {part.name for part in parse(word).branches}
        few = word in OPTIONS or len(names) == 1 or names == {"conv", "w_msa"}
        for check in CHECKS:
            if few or check not in OF_PARTS:
                yield pytest.param(word, check, id=f"{word}-{check.__name__}")


@pytest.mark.parametrize(("word", "check"), list(cases()))
def test_contract(word, check):
    check(word)


def test_one_that_chooses_is_near_in_half_precision_at_most_places(monkeypatch):
    mix = Routing.mix

    def wrong(self, x, gate=None):
        return mix(self, x, gate) * (1.5 if torch.is_autocast_enabled("cpu") else 1)

    monkeypatch.setattr(Routing, "mix", wrong)
    with pytest.raises(ContractError, match="most outputs differ by more than a hundredth"):
        contract.runs_in_half_precision("routing")
