"""``follow_source``: a built network takes over the rules of its source, and says so."""

import copy
import warnings

import pytest
import torch
from safetensors.torch import save_file
from transformers import Swinv2Config, Swinv2Model

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.layouts import names, split
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.classifier import Classifier

PLAIN = "w_msa", "sw_msa"
TORCHVISION = "w_msa(small_map=pad)", "sw_msa(small_map=pad)"
SHIFT_MAP = "w_msa", "sw_msa(shift=map)"
DENSE = "w_msa(small_map=pad)", "sw_msa(shift=always;small_map=pad)"


def variant(size=32, words=PLAIN, stages=2, **changes):
    """Maps of 16 and 8 tokens per side at 32 pixels, windows of 4."""
    built = [hs.Stage(8 * 2**i, 2, 2, words) for i in range(stages)]
    return hs.Variant(size, 3, 3, 2, 4, 2, built, **changes)


def model(*arguments, seed=0, **changes):
    torch.manual_seed(seed)
    network = hs.HybridSwin(variant(*arguments, **changes)).eval()
    for name, parameter in network.named_parameters():
        torch.nn.init.normal_(parameter, mean=1.0 * name.endswith("norm1.weight"), std=0.3)
    return network


def spelt(layout, weights=None):
    return {
        theirs: part
        for name, tensor in (weights or model(seed=1).state_dict()).items()
        for theirs, part in zip(names(layout, name), split(layout, name, tensor), strict=True)
    }


def words_of(network):
    return network.variant.stages[0].blocks


@torch.no_grad()
def logits(network, size=(12, 20)):
    return network(torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(2)))


# What is kept of it


def test_the_variant_tells_the_truth_wherever_it_is_kept(tmp_path):
    network = model()
    report = hs.load_weights(network, spelt("torchvision"), follow_source=True)
    assert report.other_sizes.startswith("logits are those of torchvision wherever it takes")
    assert words_of(network) == network.variant.stages[1].blocks == TORCHVISION
    assert network.pretrained_cfg["architecture"] == network.variant.name
    # Equal on the nominal maps, where the libraries agree, so it is the same network there.
    assert network.variant.id == variant().id
    out = logits(network)
    assert not torch.allclose(out, logits(loaded(model(), spelt("torchvision"))), atol=1e-3)
    (tmp_path / "swin.yaml").write_text(network.variant.to_yaml())
    again = hs.create_model(tmp_path / "swin.yaml").eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(logits(again), out)
    hs.save_weights(network, tmp_path / "swin.safetensors")
    assert torch.equal(logits(hs.load(tmp_path / "swin.safetensors")), out)
    hs.export_model(network, tmp_path / "export.safetensors")
    assert torch.equal(logits(hs.load(tmp_path / "export.safetensors")), out)
    assert torch.equal(logits(copy.deepcopy(network)), out)


def loaded(network, source, **options):
    hs.load_weights(network, source, **options)
    return network


def test_a_lightning_checkpoint_keeps_the_words_that_the_network_has():
    module = Classifier(variant().to_dict(), Recipe().to_dict())
    hs.load_weights(module.model, spelt("torchvision"), follow_source=True)
    checkpoint = {"hyper_parameters": dict(module.hparams)}
    module.on_save_checkpoint(checkpoint)
    again = Classifier(**checkpoint["hyper_parameters"])
    assert words_of(again.model) == TORCHVISION


def test_windows_that_stay_whole_keep_the_sources_tables():
    """On maps of 3 tokens per side ours shrink: the tables are of other shapes, then of theirs."""
    network = model(12)
    table = network.layers[1].blocks[0].attn.relative_position_bias_table
    assert len(table) == 25
    report = hs.load_weights(network, spelt("torchvision"), follow_source=True)
    assert report.is_as_in_source and not report.resized
    assert network.layers[1].blocks[0].attn.relative_position_bias_table.shape == (49, 2)
    assert network.variant.id != variant(12).id
    assert any("2 bias tables are of other windows now" in note for note in report.notes)
    assert torch.equal(
        logits(network), logits(loaded(model(), spelt("torchvision"), follow_source=True))
    )


