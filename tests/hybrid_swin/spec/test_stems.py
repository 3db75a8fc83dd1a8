import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.stems import conv_layers
from hybrid_swin.spec.variant import Variant


@pytest.mark.parametrize(
    ("width", "patch_size", "layers"),
    [
        (96, 1, ((96, 1),)),
        (96, 2, ((96, 2),)),
        (96, 4, ((48, 2), (96, 2))),
        (30, 8, ((8, 2), (15, 2), (30, 2))),
        (3, 8, ((2, 2), (2, 2), (3, 2))),
    ],
)
def test_as_many_convolutions_as_the_patch_size_needs(width, patch_size, layers):
    assert conv_layers(width, patch_size) == layers


def test_patch_sizes_that_convolutions_do_not_come_to_are_refused():
    stages = [Stage(8, 1, 1, ("conv",))]
    for patch_size in (3, 6, 12):
        with pytest.raises(InputError, match=rf"power of two, .*; got {patch_size}; choose \d+ or"):
            Variant(patch_size=patch_size, stem="conv", stages=stages)
        Variant(patch_size=patch_size, stages=stages)
    with pytest.raises(InputError, match=r"stem must be one of patch, conv; got 'convs'; did you"):
        Variant(stem="convs", stages=stages)
