from hybrid_swin.cost import count_cost
from hybrid_swin.cost.at_test_size import notes_at_test_size
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant

STAGE = {"width": 96, "depth": 2, "num_heads": 3, "blocks": ["w_msa"]}
SIZES = {"in_channels": 3, "num_classes": 10, "patch_size": 4, "window_size": 8}


def variant(side):
    return Variant.from_dict({"image_size": side, **SIZES, "stages": [STAGE]})


def test_a_larger_test_is_said_with_its_cost():
    assert notes_at_test_size(variant(64), [Recipe()]) == []
    assert notes_at_test_size(variant(64), [Recipe(test_image_size=64)]) == []
    searched = [Recipe(), Recipe(test_image_size=96), Recipe(test_image_size=96, epochs=3)]
    (note,) = notes_at_test_size(variant(64), searched)
    small, large = (count_cost(variant(side)).macs for side in (64, 96))
    assert f"{large:,} MACs, {large / small:.2f} x the {small:,} of a train image" in note
