import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.variant_sources import resolve_variant
from hybrid_swin.spec import published, registry


def small():
    return hs.Variant(8, 1, 3, 1, 4, 2, [hs.Stage(12, 1, 3, ("w_msa",))])


def test_a_model_is_made_from_a_variant_a_file_or_a_name(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(small().to_yaml())
    assert hs.create_model(small()).variant == small()
    assert hs.create_model(path).variant == small()
    assert hs.create_model(str(path)).variant == small()
    assert resolve_variant("swin_t") == published.published("swin_t")


def test_fields_are_changed_by_our_names_and_by_timms():
    model = hs.create_model(small(), num_classes=5, img_size=(6, 4), in_chans=2, drop_path_rate=0.1)
    assert model.variant.image_size == (6, 4)
    assert model(torch.randn(1, 2, 6, 4)).shape == (1, 5)
    assert model.layers[-1].blocks[-1].drop_path.rate == 0.1
    assert hs.create_model(small(), image_size=6, window_size=2).variant.window_size == 2


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        ("swin_tt", {}, "unknown variant or branch 'swin_tt'; did you mean 'swin_t'"),
        ("none.yaml", {}, "variant file 'none.yaml' cannot be read"),
        (small(), {"num_class": 3}, "unknown argument 'num_class'; did you mean 'num_classes'"),
        (small(), {"drop_path": 0.1}, "did you mean 'drop_path_rate'.* takes .*, window_size$"),
        (small(), {"xyz": 1}, "'xyz'; .* drop_path_rate, .* global_pool, "),
        (small(), {"num_classes": "3"}, "num_classes must be a whole number"),
        (small(), {"img_size": 8, "image_size": 6}, "img_size and image_size mean the same"),
        (small(), {"drop_path_rate": 1.0}, "drop_path_rate must be"),
        (None, {}, "made from a name, a block word, a path or a Variant; got NoneType None"),
        (small(), {"drop_rate": "a"}, "drop_rate must be a number of at least 0 and below 1"),
        (small(), {"drop_path_rate": [0.1]}, "drop_path_rate must be a number of at least 0"),
        (small(), {"features_only": True, "out_indices": "a"}, r"\(0, 2\); got 'a'"),
        (small(), {"features_only": True, "out_indices": 1.0}, r"\(0, 2\); got 1.0"),
        (small(), {"features_only": True, "out_indices": ("a",)}, r"\(0, 2\); got \('a',\)"),
        (small(), {"features_only": "yes"}, "features_only must be True or False; got 'yes'"),
        (small(), {"device": "gpu"}, "device must be one that torch has here, .*; got 'gpu'"),
        (small(), {"dtype": "half"}, "dtype must be one of torch's, .*; got 'half'"),
        (small(), {"embed_dim": {}}, "embed_dim must be a whole number, or one per stage; got {}"),
        (small(), {"out_indices": (0,)}, "set features_only=True as well"),
        (small(), {"features_only": True, "out_indices": (1,)}, "stage 1 does not exist"),
    ],
)
def test_what_cannot_be_made_is_refused(source, changes, message):
    with pytest.raises(InputError, match=message):
        hs.create_model(source, **changes)


def test_none_means_the_default():
    """As timm's scripts pass what their users did not say; '' is not a checkpoint."""
    names = ("pretrained", "features_only", "out_indices", "checkpoint_path", "follow_source")
    names += ("drop_rate", "drop_path_rate", "global_pool", "strict_img_size", "device", "dtype")
    model = hs.create_model(small(), **dict.fromkeys((*names, "num_classes", "img_size")))
    assert model.head.drop.p == 0 and model.global_pool == "avg" and model.variant == small()
    assert model.layers[-1].blocks[-1].drop_path.rate == 0 and model.strict_img_size is False
    hs.create_model(small(), checkpoint_path="")
    images = torch.randn(1, 1, 8, 8)
    final, maps = model.eval().forward_intermediates(images, None, None, None, None, None)
    assert maps[0].shape == (1, 12, 8, 8) and torch.equal(final, model.forward_features(images))


def test_maps_have_no_head_to_pool_for():
    pyramid = hs.create_model(small(), features_only=True, global_pool="")
    assert pyramid(torch.randn(1, 1, 8, 8))[0].shape == (1, 12, 8, 8)


def test_a_size_that_is_strict_holds_for_maps_alone():
    for strict in (True, False):
        pyramid = hs.create_model(small(), features_only=True, strict_img_size=strict)
        assert len(pyramid(torch.randn(1, 1, 8, 8))) == 1
        if strict:
            with pytest.raises(InputError, match="of 8x6 pixels where the network is for 8x8"):
                pyramid(torch.randn(1, 1, 8, 6))
        else:
            pyramid(torch.randn(1, 1, 8, 6))


