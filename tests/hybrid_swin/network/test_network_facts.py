"""What files keep of a network beside its weights: there and back again, or refused."""

import json
from contextlib import suppress

import pytest
import safetensors.torch
import torch
from torch import nn

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pyramid import Pyramid

STAGES = [hs.Stage(16, 1, 2, ("w_msa",)), hs.Stage(32, 1, 2, ("w_msa+mdta",), norm="post")]
VARIANT = hs.Variant(8, 1, 3, 1, 4, 2, STAGES)
IMAGES = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
RECIPE = {"weight_init": "lecun_normal", "zero_init_residual": False}
DATA = {"mean": [0.3055], "std": [0.37], "full_scale": 255.0, "value_range": [10.0, 200.0]}
DATA |= {"resize": "squash", "class_names": ["a", "b", "c"]}
KNOWN = {"mean": (0.3055,), "std": (0.37,), "full_scale": 255.0, "value_range": (10.0, 200.0)}
KNOWN |= {"resize": "squash", "crop_mode": "squash", "crop_pct": 1.0}
DEEP = "[" * 100_000


def training(folder):
    """The folder of a study's run, as it is left."""
    torch.manual_seed(0)
    model = HybridSwin(VARIANT, 0.1, **RECIPE)
    content = {
        "state_dict": {f"model.{name}": tensor for name, tensor in model.state_dict().items()},
        "hyper_parameters": {"variant": VARIANT.to_dict(), "recipe": RECIPE},
        "data": DATA,
    }
    (folder / "attempt-1").mkdir(parents=True)
    torch.save(content, folder / "attempt-1" / "final.ckpt")
    asked = {"variant": VARIANT.to_dict(), "recipe": RECIPE}
    (folder / "run.json").write_text(json.dumps(asked))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return training(tmp_path_factory.mktemp("runs") / "finalists" / "0a1b2c" / "0")


def pooled(pool):
    return lambda run: hs.create_model(run, pretrained=True, global_pool=pool)


def strict(run):
    model = hs.load(run)
    model.strict_img_size = True
    return model


def features(run):
    model = pooled("max")(run)
    model.reset_classifier(0)
    return model


def pruned(run):
    model = hs.load(run)
    model.prune_intermediate_layers([0], prune_norm=True)
    return model


def without_norm(run):
    model = hs.load(run)
    model.norm = nn.Identity()
    return model


NETWORKS = {
    "a study's run": hs.load,
    "a fit's folder": lambda run: hs.load(run / "attempt-1"),
    "untrained": lambda run: hs.create_model(VARIANT, global_pool="avgmax", **RECIPE),
    **{pool: pooled(pool) for pool in ("avg", "max", "avgmax", "catavgmax")},
    "compiled": lambda run: torch.compile(hs.load(run), backend="eager"),
    "strict": strict,
    "features": features,
    "pruned": pruned,
    "without norm": without_norm,
    "pyramid": lambda run: hs.create_model(
        run, pretrained=True, features_only=True, out_indices=[1]
    ),
    "first map": lambda run: Pyramid(strict(run), [0]),
}


