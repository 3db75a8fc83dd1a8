"""What a launch decides before anything is trained."""

import pytest
import torch

from search.workplace import visible_gpus


@pytest.mark.parametrize(
    ("given", "count", "expected"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("", 0, []),
        # GPU 0 of this process is another one of the machine's: workers must get that one's name.
        ("2,3", 2, ["2", "3"]),
        ("GPU-8f6d, GPU-1a2b", 2, ["GPU-8f6d", "GPU-1a2b"]),
        ("5,-1,6", 1, ["5"]),  # CUDA ends at the first that is none
        ("0,9", 1, ["0"]),
    ],
)
def test_workers_get_the_gpus_that_this_process_was_given(monkeypatch, given, count, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert visible_gpus() == expected
