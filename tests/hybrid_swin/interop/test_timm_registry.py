"""Our entries in timm's registry, called as timm calls them; timm itself is not needed.

``benchmarks/timm_calls.py`` asks timm's own functions.
"""

import argparse
import dataclasses
import json
import sys
import types

import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop import timm_registry
from hybrid_swin.interop.trained import load_trained
from hybrid_swin.network.pretrained_cfg import Normalisation
from hybrid_swin.spec.variant_changes import changed, of_variant

SMALL = {"img_size": 32, "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 2), "window_size": 4}
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@dataclasses.dataclass
class PretrainedCfg:
    """As timm's, of fewer facts."""

    file: str = ""
    mean: tuple = ()
    num_classes: int = 0


@pytest.fixture
def entries(monkeypatch):
    """What a stand-in for timm's registry gets."""
    found = {}
    models = types.ModuleType("timm.models")
    models.register_model = lambda entry: found.setdefault(entry.__name__, entry)
    monkeypatch.setitem(sys.modules, "timm", types.ModuleType("timm"))
    monkeypatch.setitem(sys.modules, "timm.models", models)
    monkeypatch.setattr(timm_registry, "default_cfgs", {})
    assert hs.register_with_timm() == hs.list_models() == sorted(found)
    return found


@pytest.fixture
def make(entries):
    """As ``timm.create_model``: None is left out, and arguments are kept for the Hub."""

    def call(name="swin_t", pretrained=False, pretrained_cfg=None, overlay=None, **arguments):
        torch.manual_seed(0)
        more = {"pretrained_cfg": pretrained_cfg, "pretrained_cfg_overlay": overlay}
        given = SMALL | arguments if name == "swin_t" else arguments
        model = entries[name](pretrained=pretrained, cache_dir=None, **more, **given)
        model._model_args = dict(given)
        return model.eval()

    return call


def hub_folder(model, folder):
    """What ``timm.models.save_for_hf`` writes of a network."""
    folder.mkdir()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    args = model._model_args | {"num_classes": model.num_classes, "in_chans": model.in_chans}
    cfg = dict(model.pretrained_cfg)
    config = {"architecture": cfg.pop("architecture"), "num_classes": model.num_classes}
    config["model_args"] = args | {"global_pool": model.global_pool}
    (folder / "config.json").write_text(json.dumps(config | {"pretrained_cfg": cfg}))
    return json.loads((folder / "config.json").read_text())


def test_the_registry_without_timm_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setitem(sys.modules, "timm.models", None)
    with pytest.raises(InputError, match="register_with_timm needs timm"):
        hs.register_with_timm()


def test_entries_make_our_networks(entries, make):
    assert timm_registry.default_cfgs["swin_t"]["input_size"] == (3, 224, 224)
    assert timm_registry.default_cfgs["swin_t"]["architecture"] == "swin_t"
    model = make("hybrid_t", num_classes=3, device="meta")
    assert model.num_classes == 3 and model.variant.stages == hs.resolve_variant("hybrid_t").stages
    hs.register_with_timm()  # again: nothing twice
    maps = make(features_only=True, out_indices=(1,), feature_cls="getter")
    assert [m.shape for m in maps(IMAGES)] == [(2, 32, 4, 4)]
    assert maps.pretrained_cfg["architecture"] == "swin_t"


def changes():
    return {
        "nothing": lambda model: None,
        "classes": lambda model: model.reset_classifier(7, "max"),
        "size": lambda model: model.set_input_size((32, 40), window_size=(2, 4)),
        "blocks": lambda model: hs.replace_blocks(model, "w_msa+mdta:gate", stage=1),
        "fewer": lambda model: model.prune_intermediate_layers([0]),
    }


@pytest.mark.parametrize("change", changes())
def test_the_hubs_folder_comes_back(make, change, tmp_path):
    model = make(num_classes=5)
    changes()[change](model)
    config = hub_folder(model, tmp_path / "hub")
    assert config["architecture"] == "swin_t"
    from_folder = {"file": str(tmp_path / "hub"), "source": "local-dir"}
    said = config["pretrained_cfg"] | from_folder | {"num_classes": config["num_classes"]}
    args = config["model_args"]
    given = dict.fromkeys(SMALL) | args | {"pretrained_model_args": args}
    again = make(pretrained=True, pretrained_cfg=said, **given)
    assert again.variant == model.variant
    logits = model.eval()(IMAGES)
    assert torch.equal(again(IMAGES), logits)
    for ours in (hs.load(tmp_path / "hub"), hs.create_model(tmp_path / "hub", pretrained=True)):
        assert ours.variant == model.variant and ours.global_pool == model.global_pool
        assert torch.equal(ours.eval()(IMAGES), logits)
    report = hs.load_weights(hs.create_model(model.variant), tmp_path / "hub")
    assert report.basis == "its variant" and {b.how for b in report.blocks} <= {"taken"}


def test_another_number_of_classes_takes_all_but_the_head(make, tmp_path):
    model = make(num_classes=2, overlay={"label_names": ("a", "b"), "mean": (0.1, 0.2, 0.3)})
    config = hub_folder(model, tmp_path / "hub")
    said = config["pretrained_cfg"] | {"file": str(tmp_path / "hub"), "source": "local-dir"}
    other = make(pretrained=True, pretrained_cfg=said, num_classes=7)
    assert torch.equal(other.forward_features(IMAGES), model.forward_features(IMAGES))
    assert other(IMAGES).shape == (2, 7) and other.pretrained_cfg["num_classes"] == 7
    assert "label_names" not in other.pretrained_cfg
    loaded = hs.load(tmp_path / "hub").pretrained_cfg
    assert loaded["label_names"] == ("a", "b") and loaded["mean"] == (0.1, 0.2, 0.3)


def test_what_a_training_here_knows_of_images_goes_through_the_hub(make, monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["timm.models"], "PretrainedCfg", PretrainedCfg, raising=False)
    images = Normalisation((0.1,) * 3, (0.2,) * 3, 255.0, (10.0, 200.0), "pad")
    model = make(num_classes=2)
    model.pretrained_cfg = model.pretrained_cfg | images.to_cfg()
    config = hub_folder(model, tmp_path / "hub")
    assert load_trained(tmp_path / "hub").normalisation == images
    again = make(pretrained_cfg={n: config["pretrained_cfg"][n] for n in images.to_cfg()})
    assert Normalisation.from_dict(again.pretrained_cfg) == images


def test_what_timm_keeps_of_arguments_follows_the_network(make):
    model = make(num_classes=5, strict_img_size=False)
    model.reset_classifier(3)
    assert model._model_args == SMALL | {"num_classes": 3, "strict_img_size": False}
    model.set_input_size(64)
    assert model._model_args["img_size"] == 64 and model._model_args["strict_img_size"] is False
    base = hs.resolve_variant("swin_t")
    assert changed(base, of_variant(model._model_args)) == model.variant


def test_facts_of_images_are_taken(make):
    cfg = make(overlay={"mean": (0.1, 0.2, 0.3)}).pretrained_cfg
    assert cfg["mean"] == (0.1, 0.2, 0.3) and cfg["input_size"] == (3, 32, 32)
    said = {"mean": (0.3, 0.2, 0.1), "num_classes": 11, "input_size": (1, 48, 40)}
    model = make(pretrained_cfg=said, img_size=None)
    assert (model.num_classes, model.in_chans) == (11, 1)
    assert model.pretrained_cfg["input_size"] == (1, 48, 40)
    assert model.pretrained_cfg["pool_size"] == (6, 5)
    assert model.pretrained_cfg["mean"] == pytest.approx((0.2,))
    assert make(pretrained_cfg=said, num_classes=4, in_chans=3).num_classes == 4
    assert make(pretrained_cfg=types.SimpleNamespace(to_dict=lambda: said)).num_classes == 11
    assert make(pretrained_cfg=said | {"fixed_input_size": True}, img_size=None).variant.grids[
        0
    ] == (12, 10)


def test_weights_are_taken_from_where_a_cfg_says(make, tmp_path):
    model = make(num_classes=5)
    hs.save_weights(model, tmp_path / "weights.pth")
    file = {"file": str(tmp_path / "weights.pth")}
    for more in (
        {"overlay": file},
        {"pretrained_cfg": file},
        {"pretrained_cfg": {"state_dict": model.state_dict()}},
    ):
        torch.manual_seed(1)
        again = make(pretrained=True, num_classes=5, **more)
        assert torch.equal(again(IMAGES), model(IMAGES))
        assert "state_dict" not in again.pretrained_cfg
    assert make(num_classes=5, overlay=file).pretrained_cfg["file"] == file["file"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pretrained": True}, "has no weights here"),
        ({"pretrained": True, "overlay": {"file": "none/x.pth"}}, "'none/x.pth' does not exist"),
        ({"pretrained_cfg": "in1k"}, "no weights under a tag, such as 'in1k'; give 'swin_t' alone"),
        ({"pretrained_cfg": [1]}, "pretrained_cfg is a mapping"),
        ({"overlay": {"men": (0.5,)}}, "has no 'men' in timm; did you mean 'mean'"),
    ],
)
def test_what_cannot_be_taken_is_refused(make, monkeypatch, arguments, message):
    monkeypatch.setattr(sys.modules["timm.models"], "PretrainedCfg", PretrainedCfg, raising=False)
    with pytest.raises(InputError, match=message):
        make(**arguments)


