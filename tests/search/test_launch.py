"""What a launch decides before anything is trained."""

import pytest
import torch

from hybrid_swin.cost import count_cost
from search.launch import check, prepare
from search.settings import BaselineSettings, BudgetSettings, StudyObjective, StudySettings
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


@pytest.mark.parametrize("baseline", [True, False])
def test_where_no_draw_keeps_the_budget_the_reference_is_of_what_is_left(tmp_path, baseline):
    """A study of baselines only: theirs, or without any the first network's."""
    stage = {"width": {"choose": [16, 32]}, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}
    variant = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2}
    small = BaselineSettings(set={"stages.0.width": 8})
    settings = StudySettings(
        folder=str(tmp_path),
        variant=variant | {"window_size": 2, "stages": [stage]},
        objective=StudyObjective(against=("macs",)),
        budget=BudgetSettings(parameters=2000),
        baselines=(small,) if baseline else (),
        trials=0,
    )
    space, candidates = check(settings)
    first, _ = space.resolve(space.default())
    macs = candidates.baselines[0].cost["macs"] if baseline else count_cost(first).macs
    assert prepare(settings, space, candidates).reference["macs"] == pytest.approx(1.1 * macs)
