import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.cost.padding import padding_notes
from hybrid_swin.spec.variant import Stage, Variant


def variant(*blocks, window_size=7, image_size=64):
    stages = [Stage(8, 2, 2, blocks), Stage(16, 2, 4, blocks)]
    return Variant((image_size, image_size), 3, 10, 4, window_size, 4, stages)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (variant("w_msa"), "windows of 7 pad maps of 8x8 to 14x14, 3.1 times the tokens"),
        (variant("conv", "w_msa(window_size=3x5)"), "windows of 3x5 pad maps of 16x16 to 18x20"),
        (variant("w_msa", window_size=8), ""),
        (variant("w_msa(mask_padding=true)"), "3.1 times"),
        (variant("w_msa", image_size=224), ""),
        (variant("w_msa", window_size=6, image_size=232), ""),  # 58 to 60
        (variant("linear"), ""),
    ],
)
def test_what_windows_pad_much_is_noted(network, said):
    notes = padding_notes(network)
    assert len(notes) == bool(said) and said in "".join(notes)


def test_such_padding_costs():
    assert (
        count_cost(variant("w_msa")).macs > 1.2 * count_cost(variant("w_msa", window_size=8)).macs
    )