@pytest.mark.parametrize("write", [hs.save_weights, hs.export_model, "torch.save"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_whole_or_is_refused(run, tmp_path, name, write):
    model, file = NETWORKS[name](run).eval(), tmp_path / "weights.safetensors"
    kind = Pyramid if isinstance(model, Pyramid) else HybridSwin
    if write == "torch.save":
        torch.save(model.state_dict(), file)
        with pytest.raises(InputError, match=r"does not say which variant .* by load_weights"):
            hs.load(file)
        return
    if kind is Pyramid and write is hs.export_model:
        with pytest.raises(InputError, match=r"several maps.*save_weights keeps it in a .safe"):
            write(model, file)
        return
    write(model, file)
    again = hs.load(file)
    assert type(again) is kind and again.variant == model.variant
    with torch.no_grad():
        found, expected = again(IMAGES), model(IMAGES)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    assert again.pretrained_cfg == model.pretrained_cfg
    assert name == "untrained" or again.pretrained_cfg.items() >= KNOWN.items()
    for fact in ("weight_init", "zero_init_residual", "strict_img_size", "global_pool"):
        assert getattr(again, fact, None) == getattr(model, fact, None)


def test_a_recipes_first_weights_are_those_of_the_network_anew(run, tmp_path):
    hs.save_weights(hs.load(run), tmp_path / "a.safetensors")
    with pytest.warns(UserWarning, match="with fresh weights"):
        untrained = hs.create_model(run)
    for model in (hs.load(run), hs.load(tmp_path / "a.safetensors"), untrained):
        model.init_weights()
        assert (model.layers[1].blocks[0].norm1.weight == 1).all()
        model.reset_classifier(500)
        std = model.head.fc.weight.std().item()
        assert std == pytest.approx(32**-0.5, rel=0.05)
    with pytest.warns(UserWarning, match="with fresh weights"):
        other = hs.create_model(run, weight_init="trunc_normal", zero_init_residual=True)
    assert other.head.fc.weight.std() < 0.03
    assert (other.layers[1].blocks[0].norm1.weight == 0).all()
    with pytest.raises(
        InputError, match="unknown weight_init 'lecun_norm'; did you mean 'lecun_normal"
    ):
        hs.create_model(VARIANT, weight_init="lecun_norm")
    with pytest.raises(InputError, match="zero_init_residual must be True or False; got 'no'"):
        hs.create_model(VARIANT, zero_init_residual="no")


def test_what_a_run_knows_goes_with_its_weights_where_it_holds(run, tmp_path):
    cfg = hs.create_model(run, pretrained=True).pretrained_cfg
    assert cfg == hs.load(run).pretrained_cfg and cfg["label_names"] == ("a", "b", "c")
    other = hs.create_model(run, pretrained=True, num_classes=7).pretrained_cfg
    assert "label_names" not in other and other["mean"] == (0.3055,)
    colour = hs.create_model(run, pretrained=True, in_chans=3).pretrained_cfg
    assert (colour["mean"], colour["value_range"]) == ((0.3055,) * 3, (10.0, 200.0))
    unknown = hs.HybridSwin(VARIANT)
    hs.save_weights(unknown, tmp_path / "a.safetensors")
    colour = hs.create_model(tmp_path / "a.safetensors", pretrained=True, in_chans=3)
    assert colour.pretrained_cfg["mean"] == (0.485, 0.456, 0.406)  # still unknown


def test_an_export_says_of_images_what_is_known(run, tmp_path):
    text = str(hs.export_model(hs.load(run), tmp_path / "a.safetensors"))
    assert "pixels from 10 to 200 as 0 to 1, clipped; (x - [0.3055]) / [0.37]" in text
    model = hs.create_model(VARIANT)
    text = str(hs.export_model(model, tmp_path / "a.safetensors"))
    assert "normalised by a mean and std that the network does not know" in text
    model.pretrained_cfg["mean"] = torch.tensor([0.25])  # by a trainer of the user's
    text = str(hs.export_model(model, tmp_path / "a.safetensors"))
    assert "normalised: (pixels from 0 to 1 - [0.25]) / [0.5]" in text
    assert hs.load(tmp_path / "a.safetensors").pretrained_cfg["mean"] == (0.25,)


def test_weights_behind_another_pool_are_reported(run, tmp_path):
    file = tmp_path / "a.safetensors"
    hs.save_weights(pooled("max")(run), file)
    (said,) = (n for n in hs.load_weights(HybridSwin(VARIANT), file).notes if "pool" in n)
    assert said.startswith("the source's global_pool is 'max', the model's 'avg': its logits are ")
    maximal = HybridSwin(VARIANT, global_pool="max")
    assert "pool" not in str(hs.load_weights(maximal, file))
    assert "global_pool is 'avg', the model's 'max'" in str(hs.load_weights(maximal, run))
    with pytest.warns(UserWarning, match="make the model with global_pool='max'"):
        hs.create_model(VARIANT, checkpoint_path=file)
    hs.create_model(VARIANT, checkpoint_path=file, global_pool="avg")  # as it was asked for
    hs.save_weights(pooled("catavgmax")(run), file)
    said = str(hs.load_weights(maximal, file))
    assert "the head is fresh: it reads 64 features in the source, 32 in the model" in said
    assert "its logits" not in said  # are those of no head


@pytest.mark.parametrize("layout", ["microsoft", "torchvision", "huggingface"])
def test_other_layouts_hold_average_pools_only(tmp_path, layout):
    stages = [hs.Stage(16, 2, 2, ("w_msa", "sw_msa"))]
    model = HybridSwin(hs.Variant(16, 3, 3, 1, 4, 2, stages), global_pool="max")
    file = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match=f"'{layout}' .* global_pool 'avg'; the model's is 'max'"):
        hs.save_weights(model, file, layout=layout)
    model.reset_classifier(3, "avg")
    hs.save_weights(model.eval(), file, layout=layout)
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(hs.load(file)(images), model(images))


def test_what_cannot_be_kept_is_refused_before_a_file_is_written(tmp_path):
    model = HybridSwin(VARIANT)
    model.head.fc = nn.Linear(32, 7)
    for write in (hs.save_weights, hs.export_model):
        with pytest.raises(InputError, match=r"head.fc.weight is \(7, 32\) .*reset_classifier"):
            write(model, tmp_path / "a.safetensors")
    hs.save_weights(model, tmp_path / "a.pth")  # weights alone
    (tmp_path / "a.pth").unlink()
    model.reset_classifier(7)
    for value in ({1: "a"}, {"a", "b"}, object()):
        model.pretrained_cfg["mine"] = value
        with pytest.raises(InputError, match=r"pretrained_cfg\['mine'\] cannot be kept"):
            hs.save_weights(model, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_networks_of_the_users_own_are_filled_by_load_weights(tmp_path):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            base = HybridSwin(VARIANT)
            self.variant, self.patch_embed, self.layers = VARIANT, base.patch_embed, base.layers
            self.mine = nn.Linear(2, 2)

    hs.save_weights(Own(), tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"holds the weights of 'Own', .* fill it by load_weights"):
        hs.load(tmp_path / "a.safetensors")
    hs.load_weights(Own(), tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"network": '{"global_pool": "mux"}'}, "unknown global_pool 'mux'; did you mean 'max'"),
        ({"network": '{"depth": 1}'}, "unknown fact of a network 'depth'; if a newer version"),
        ({"network": "[]"}, "'network' must be a mapping"),
        ({"network": "{"}, "its 'network' is not JSON"),
        ({"network": '{"norm": 1}'}, "norm must be true or false; got 1"),
        ({"network": '{"out_indices": [7]}'}, "stage 7 does not exist"),
        ({"network": '{"out_indices": "all"}'}, "out_indices must be a list"),
        ({"network": DEEP}, "its 'network' is not JSON"),
        ({"pretrained_cfg": "3"}, "damaged in its 'pretrained_cfg', 3"),
        ({"pretrained_cfg": '{"mean": "abc"}'}, "damaged in its 'pretrained_cfg', .'mean': 'abc'"),
        ({"pretrained_cfg": '{"mean": [0.5], "full_scale": 1}'}, "damaged in its 'pretrained_cfg'"),
        ({"pretrained_cfg": f'{{"mine": {DEEP[:600]}{"]" * 600}}}'}, None),
        ({"pretrained_cfg": DEEP}, "its 'pretrained_cfg' is not JSON"),
        ({"pretrained_cfg": "{"}, "its 'pretrained_cfg' is not JSON"),
        ({"input": '{"mean": 1, "full_scale": 1}'}, "damaged in what it says of its images"),
        ({"classes": "3"}, "damaged in what it says of its images"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, told, message):
    weights, variant = HybridSwin(VARIANT).state_dict(), json.dumps(VARIANT.to_dict())
    file = tmp_path / "a.safetensors"
    safetensors.torch.save_file(weights, file, {"variant": variant, **told})
    if message is None:  # deep, and read or refused
        with suppress(InputError):
            hs.load(file)
        return
    with pytest.raises(InputError, match=message) as error:
        hs.load(file)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_files_of_before_still_load(run, tmp_path):
    """With the texts that exports had: no facts of the network, images and classes beside them."""
    model, file = hs.load(run), tmp_path / "a.safetensors"
    images = {"mean": [0.3055], "std": [0.37], "full_scale": 255.0, "value_range": [10.0, 200.0]}
    told = {
        "variant": model.variant.to_dict(),
        "input": images | {"name": "images", "resize": "squash"},
        "classes": ["a", "b", "c"],
    }
    texts = {name: json.dumps(value) for name, value in told.items()}
    safetensors.torch.save_file(model.state_dict(), file, texts)
    again = hs.load(file)
    assert torch.equal(again(IMAGES), model(IMAGES))
    assert again.pretrained_cfg == model.pretrained_cfg
    assert (again.global_pool, again.weight_init) == ("avg", "trunc_normal")
