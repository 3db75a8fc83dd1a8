"""The period of each layout, read off which tokens share a window."""

import pytest
import torch

from hybrid_swin import registry
from hybrid_swin.inspecting.attention import period_of


@pytest.mark.parametrize(
    ("word", "grid", "period"),
    [
        ("w_msa", (28, 14), (7, 7)),
        ("sw_msa", (28, 14), (7, 7)),
        ("w_msa", (14, 5), (7, 5)),
        ("grid", (28, 14), (4, 2)),
        ("grid", (15, 7), (3, 1)),  # padded to 21 x 7
        ("grid", (5, 28), (1, 4)),
    ],
)
def test_windows_repeat_after_their_period(word, grid, period):
    torch.manual_seed(0)
    branch = registry.load("branch", word)(dim=8, num_heads=1, window_size=7, grid_size=(28, 28))
    assert period_of(branch, grid) == period
