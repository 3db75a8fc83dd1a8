import pytest
import torch

import hybrid_swin as hs
from hybrid_swin import published, registry
from hybrid_swin.errors import InputError
from hybrid_swin.variant_sources import resolve_variant


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
        (small(), {"xyz": 1}, "'xyz'; .* checkpoint_path, .* drop_path_rate, .* global_pool, "),
        (small(), {"num_classes": "3"}, "num_classes must be a whole number"),
        (small(), {"img_size": 8, "image_size": 6}, "img_size and image_size mean the same"),
        (small(), {"drop_path_rate": 1.0}, "drop_path_rate must be"),
        (None, {}, "unknown variant or branch 'None'"),
        (small(), {"out_indices": (0,)}, "set features_only=True as well"),
        (small(), {"features_only": True, "out_indices": (1,)}, "stage 1 does not exist"),
    ],
)
def test_what_cannot_be_made_is_refused(source, changes, message):
    with pytest.raises(InputError, match=message):
        hs.create_model(source, **changes)


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
