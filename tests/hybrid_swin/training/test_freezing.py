"""Weights of a file that stay, or learn more slowly than fresh ones."""

import pytest
import torch
from torch import nn

import hybrid_swin as hs
from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import check_fit
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.fit import fit, load_classifier
from hybrid_swin.training.freezing import freeze, hold
from hybrid_swin.training.parameter_groups import parameter_groups

WORDS = ("w_msa", "sw_msa")


def variant(words=WORDS, **fields):
    stages = hs.Stage(8, 2, 2, words), hs.Stage(16, 2, 2, WORDS)
    return Variant(8, 1, 10, 1, 4, 2.0, stages, **fields)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of a plain network."""
    path = tmp_path_factory.mktemp("weights") / "plain.safetensors"
    torch.manual_seed(0)
    hs.save_weights(hs.HybridSwin(variant()), path)
    return path


def test_of_frozen_stages_only_what_is_fresh_learns(weights, tmp_path):
    wider = variant(("w_msa+mdta:gate", "sw_msa"))
    recipe = Recipe(
        epochs=1, batch_size=256, freeze=1, warmup_epochs=0, drop_path=0.5, learning_rate=0.01
    )
    data = make_datamodule(DataSettings(epoch_images=512), wider, 256, 0)
    result = fit(
        wider, recipe, data, seed=0, folder=tmp_path, init=weights, init_strict=False,
        accelerator="cpu",
    )  # fmt: skip
    first, trained = hs.HybridSwin(wider), load_classifier(result.checkpoint).model.state_dict()
    report = hs.load_weights(first, weights)
    assert result.fresh == report.fresh_share > 0
    before = first.state_dict()
    same = {name for name in trained if torch.equal(trained[name], before[name])}
    frozen = {n for n in report.from_source if n.startswith(("patch_embed.", "layers.0."))}
    assert frozen <= same
    assert {n for n in report.fresh if n.startswith("layers.0.") and ".qkv." in n}.isdisjoint(same)
    assert {n for n in report.from_source if n.startswith("layers.1.")}.isdisjoint(same)
    # the share is known of a training that is over, too
    again = fit(wider, recipe, data, seed=0, folder=tmp_path, init=weights, accelerator="cpu")
    assert again.fresh == result.fresh


def test_batch_norm_of_frozen_parts_keeps_its_statistics():
    model = hs.HybridSwin(variant(("inception_dw", "conv+w_msa:selective(norm=batch)")))
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
    assert norms
    held = freeze(model, 1, model.state_dict().keys())
    model.train()
    hold(held)
    before = {n: t.clone() for n, t in model.state_dict().items() if "running" in n}
    model(torch.randn(4, 1, 8, 8)).sum().backward()
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert not model.layers[0].training and model.layers[1].blocks[0].training
    assert model.patch_embed.proj.weight.grad is None
    assert freeze(model, 0, ()) == []


def test_old_weights_learn_at_a_part_of_the_rate():
    model = hs.HybridSwin(variant())
    old = frozenset(n for n, _ in model.named_parameters() if not n.startswith("head."))
    recipe = Recipe(learning_rate=1.0, layer_decay=0.5, old_rate=0.1)
    both = {
        name: group.learning_rate
        for group in parameter_groups(model, recipe, old)
        for name in group.parameters
    }
    alone = {
        name: group.learning_rate
        for group in parameter_groups(model, Recipe(learning_rate=1.0, layer_decay=0.5))
        for name in group.parameters
    }
    for name, rate in both.items():
        assert rate == pytest.approx(alone[name] * (0.1 if name in old else 1))


def test_what_cannot_be_frozen_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"recipe.freeze 3 is more than the 2 stages"):
        check_fit(variant(), Recipe(freeze=3))
    check_fit(variant(), Recipe(freeze=2))
    for recipe in (Recipe(freeze=1), Recipe(old_rate=0.1)):
        with pytest.raises(InputError, match="about weights from a file, and none is given"):
            fit(variant(), recipe, None, seed=0, folder=tmp_path, accelerator="cpu")
