"""One small training on a folder of images, which tests of predictions share."""

import pytest

from hybrid_swin.__main__ import main

VARIANT = (
    "{image_size: 16, in_channels: 3, num_classes: 10, patch_size: 4, window_size: 4, "
    "stages: [{width: 16, depth: 1, num_heads: 2, blocks: [w_msa+mdta]}]}"
)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, photos):
    """The folder of a finished fit."""
    place = tmp_path_factory.mktemp("predicted")
    (place / "tiny.yaml").write_text(VARIANT)
    data = ["--data.source", "folder", "--data.options.path", str(photos)]
    words = ["--variant", str(place / "tiny.yaml"), *data, "--recipe.epochs", "2"]
    assert main(["fit", *words, "--folder", str(place / "fit"), "--accelerator", "cpu"]) == 0
    return place / "fit"