def test_it_follows_whom_it_was_loaded_from_last():
    network = model(12)
    hs.load_weights(network, spelt("torchvision"), follow_source=True)
    report = hs.load_weights(network, spelt("huggingface"), follow_source=True)
    assert words_of(network) == SHIFT_MAP
    assert network.layers[1].blocks[0].attn.relative_position_bias_table.shape == (25, 2)
    again = hs.load_weights(network, spelt("torchvision"))  # and stays so, unless it is told
    assert words_of(network) == SHIFT_MAP and not again.is_as_in_source
    report = hs.load_weights(model(words=SHIFT_MAP), spelt("huggingface"), follow_source=True)
    assert (
        "follow_source: small_map, shift and roll were those of transformers already"
        in report.notes
    )


@pytest.mark.parametrize(
    ("layout", "more", "words"),
    [
        ("openmmlab", {"neck.lateral_convs.0.conv.weight": torch.zeros(1)}, DENSE),
        ("openmmlab", {}, SHIFT_MAP),
        ("microsoft", {"decode_head.conv_seg.weight": torch.ones(1)}, DENSE),
        ("huggingface", {"hidden_states_norms.stage1.weight": torch.ones(8)}, DENSE),
    ],
)
def test_detectors_and_backbones_have_rules_to_follow(layout, more, words):
    weights = model(seed=1).state_dict()
    source = spelt(layout, {n: w for n, w in weights.items() if not more or "head" not in n})
    network = loaded(model(), source | more, follow_source=True)
    assert words_of(network) == words
    dense = model(words=words)
    hs.load_weights(dense, source | more)
    maps = [torch.nn.Sequential(net.patch_embed, net.layers) for net in (network, dense)]
    assert torch.equal(logits(maps[0]), logits(maps[1]))


# Blocks that cannot


def test_of_a_hybrid_the_attention_follows_and_other_branches_stay():
    words = "w_msa+mdta", "sw_msa+conv:gate"
    network = model(words=words)
    report = hs.load_weights(network, spelt("torchvision"), follow_source=True)
    assert words_of(network) == (
        "w_msa(small_map=pad)+mdta",
        "sw_msa(small_map=pad)+conv:gate",
    )
    assert {block.how for block in report.blocks} == {"identity start"}
    assert not any("cannot follow" in note for note in report.notes)
    plain = loaded(model(), spelt("torchvision"), follow_source=True)
    torch.testing.assert_close(logits(network), logits(plain), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "after", "note"),
    [
        (("mdta", "sw_msa"), ("mdta", TORCHVISION[1]), "layers.0.blocks.0 mdta, layers.1.blocks.0"),
        (("w_msa",), (TORCHVISION[0], "w_msa"), "w_msa where the source has sw_msa"),
        (
            ("w_msa(mask_padding=true)", "sw_msa"),
            ("w_msa(mask_padding=true;small_map=pad)", TORCHVISION[1]),
            "mask_padding hides what the source attends to",
        ),
        (("w_msa+w_msa", "sw_msa"), ("w_msa+w_msa", TORCHVISION[1]), "would change places"),
    ],
)
def test_blocks_that_cannot_follow_are_named(words, after, note):
    network = model(words=words)
    report = hs.load_weights(network, spelt("torchvision"), follow_source=True)
    assert words_of(network) == after
    assert any("cannot follow torchvision" in said and note in said for said in report.notes)
    assert "logits are" not in report.other_sizes


def test_a_block_that_has_no_registers_beside_others_that_do_stays_so():
    network = model(words=("w_msa", "sw_msa(registers=0)"), registers=4)
    before = {name: tensor.shape for name, tensor in network.state_dict().items()}
    hs.load_weights(network, spelt("torchvision"), follow_source=True)
    again = hs.create_model(network.variant).state_dict()
    assert {name: tensor.shape for name, tensor in again.items()} == before
    assert any("registers=0" in word for word in words_of(network))


def test_of_another_head_only_the_maps_are_compared():
    report = hs.load_weights(hs.create_model(variant(), num_classes=7), spelt("torchvision"))
    assert report.other_sizes.startswith("maps of features differ from those of torchvision")


def test_a_pyramid_follows_too():
    network = hs.create_model(variant(), features_only=True, out_indices=[0])
    report = hs.load_weights(network, spelt("torchvision"), follow_source=True)
    assert report.other_sizes.startswith("maps of features are those of torchvision")
    assert words_of(network) == TORCHVISION
    assert network.layers[0].blocks[1].attn.small_map == "pad"


