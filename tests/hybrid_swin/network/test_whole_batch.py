"""Shares of a batch, and batch norm where devices hold next to nothing."""

import pytest
import torch
from torch import distributed, nn

from hybrid_swin.data.shares import shares_of
from hybrid_swin.network.whole_batch import as_whole


def share(whole, rank, ranks, turns, turn):
    """Of one batch."""
    return [part for _, part in shares_of([whole], lambda count: count, rank, ranks, turns)][turn]


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_what_all_hold_in_a_turn_is_known_to_each(ranks, turns):
    for whole in range(1, 12):
        for turn in range(turns):
            parts = [share(whole, rank, ranks, turns, turn) for rank in range(ranks)]
            held = sum(part.size for part in parts)
            assert [part.held_by_all for part in parts] == [held] * ranks


@pytest.fixture
def together(monkeypatch):
    """As if there were other devices, which give nothing to a sum."""
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "all_reduce", lambda x: None)


@pytest.mark.parametrize("track", [True, False])
def test_a_turn_in_which_no_device_has_an_image_spoils_nothing(together, track):
    norm = nn.BatchNorm2d(2, track_running_stats=track)
    empty = share(1, 0, 2, 2, 0)
    assert (empty.size, empty.held_by_all) == (0, 0)
    x = torch.randn(1, 2, 3, 3, requires_grad=True)
    with as_whole(empty):
        (norm(x).sum() * empty.weight).backward()
    assert x.grad.isfinite().all() and norm.weight.grad.isfinite().all()
    if track:
        assert norm.running_mean.tolist() == [0, 0] and norm.running_var.tolist() == [1, 1]


def test_one_value_in_all_is_refused_as_on_one_device(together):
    norm, alone = nn.BatchNorm1d(2), torch.randn(1, 2)
    with pytest.raises(ValueError, match="more than 1 value per channel") as expected:
        norm(alone)
    with pytest.raises(ValueError) as error, as_whole(share(1, 0, 2, 1, 0)):
        norm(alone)
    assert str(expected.value).startswith(str(error.value))
    with as_whole(share(3, 0, 2, 1, 0)):  # one here, two on the other device
        assert norm(alone).isfinite().all()
