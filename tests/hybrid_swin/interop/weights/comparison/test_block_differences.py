"""What no weight shows: told by the source's variant, and not taken for equal without one."""

from collections import OrderedDict

import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.comparison.block_differences import HEADLESS
from hybrid_swin.interop.weights.comparison.probe import measure_difference
from hybrid_swin.interop.weights.source.rules import TIMM
from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse

PLUGIN = '''
import torch
from hybrid_swin import Branch, Cost


class Tilt(Branch):
    """Scale by a number that is not a parameter."""

    def __init__(self, dim, num_heads, window_size, grid_size, by: int = 1):
        super().__init__()
        self.by, self.proj = by + num_heads, torch.nn.Linear(dim, dim)

    def mix(self, x, value_gate=None):
        return self.by * x

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size, by=1):
        return Cost()
'''


@pytest.fixture
def tilt(write_plugin):
    registry.add_plugin(write_plugin("tilt", PLUGIN))


def network(*words, heads=2, seed=0, norm="pre", **changes):
    """One stage, with weights that make differences seen."""
    fields = {"image_size": 32, "num_classes": 3, "window_size": 4} | changes
    torch.manual_seed(seed)
    stage = hs.Stage(16, len(words), heads, words, norm=norm)
    model = hs.HybridSwin(hs.Variant(stages=[stage], **fields)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def with_variant(model):
    return {"model": model.state_dict(), "hyper_parameters": {"variant": model.variant.to_dict()}}


@torch.no_grad()
def differ(one, other):
    """By how much two networks differ, over the size of the logits."""
    size = one.variant.image_size
    x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    expected = other(x)
    return float((one(x) - expected).norm() / expected.norm())


V2 = "w_msa(attention=cosine;bias=continuous)"
OTHERS = [
    (["channel_group"], ["channel_group(scale=tokens)"], {}, {}),
    (["pooled"], ["pooled(pool=4)"], {}, {}),
    (["pooled"], ["pooled(pool=1)"], {}, {}),
    *((words, words, {"heads": 4}, {"heads": 2}) for words in (["pooled"], ["channel_group"])),
    (["conv+pooled"], ["conv+pooled"], {"heads": 4}, {"heads": 2}),
    (["w_msa", "grid"], ["w_msa", "w_msa"], {}, {}),
    (["tilt"], ["tilt(by=2)"], {}, {}),
    (["tilt"], ["tilt"], {"heads": 4}, {"heads": 2}),
    (["conv+tilt:gate"], ["conv+tilt:gate"], {"heads": 4}, {"heads": 2}),
    (["conv+w_msa:sum"], ["conv+w_msa:cascade"], {}, {}),
    (["mdta"], ["mdta"], {"norm": "post"}, {"norm": "pre"}),
    ([V2], [V2], {"window_size": 8, "image_size": 16}, {"window_size": 8, "image_size": 48}),
]


@pytest.mark.parametrize(("source", "words", "there", "here"), OTHERS)
def test_what_no_weight_shows_is_told_by_the_variant(source, words, there, here, tilt):
    theirs, ours = network(*source, **there), network(*words, seed=1, **here)
    ours.load_state_dict(theirs.state_dict())
    assert differ(ours, theirs) > 1e-4  # the same weights, another network
    report = hs.load_weights(network(*words, seed=1, **here), with_variant(theirs))
    assert not report.is_as_in_source
    assert {b.how for b in report.blocks} & {"changed", "fresh"}
    assert hs.load_weights(network(*source, seed=1, **there), with_variant(theirs)).is_as_in_source


@pytest.mark.parametrize(
    ("source", "words", "there", "here"),
    [
        (["grid"], ["w_msa"], {}, {}),
        (["w_msa", "sw_msa"], ["w_msa", "sw_msa"], {"norm": "post"}, {}),
        (["mdta+w_msa"], ["mdta+sw_msa"], {}, {}),
        (["pooled"], ["pooled(pool=4)"], {}, {}),
    ],
)
def test_a_pickle_of_ours_tells_its_variant(source, words, there, here, tmp_path):
    theirs = network(*source, **there)
    hs.save_weights(theirs, tmp_path / "a.pth")
    report = hs.load_weights(network(*words, seed=1, **here), tmp_path / "a.pth")
    assert {b.how for b in report.blocks} <= {"changed", "fresh"}
    same = network(*source, seed=1, **there)
    assert hs.load_weights(same, tmp_path / "a.pth").is_as_in_source
    assert hs.load(tmp_path / "a.pth").variant == theirs.variant
    plain = network(*source, seed=1, **there)
    plain.load_state_dict(torch.load(tmp_path / "a.pth"))
    assert differ(plain, theirs) == 0


def test_a_pickle_of_a_network_that_is_not_its_variants_holds_weights_alone(tmp_path):
    model = network("conv")
    model.head.fc = torch.nn.Linear(16, 5)
    hs.save_weights(model, tmp_path / "a.pth")
    with pytest.raises(InputError, match="does not say which variant"):
        hs.load(tmp_path / "a.pth")
    for odd in ("text", {"": "text"}, {"": {"variant": 3}}, {"": {"variant": "{"}}):
        state = OrderedDict(model.state_dict())
        state._metadata = odd
        torch.save(state, tmp_path / "a.pth")
        assert hs.load_weights(network("conv"), tmp_path / "a.pth").blocks[0].how == "unsure"


@pytest.mark.parametrize(("source", "words", "there", "here"), OTHERS)
def test_what_no_weight_shows_is_unsure_without_a_variant(source, words, there, here, tilt):
    theirs = network(*source, **there)
    report = hs.load_weights(network(*words, seed=1, **here), theirs.state_dict())
    plain = words == ["w_msa", "w_msa"] or "cosine" in words[0]
    assert {b.how for b in report.blocks} <= ({"unsure", "taken"} if plain else {"unsure"})
    assert not report.is_as_in_source


@pytest.mark.parametrize(
    ("source", "words", "there", "here"),
    [
        (["conv+pointwise"], ["conv+pointwise"], {"heads": 4}, {"heads": 2}),
        (["pooled(pool=8)"], ["pooled(pool=7)"], {"image_size": 24}, {"image_size": 24}),
        (["sw_msa"], ["w_msa"], {"window_size": 8}, {"window_size": 8}),
        (["w_msa(mask_padding=true)"], ["w_msa"], {}, {}),
        (["tilt"], ["tilt"], {}, {}),
    ],
)
def test_what_changes_nothing_is_taken(source, words, there, here, tilt):
    theirs, ours = network(*source, **there), network(*words, seed=1, **here)
    report = hs.load_weights(ours, with_variant(theirs))
    assert [b.how for b in report.blocks] == ["taken"] and report.is_as_in_source
    assert differ(ours, theirs) < 1e-6


@pytest.mark.parametrize("option", ["attention=cosine", "bias=continuous"])
def test_one_option_of_version_2_makes_an_attention_of_ours(option):
    theirs, ours = network(f"w_msa({option})"), network(f"grid({option})", seed=1)
    report = hs.load_weights(ours, theirs.state_dict())
    assert [(b.how, b.difference) for b in report.blocks] == [("unsure", None)]
    assert report.rules == ("hybrid_swin",)


@pytest.mark.parametrize("lost", ["logit_scale", "cpb_mlp.0.weight"])
def test_what_is_no_librarys_attention_is_not_measured(lost):
    block = network(V2).layers[0].blocks[0]
    weights = {n: t for n, t in block.state_dict().items() if not n.endswith(lost)}
    laid = block.attn.lay((8, 8))
    assert measure_difference(block, block.state_dict(), TIMM, laid, (8, 8)) is not None
    assert measure_difference(block, weights, TIMM, laid, (8, 8)) is None


def test_an_identity_start_of_another_option_is_told():
    theirs, ours = network("pooled"), network("pooled(pool=4)+w_msa", seed=1)
    report = hs.load_weights(ours, with_variant(theirs))
    assert [(b.how, b.why) for b in report.blocks] == [
        ("changed", "pooled(pool=4) where the source has pooled")
    ]
    ours = network("pooled+w_msa", seed=1)
    assert hs.load_weights(ours, with_variant(theirs)).is_as_in_source
    assert differ(ours, theirs) < 1e-5


def test_a_plug_in_may_look_at_its_sizes(tilt):
    theirs = network("tilt")
    for changes, said in (
        ({"image_size": 64}, "tilt is made for maps of 16x16, of 8x8 in the source"),
        ({"window_size": 8}, "tilt is made for windows of 8, of 4 in the source"),
    ):
        report = hs.load_weights(network("tilt", **changes), with_variant(theirs))
        assert [(b.how, b.why) for b in report.blocks] == [("unsure", said)]


@pytest.mark.parametrize("name", sorted(HEADLESS))
def test_branches_without_heads_compute_the_same_with_any(name):
    mixers = []
    for heads in (1, 2, 4):
        torch.manual_seed(0)
        mixers.append(build_mixer(parse(name), 8, heads, 4, (8, 8)).eval())
    x = torch.randn(1, 8, 8, 8)
    with torch.no_grad():
        assert all(torch.equal(mixer(x), mixers[0](x)) for mixer in mixers[1:])


@pytest.mark.parametrize("words", [["grid"], ["grid", "sw_msa"]])
def test_strided_windows_are_no_swins(words):
    """timm's weights, as it names them: its block attends within windows that lie together."""
    plain = network(*["w_msa", "sw_msa"][: len(words)])
    report = hs.load_weights(network(*words, seed=1), plain.state_dict())
    assert report.blocks[0].how == "unsure"
    assert report.blocks[0].why == (
        "unless the source is of this very network: grid where a Swin has w_msa"
    )
    assert not report.is_as_in_source and "logits differ" in report.other_sizes


@pytest.mark.parametrize("word", ["w_msa", "mdta"])
def test_a_merging_that_no_shape_shows_is_unsure(word):
    """From 8 to 32 channels, the norm has 32 before the projection and behind it."""
    stages = hs.Stage(8, 1, 2, (word,)), hs.Stage(32, 1, 2, (word,))
    fields = {"image_size": 32, "num_classes": 3, "window_size": 4, "stages": stages}
    theirs, ours = (hs.HybridSwin(hs.Variant(merging_norm=m, **fields)) for m in ("pre", "post"))
    (said,) = hs.load_weights(ours, theirs.state_dict()).outside
    assert said == (
        "unless the source is of this very network: merging_norm is post where a Swin's is pre; no "
        "shape shows it"
    )
    same = hs.load_weights(theirs, theirs.state_dict())
    assert same.outside == () and same.is_as_in_source is (word == "w_msa")


# Mixers of several branches


@pytest.mark.parametrize(
    ("word", "theirs", "why"),
    [
        ("mdta+w_msa", "mdta+w_msa(mask_padding=true)", ""),  # nothing is padded
        ("mdta+sw_msa", "mdta+w_msa", "sw_msa where a Swin has w_msa"),
        ("pooled+w_msa", "pooled(pool=4)+w_msa", "pooled where the source has pooled(pool=4)"),
        ("conv+w_msa:scale", "conv+w_msa:scale(init=0.5)", ""),
        ("conv+w_msa:cross", "conv+w_msa:cross(padding=both)", ""),
    ],
)
def test_other_options_of_a_hybrid_are_taken_and_told(word, theirs, why):
    model, source = network(word, heads=4), network(theirs, heads=4, seed=1)
    report = hs.load_weights(model, with_variant(source))
    assert report.fresh == () and [block.why for block in report.blocks] == [why]
    assert (differ(model, source) == 0) is report.is_as_in_source is (why == "")


def test_another_padding_of_a_fusion_counts_where_maps_are_padded():
    word, sizes = "conv+w_msa:cross", {"heads": 4, "image_size": 40, "window_size": 4}
    model = network(word, **sizes)
    source = network(f"{word}(padding=both)", seed=1, **sizes)
    report = hs.load_weights(model, with_variant(source))
    assert report.blocks[0].why == (
        "branches join by cross where the source has cross(padding=both)"
    )
    assert not report.fresh and report.blocks[0].how == "changed" and differ(model, source) > 1e-3


def test_a_hybrid_of_v2_is_tuned_with_larger_windows(tmp_path):
    v2 = "attention=cosine;bias=continuous"
    words = f"w_msa({v2})+mdta", f"sw_msa({v2})+mdta"
    small = network(*words, norm="post")
    hs.save_weights(small, tmp_path / "small.safetensors")
    first = f"{v2};pretrained_window_size=4"
    tuned = f"w_msa({first})+mdta", f"sw_msa({first})+mdta"
    for window, how in ((8, "changed"), (4, "taken")):
        model = network(*tuned, norm="post", seed=2, window_size=window)
        report = hs.load_weights(model, tmp_path / "small.safetensors")
        assert report.fresh == () and {block.how for block in report.blocks} == {how}
        taken = model.state_dict()
        assert all(torch.equal(tensor, taken[n]) for n, tensor in small.state_dict().items())