# Sources without rules


def test_a_network_of_ours_gives_its_words(tmp_path):
    hs.save_weights(model(words=TORCHVISION), tmp_path / "ours.safetensors")
    network = model()
    report = hs.load_weights(network, tmp_path / "ours.safetensors")
    assert report.other_sizes.startswith("logits differ from the source's, as at 12x12")
    report = hs.load_weights(network, tmp_path / "ours.safetensors", follow_source=True)
    assert words_of(network) == TORCHVISION and report.other_sizes == ""
    report = hs.load_weights(network, tmp_path / "ours.safetensors", follow_source=True)
    assert report.notes == (
        "follow_source: small_map, shift and roll were those of its variant already",
    )


HYBRID = "w_msa+mdta", "sw_msa+mdta:gate"


@pytest.mark.parametrize("size", [32, 12])  # windows shrink at 12, and tables are resized
def test_a_hybrid_of_ours_gives_its_weights_and_words_to_plainer_words(tmp_path, size):
    hybrid = loaded(model(size, HYBRID), spelt("torchvision"), follow_source=True)
    expected = logits(hybrid)
    hs.save_weights(hybrid, tmp_path / "ours.safetensors")
    network = model(size, HYBRID, seed=3)
    report = hs.load_weights(network, tmp_path / "ours.safetensors")
    tables = ["layers.1.blocks.0.attn.branches.1", "layers.1.blocks.1.attn.branches.1"]
    names = [f"{table}.relative_position_bias_table" for table in tables] if size == 12 else []
    assert report.fresh == () and [resized.name for resized in report.resized] == names
    assert {block.how for block in report.blocks[2:]} == {"changed" if size == 12 else "taken"}
    report = hs.load_weights(network, tmp_path / "ours.safetensors", follow_source=True)
    assert network.variant.block_words == hybrid.variant.block_words
    assert report.is_as_in_source and not report.fresh
    assert torch.equal(logits(network), expected)
    report = hs.load_weights(network, tmp_path / "ours.safetensors", follow_source=True)
    assert report.notes == (
        "follow_source: small_map, shift and roll were those of its variant already",
    )


def test_of_blocks_without_windows_the_words_are_not_called_those_of_the_source(tmp_path):
    hs.save_weights(model(words=("mdta", "conv")), tmp_path / "ours.safetensors")
    for words, note in (
        (("mdta", "conv"), "small_map, shift and roll were those of its variant already"),
        (("conv", "conv"), "cannot follow its variant: no attention of the source's is in them"),
    ):
        report = hs.load_weights(
            model(words=words), tmp_path / "ours.safetensors", follow_source=True
        )
        [said] = report.notes
        assert note in said


def test_a_hybrid_without_its_variant_has_nothing_to_follow():
    words = "w_msa+mdta", "sw_msa"
    network = model(words=words)
    report = hs.load_weights(network, model(words=words).state_dict(), follow_source=True)
    assert words_of(network) == words
    assert "follow_source: nothing to follow, it is a network of ours" in str(report)


def test_names_of_timm_are_taken_for_timms(tmp_path):
    network = model()
    report = hs.load_weights(network, model(seed=1).state_dict(), follow_source=True)
    assert words_of(network)[1] == "sw_msa(roll=bare;shift=fixed;small_map=fixed)"
    assert "follow_source: taken for timm's, whose names hybrid_swin's are too" in report.notes
    save_file(model(seed=1).state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"architecture": "swin_tiny_patch4_window7_224"}')
    assert hs.load_weights(model(), tmp_path, follow_source=True).notes == ()


@pytest.mark.parametrize("layout", ["timm", "microsoft"])
def test_windows_that_shrink_tell_that_the_source_was_made_for_larger_images(layout):
    said = "made for larger images, since its windows are larger than maps here (layers.1.blocks.0"
    report = hs.load_weights(model(12), spelt(layout), follow_source=True)
    assert any(said in note for note in report.notes) and not report.is_as_in_source
    small = model(12, seed=1).state_dict()
    report = hs.load_weights(model(12), spelt(layout, small), follow_source=True)
    assert not any("larger" in note for note in report.notes)