def wrong_calls():
    model = hs.create_model(small())
    info = hs.create_model(small(), features_only=True).feature_info
    return {
        "reset_classifier": lambda: model.reset_classifier("2"),
        "window_ratio": lambda: model.set_input_size(window_ratio="a"),
        "indices": lambda: model.forward_intermediates(torch.randn(1, 1, 8, 8), 0.5),
        "prune": lambda: model.prune_intermediate_layers(["a"]),
        "images": lambda: model([[1.0]]),
        "maps": lambda: hs.create_model(small(), features_only=True)(None),
        "load": lambda: hs.load(3),
        "variant": lambda: hs.HybridSwin("swin_t"),
        "list": lambda: hs.list_models(3),
        "cost": lambda: hs.count_cost(3),
        "match": lambda: hs.match_cost("swin_t", small()),
        "fields": lambda: hs.match_cost(small(), small(), fields="width"),
        "tolerance": lambda: hs.match_cost(small(), small(), tolerance="a"),
        "export": lambda: hs.export_model("swin_t", "x.onnx"),
        "export path": lambda: hs.export_model(model, 3),
        "export format": lambda: hs.export_model(model, "x.onnx", ["onnx"]),
        "export names": lambda: hs.export_model(model, "x.onnx", class_names=3),
        "export facts": lambda: hs.export_model(model, "x.onnx", normalisation=0.5),
        "flag": lambda: model.forward_intermediates(torch.randn(1, 1, 8, 8), norm="no"),
        "strict": lambda: hs.HybridSwin(small(), strict_img_size="no"),
        "identity": lambda: hs.load_weights(model, model.state_dict(), identity_start="no"),
        "key": lambda: info.get("reductions"),
        "keys": lambda: info.get_dicts("reduction"),
        "stage": lambda: info.channels(7),
        "stages": lambda: info.channels(1.5),
    }


@pytest.mark.parametrize("call", wrong_calls())
def test_values_of_another_type_are_refused_in_one_line(call):
    with pytest.raises(InputError) as error:
        wrong_calls()[call]()
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_a_whole_number_of_classes_may_be_a_float():
    model = hs.create_model(small())
    model.reset_classifier(2.0)
    assert model.num_classes == 2 and model(torch.randn(1, 1, 8, 8)).shape == (1, 2)


def test_features_are_made_alone():
    torch.manual_seed(0)
    model = hs.create_model(small(), drop_path_rate=0.1)
    torch.manual_seed(0)
    pyramid = hs.create_model(small(), features_only=True, out_indices=1, drop_path_rate=0.1)
    weights = model.state_dict()
    assert {name: p.shape for name, p in pyramid.state_dict().items()} == {
        name: p.shape for name, p in weights.items() if not name.startswith(("head.", "norm."))
    }
    assert all(torch.equal(p, weights[name]) for name, p in pyramid.state_dict().items())
    assert pyramid.layers[-1].blocks[-1].drop_path.rate == 0.1


def test_lists_hold_what_there_is(write_plugin):
    assert hs.list_models() == published.names()
    assert hs.list_models("swin_?") == ["swin_b", "swin_l", "swin_s", "swin_t"]
    assert "gate" in hs.list_fusions()
    assert "average" not in hs.list_branches()
    registry.add_plugin(write_plugin("average"))
    assert "average" in hs.list_branches()


def test_a_users_own_branch_trains_in_a_network(write_plugin):
    registry.add_plugin(write_plugin("average"))
    variant = hs.Variant(8, 1, 3, 1, 4, 2, [hs.Stage(12, 1, 3, ("w_msa+average:gate",))])
    model = hs.create_model(variant)
    model(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert sum(p.numel() for p in model.parameters()) == hs.count_cost(variant).parameters


def test_public_names_are_there_and_no_others():
    for name in hs.__all__:
        assert getattr(hs, name) is not None
    assert set(dir(hs)) == set(hs.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hs.nothing  # noqa: B018


def test_costs_are_counted_of_what_models_are_created_from(tmp_path):
    variant = hs.resolve_variant("swin_t")
    file = tmp_path / "mine.yaml"
    file.write_text(variant.to_yaml())
    costs = [hs.count_cost(source) for source in ("swin_t", variant, file)]
    assert costs[0].parameters == 28_288_354
    assert costs[0] == costs[1] == costs[2]
    with pytest.raises(InputError, match="did you mean 'swin_t'"):
        hs.count_cost("swim_t")
