import pytest

from hybrid_swin.cost.stage_shapes import shapes_near
from hybrid_swin.spec.branch_shapes import Shape
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


def near(stage, scale=1.0, count=5):
    return shapes_near(Variant((32, 32), stages=(stage,)), 0, scale, count)


def test_the_stage_itself_is_nearest():
    assert near(Stage(96, 2, 3, ("w_msa",)), count=1) == [Shape(96, 3)]


def test_widths_come_in_order_of_distance():
    found = [s.width for s in near(Stage(96, 2, 3, ("w_msa",)), 0.8, 6)]
    assert found == [80, 72, 64, 96, 120, 48]


def test_a_head_dim_is_a_multiple_of_eight_near_the_original():
    for width, heads in near(Stage(384, 2, 12, ("w_msa",)), count=40):
        assert width % heads == 0
        assert width // heads in (24, 32, 40, 48)


@pytest.mark.parametrize(
    ("scale", "shape"),
    [
        (0.75, Shape(288, 12)),  # the heads stay, though 9 heads of 32 would keep the head dim
        (344 / 384, Shape(352, 11)),  # no head dim divides 344
        (336 / 384, Shape(336, 14)),  # heads of 24, since 28 is not a multiple of 8
        (320 / 384, Shape(320, 10)),  # of 32 and 40, the original 32
    ],
)
def test_heads_are_kept_else_the_head_dim(scale, shape):
    assert near(Stage(384, 2, 12, ("w_msa",)), scale, 1) == [shape]


def test_a_head_dim_far_below_eight_becomes_eight():
    assert near(Stage(12, 2, 4, ("w_msa",)), 1.0, 2) == [Shape(16, 2), Shape(8, 1)]


def test_scales_end_at_a_sixteenth_and_sixteenfold():
    stage = Stage(32, 1, 4, ("w_msa",))
    widths = {s.width for s in near(stage, 1.0, 1000)}
    assert widths == set(range(8, 513, 8))
    assert near(stage, 1e-6, 1) == [Shape(8, 1)]
    assert near(stage, 1e6, 1)[0].width == 512


def test_a_fusion_gets_the_heads_that_it_needs():
    stage = Stage(32, 1, 4, ("conv+mdta+w_msa:split",))
    assert min(s.num_heads for s in near(stage, 1.0, 1000)) == 3
    assert near(stage, 0.01, 1) == [Shape(24, 3)]
