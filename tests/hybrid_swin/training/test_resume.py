"""Identities; what the keeper does in a training is in test_training."""

import numpy as np

from hybrid_swin.data.datamodule import ImageData
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.resume import data_facts, identify


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


def test_how_files_became_pixels_is_kept(tmp_path):
    values = np.random.default_rng(0).integers(0, 200, (60, 8, 8), np.uint16)
    np.savez(tmp_path / "a.npz", train_images=values, train_labels=np.arange(60) % 10)
    options = {"path": str(tmp_path / "a.npz"), "value_range": [0, 160]}
    stages = [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}]
    fields = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2}
    variant = Variant.from_dict(fields | {"stages": stages})
    data = ImageData(DataSettings("npz", options), variant, 8, 0)
    data.setup()
    facts = data_facts(data)
    assert facts["value_range"] == [0.0, 160.0] and facts["full_scale"] == 1.0
    assert "resize" not in facts  # arrays are not resized
    assert data_facts(object()) == {}
