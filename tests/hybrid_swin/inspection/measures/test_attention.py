"""The period of each layout, read off which tokens share a window."""

import pytest
import torch

from hybrid_swin.inspection.measures.attention import period_of
from hybrid_swin.spec import registry


@pytest.mark.parametrize(
    ("word", "grid", "period", "window"),
    [
        ("w_msa", (28, 14), (7, 7), 7),
        ("sw_msa", (28, 14), (7, 7), 7),
        ("w_msa", (14, 5), (7, 5), 7),
        ("grid", (28, 14), (4, 2), 7),
        ("grid", (15, 7), (3, 1), 7),  # padded to 21 x 7
        ("grid", (5, 28), (1, 4), 7),
        ("sw_msa", (28, 14), (4, 7), (4, 7)),
        ("grid", (28, 14), (7, 2), (4, 7)),
    ],
)
def test_windows_repeat_after_their_period(word, grid, period, window):
    torch.manual_seed(0)
    sizes = {"dim": 8, "num_heads": 1, "window_size": window, "grid_size": (28, 28)}
    branch = registry.load("branch", word)(**sizes)
    assert period_of(branch, grid) == period
