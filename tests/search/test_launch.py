"""What a launch decides before anything is trained."""

import pytest
import torch

from search.candidates import Candidates
from search.launch import count_runs
from search.settings import BaselineSettings, FinalistSettings, StudySettings
from search.space import Space
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


@pytest.mark.parametrize(
    ("trials", "top", "seeds", "expected"),
    [
        (5, 2, 3, 2 + 5 + 1 + 4 * 3 + 4),
        (1, 9, 1, 2 + 1 + 1 + 3 + 4),
        (0, 3, 2, 2 + 0 + 1 + 4 + 4),
    ],
)
def test_runs_are_counted(trials, top, seeds, expected):
    variant = {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}],
    }
    settings = StudySettings(
        variant=variant,
        baselines=(BaselineSettings(("conv",)), BaselineSettings(("mdta",))),
        trials=trials,
        finalists=FinalistSettings(top, seeds, random=4),
    )
    assert count_runs(settings, Candidates(settings, Space(variant, {}))) == expected
