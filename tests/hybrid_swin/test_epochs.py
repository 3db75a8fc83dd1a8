"""Identities; what the keeper does in a training is in test_training."""

from hybrid_swin.epochs import identify
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Variant


def test_an_identity_is_that_of_the_network_not_of_its_spelling():
    stage = {"width": 8, "depth": 1, "num_heads": 2}
    spelt = [
        Variant.from_dict(
            {"image_size": 8, "patch_size": 2, "stages": [stage | {"blocks": [word]}]}
        )
        for word in ("w_msa+mdta", "mdta+w_msa:sum", "w_msa")
    ]
    ids = [identify(variant, Recipe(), 0) for variant in spelt]
    assert ids[0] == ids[1] != ids[2]
