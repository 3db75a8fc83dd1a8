"""Networks from their files. Checkpoints of real trainings are in test_main.py."""

import dataclasses
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.trained import load, load_trained
from hybrid_swin.interop.weights.source.files import find_checkpoint
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pretrained_cfg import Normalisation, kept_facts
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

VARIANT = Variant(8, 1, 3, 1, 4, 2, [Stage(12, 2, 3, ("w_msa", "conv+mdta:gate"))])
IMAGES = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return HybridSwin(VARIANT).eval()


def checkpoint(path, model, **more):
    """A file as a training leaves it."""
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    variant = model.variant.to_dict()
    content = {"state_dict": state, "hyper_parameters": {"variant": variant}, **more}
    torch.save(content, path)
    return path


def test_a_network_comes_back_from_saved_weights(model, tmp_path):
    hs.save_weights(model, tmp_path / "weights.safetensors")
    loaded = load(tmp_path / "weights.safetensors", drop_path_rate=0.1)
    assert loaded.variant == VARIANT and not loaded.training
    assert loaded.layers[0].blocks[1].drop_path.rate == 0.1
    assert torch.equal(loaded(IMAGES), model(IMAGES))


def test_a_network_comes_back_from_a_checkpoint_with_what_it_knows(model, tmp_path):
    data = {"mean": [0.5], "std": [0.2], "full_scale": 255.0, "class_names": ["a", "b", "c"]}
    trained = load_trained(checkpoint(tmp_path / "final.ckpt", model, data=data))
    assert torch.equal(trained.model(IMAGES), model(IMAGES))
    assert trained.normalisation == Normalisation((0.5,), (0.2,), 255.0)
    assert trained.class_names == ("a", "b", "c")
    older = load_trained(checkpoint(tmp_path / "final.ckpt", model))
    assert (older.normalisation, older.class_names) == (None, None)


@pytest.mark.parametrize(
    ("resize", "mode"),
    [
        *(("crop", "center"), ("squash", "squash"), ("pad", "border")),
        *(("none", "center"), ("", "center")),
    ],
)
def test_a_network_says_how_its_images_were_scaled(model, tmp_path, resize, mode):
    data = {"mean": [0.5], "std": [0.2], "full_scale": 255.0, "resize": resize}
    cfg = load(checkpoint(tmp_path / "final.ckpt", model, data=data)).pretrained_cfg
    assert (cfg["crop_pct"], cfg["crop_mode"], cfg["interpolation"]) == (1.0, mode, "bicubic")
    run = tmp_path / "runs" / "study" / "finalists" / "0a1b2c" / "0"
    (run / "attempt-1").mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"variant": VARIANT.to_dict(), "recipe": {}}))
    checkpoint(run / "attempt-1" / "final.ckpt", model, data=data)
    again = hs.create_model(run, pretrained=True).pretrained_cfg
    assert (again["crop_pct"], again["crop_mode"]) == (1.0, mode)


def test_a_folder_of_hugging_face_means_its_weights(tmp_path):
    (tmp_path / "config.json").touch()
    (tmp_path / "model.safetensors").touch()
    assert find_checkpoint(tmp_path) == tmp_path / "model.safetensors"


def test_a_folder_means_its_last_finished_training(tmp_path):
    for attempt in (2, 9, 10):
        (tmp_path / f"attempt-{attempt}").mkdir()
        (tmp_path / f"attempt-{attempt}" / "final.ckpt").touch()
    (tmp_path / "attempt-11").mkdir()  # interrupted
    assert find_checkpoint(tmp_path) == tmp_path / "attempt-10" / "final.ckpt"
    (tmp_path / "final.ckpt").touch()
    assert find_checkpoint(tmp_path) == tmp_path / "final.ckpt"


def test_a_folder_without_one_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no finished training"):
        find_checkpoint(tmp_path)
    run = tmp_path / "finalists" / "abc" / "0"
    (run / "attempt-1").mkdir(parents=True)
    (run / "attempt-1" / "final.ckpt").touch()
    (tmp_path / "trials").mkdir()
    with pytest.raises(InputError, match=r"is a study; give the folder of one .*abc/0'"):
        find_checkpoint(tmp_path)


def spoilt(model, tmp_path, kind):
    path = tmp_path / "weights.safetensors"
    weights, variant = dict(model.state_dict()), model.variant.to_dict()
    if kind == "other":
        variant["mlp_ratio"] = 3
    elif kind == "fewer":
        del weights["norm.weight"]
    elif kind == "more":
        weights["layers.7.norm.weight"] = torch.ones(3)
    elif kind == "plugin":
        variant["stages"][0]["blocks"] = ["mine"]
    told = {"variant": "{" if kind == "no JSON" else json.dumps(variant)}
    safetensors.torch.save_file(weights, path, None if kind == "unsaid" else told)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("unsaid", "does not say which variant it is of; build it by create_model"),
        ("no JSON", "does not say which variant"),
        ("plugin", "unknown branch 'mine'.*give its file as a plug-in"),
        ("other", "fc1"),
        ("fewer", "norm.weight"),
        ("more", "layers.7"),
    ],
)
def test_a_file_that_does_not_make_a_network_is_refused(model, tmp_path, kind, message):
    with pytest.raises(InputError, match=message) as error:
        load(spoilt(model, tmp_path, kind))
    assert ".safetensors" in str(error.value)  # a long path is cut in its middle


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "weights.safetensors")