def test_rules_that_are_not_known_are_not_guessed():
    weights = {n: w for n, w in model(seed=1).state_dict().items() if "head" not in n}
    source = spelt("openmmlab", weights)
    for kind in ("weight", "bias"):
        source[f"norm1.{kind}"] = source.pop(f"norm.{kind}")
    network = model()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(InputError) as caught:
        hs.load_weights(network, source, follow_source=True)
    assert "w_msa and sw_msa(shift=map) for mmpretrain" in str(caught.value)
    assert len(str(caught.value)) < 330 and words_of(network) == PLAIN
    assert all(torch.equal(before[name], w) for name, w in network.state_dict().items())
    assert "if it is of mmpretrain: " in hs.load_weights(network, source).other_sizes


def test_version_2_is_refused_as_without():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch.meshgrid without indexing
        config = Swinv2Config(embed_dim=8, depths=[2, 2], num_heads=[2, 2], image_size=32)
        other = Swinv2Model(config)
    with pytest.raises(InputError):
        hs.load_weights(model(), other.state_dict(), follow_source=True)


# Networks in any state


def test_a_network_that_cannot_be_filled_is_as_it_was():
    network = model(12, ("w_msa+mdta", "sw_msa"))
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    mixer = network.layers[1].blocks[0].attn
    table = mixer.branches[1].relative_position_bias_table
    before, out = network.variant, logits(network)
    mixer.identity_start = lambda base: 1 / 0
    with pytest.raises(ZeroDivisionError):
        hs.load_weights(network, spelt("torchvision"), follow_source=True)
    assert network.variant is before and torch.equal(logits(network), out)
    assert mixer.branches[1].relative_position_bias_table is table
    assert all(torch.equal(state[name], w) for name, w in network.state_dict().items())


def test_a_compiled_network_computes_by_its_new_rules():
    source = spelt("torchvision", model(stages=1, seed=1).state_dict())
    network = model(stages=1)
    expected = logits(loaded(model(stages=1), source, follow_source=True), (4, 20))
    compiled = torch.compile(network, backend="eager", dynamic=False)
    assert not torch.allclose(logits(compiled, (4, 20)), expected, atol=1e-3)
    hs.load_weights(compiled, source, follow_source=True)
    assert words_of(network) == TORCHVISION
    torch.testing.assert_close(logits(compiled, (4, 20)), expected)


def test_a_network_in_training_follows_and_trains_on():
    network = model().train().bfloat16()
    network.layers[0].blocks[0].attn.relative_position_bias_table.requires_grad_(False)
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    hs.load_weights(network, spelt("torchvision"), follow_source=True)
    network(torch.randn(2, 3, 12, 20).bfloat16()).sum().backward()
    optimiser.step()
    assert network.training and words_of(network) == TORCHVISION
    assert {p.dtype for p in network.parameters()} == {torch.bfloat16}
    assert not network.layers[0].blocks[0].attn.relative_position_bias_table.requires_grad


def test_of_a_network_for_one_size_no_other_sizes_are_told():
    network = hs.create_model(variant(), strict_img_size=True)
    assert hs.load_weights(network, spelt("torchvision")).other_sizes == ""
    hs.load_weights(network, spelt("torchvision"), follow_source=True)
    assert words_of(network) == TORCHVISION
    with pytest.raises(InputError, match="strict_img_size"):
        network(torch.randn(1, 3, 24, 24))


def test_another_size_by_set_input_size_keeps_the_rules():
    network = loaded(model(), spelt("torchvision"), follow_source=True)
    expected = logits(network)
    network.set_input_size((12, 20))
    assert torch.equal(logits(network), expected) and words_of(network) == TORCHVISION


def test_create_model_follows_its_checkpoint(tmp_path):
    torch.save(spelt("torchvision"), tmp_path / "swin.pth")
    options = {"checkpoint_path": tmp_path / "swin.pth", "follow_source": True}
    network = hs.create_model(variant(), **options).eval()
    assert torch.equal(
        logits(network), logits(loaded(model(), spelt("torchvision"), follow_source=True))
    )
    assert words_of(hs.create_model(variant(), features_only=True, **options)) == TORCHVISION
    with pytest.raises(InputError, match="give checkpoint_path=FILE"):
        hs.create_model(variant(), follow_source=True)
    with pytest.raises(InputError, match="must be True or False; got 'torchvision'"):
        hs.load_weights(model(), spelt("torchvision"), follow_source="torchvision")