def saved_by_timm(model, file, **more):
    """As ``timm.utils.CheckpointSaver`` does."""
    torch.save({"epoch": 1, "version": 2, "state_dict": model.state_dict(), **more}, file)
    return file


def test_checkpoints_of_timms_saver_are_known_as_ours(make, tmp_path):
    """By timm's rules maps that windows do not divide would be rolled otherwise."""
    model = make(num_classes=5, window_size=5)
    args = argparse.Namespace(model="swin_t", num_classes=5, in_chans=None, gp="max")
    args.model_kwargs = SMALL | {"window_size": 5}
    file = saved_by_timm(model, tmp_path / "last.pth.tar", arch="swin_t", args=args)
    report = hs.load_weights(hs.create_model(model.variant), file)
    assert report.basis == "its variant" and {block.how for block in report.blocks} == {"taken"}
    loaded = hs.load(file)
    assert loaded.variant == model.variant and loaded.global_pool == "max"
    for more in ({"arch": type(model).__name__.lower()}, {"arch": "swin_t", "args": "unreadable"}):
        unsaid = saved_by_timm(model, tmp_path / "unsaid.pth.tar", **more)
        report = hs.load_weights(hs.create_model(model.variant), unsaid)
        assert more["arch"] in report.basis and "one of ours" in report.basis
        assert {block.how for block in report.blocks} == {"unsure"} and not report.other_sizes
        assert report.rules == ("hybrid_swin",) and "of timm" not in str(report)
    theirs = saved_by_timm(model, tmp_path / "theirs.pth.tar", arch="swin_tiny_patch4_window7_224")
    report = hs.load_weights(hs.create_model(model.variant), theirs)
    assert "changed" in {block.how for block in report.blocks}