def test_a_run_gives_its_trained_network_and_others_their_weights(model, tmp_path):
    run = tmp_path / "runs" / "study" / "finalists" / "0a1b2c" / "0"
    (run / "attempt-1").mkdir(parents=True)
    asked = {"key": "finalists/0a1b2c/0", "variant": VARIANT.to_dict(), "recipe": {}}
    (run / "run.json").write_text(json.dumps(asked))
    data = {"mean": [0.5], "std": [0.2], "full_scale": 255.0, "class_names": ["a", "b", "c"]}
    checkpoint(run / "attempt-1" / "final.ckpt", model, data=data)

    loaded = hs.load(run)
    assert torch.equal(loaded(IMAGES), model(IMAGES)) and not loaded.training
    facts = {"mean": (0.5,), "std": (0.2,), "label_names": ("a", "b", "c")}
    assert facts.items() <= loaded.pretrained_cfg.items()
    assert loaded.pretrained_cfg["input_size"] == (1, 8, 8)

    with pytest.warns(UserWarning, match="with fresh weights; pretrained=True takes the trained"):
        fresh = hs.create_model(run).eval()
    assert not torch.equal(fresh(IMAGES), model(IMAGES))
    for path in (run, run / "run.json", str(run)):
        trained = hs.create_model(path, pretrained=True).eval()
        assert torch.equal(trained(IMAGES), model(IMAGES))
        assert trained.pretrained_cfg["mean"] == (0.5,)
    other = hs.create_model(run, pretrained=True, num_classes=7, global_pool="max").eval()
    assert other(IMAGES).shape == (2, 7)
    assert torch.equal(other.forward_features(IMAGES), model.forward_features(IMAGES))
    hs.load_weights(fresh, run)
    assert torch.equal(fresh(IMAGES), model(IMAGES))
    with pytest.raises(InputError, match=r"is a study; give the folder of one of its runs"):
        (tmp_path / "runs" / "study" / "trials").mkdir()
        hs.load_weights(fresh, tmp_path / "runs" / "study")


DATA = {"mean": [0.5], "std": [0.2], "full_scale": 255.0, "class_names": ["a", "b", "c"]}


@pytest.fixture
def places(model, tmp_path):
    """Everything that holds the same trained network: folders and files."""
    fitted = tmp_path / "fitted"
    fitted.mkdir()
    checkpoint(fitted / "final.ckpt", model, data=DATA)
    hub = tmp_path / "hub"
    hub.mkdir()
    hs.save_weights(model, hub / "model.safetensors")
    return [fitted, fitted / "final.ckpt", hub, hub / "model.safetensors"]


def test_what_load_takes_create_model_takes(model, places, monkeypatch):
    for place in (*places, *map(str, places)):
        assert torch.equal(hs.load(place)(IMAGES), model(IMAGES))
        trained = hs.create_model(place, pretrained=True).eval()
        assert trained.variant == hs.resolve_variant(place) == VARIANT
        assert torch.equal(trained(IMAGES), model(IMAGES))
        with pytest.warns(UserWarning, match="with fresh weights; pretrained=True takes the"):
            assert not torch.equal(hs.create_model(place).eval()(IMAGES), model(IMAGES))
    monkeypatch.chdir(places[0].parent)
    other = hs.create_model("fitted", pretrained=True, num_classes=7).eval()
    assert torch.equal(other.forward_features(IMAGES), model.forward_features(IMAGES))
    assert other(IMAGES).shape == (2, 7) and hs.count_cost("fitted") == hs.count_cost(VARIANT)


def test_what_is_known_of_images_and_classes_comes_along(places):
    same = hs.create_model(places[0], pretrained=True).pretrained_cfg
    assert same["label_names"] == ("a", "b", "c") and same["mean"] == (0.5,)
    other = hs.create_model(places[0], pretrained=True, num_classes=7).pretrained_cfg
    assert "label_names" not in other and other["num_classes"] == 7
    colour = hs.create_model(places[0], pretrained=True, in_chans=3).pretrained_cfg
    assert (colour["mean"], colour["std"]) == ((0.5,) * 3, (0.2,) * 3)
    assert colour["input_size"] == (3, 8, 8)


def test_mean_and_std_go_where_weights_of_channels_go():
    cfg = {"num_classes": 3, "mean": (0.1, 0.2, 0.6), "std": (0.3, 0.3, 0.3)}
    assert kept_facts(cfg, VARIANT)["mean"] == pytest.approx((0.3,))
    four = dataclasses.replace(VARIANT, in_channels=4)
    assert kept_facts(cfg, four)["mean"] == (0.1, 0.2, 0.6, 0.1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("fitted/final.cpt", r"does not exist in .*holds no 'final.cpt'; did you mean 'fin"),
        ("fited/final.ckpt", "'fited/final.ckpt' does not exist in .*; did you mean 'fitted'"),
        ("other.safetensors", "'other.safetensors' does not exist in"),
        ("runs/mine/0", "'runs/mine/0' does not exist in .*; give a trained folder"),
        (Path("swin"), "'swin' does not exist"),
        ("~nobody-here/x", "'~nobody-here/x' is not a path"),
        ("empty", "'empty' holds no finished training"),
        ("{image_size: 8}" + " " * 300, "block word '{image_size: 8}"),
        ("notes.txt", "checkpoint 'notes.txt' holds no weights"),
    ],
)
def test_a_path_that_is_none_says_so(places, source, message, monkeypatch):
    monkeypatch.chdir(places[0].parent)
    Path("empty").mkdir()
    Path("notes.txt").write_text("text")
    for pretrained in (True, False):
        with pytest.raises(InputError, match=message):
            hs.create_model(source, pretrained)


def test_a_word_stays_a_word_beside_a_folder_of_its_name(places, monkeypatch):
    monkeypatch.chdir(places[0].parent)
    Path("mdta").mkdir()
    assert hs.resolve_variant("mdta").stages[0].blocks == ("mdta",)
