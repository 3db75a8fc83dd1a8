"""What a launch decides before anything is trained."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.system.console import Console
from search.launch import session
from search.launch import study as launch
from search.launch.study import check, launch_study, prepare
from search.settings.study import BaselineSettings, BudgetSettings, StudyObjective, StudySettings


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


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"test_image_size": {"choose": [8, 16]}}, "test_image_size 16: .* cannot be read"),
        ({"augmentations": {"choose": [[], ["rand_augment"]]}}, "train images hold -3 to 5; give"),
    ],
)
def test_images_are_checked_for_all_recipes_of_a_space(tmp_path, recipe, message):
    labels = np.arange(60) % 2
    images = np.where(labels, -3.0, 5.0)[:, None, None, None] * np.ones((8, 8, 1))
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=labels)
    stage = {"width": 8, "depth": 1, "num_heads": 1, "blocks": ["w_msa"]}
    size = {"image_size": 8, "in_channels": 1, "num_classes": 2, "patch_size": 2, "window_size": 2}
    settings = StudySettings(
        folder=str(tmp_path),
        data=DataSettings(source="npz", options={"path": str(tmp_path / "a.npz")}),
        variant=size | {"stages": [stage]},
        recipe=recipe,
        baselines=(),
    )
    with pytest.raises(InputError, match=message):
        prepare(settings, *check(settings))


OWN_MODULE = """
from lightning.pytorch import LightningDataModule


class Squares(LightningDataModule):
    def __init__(self, batch_size: int = 8):
        super().__init__()
"""


class Begun(Exception):
    """Every check has passed and the folder is claimed."""


def test_corrected_own_data_begins_in_the_same_folder(tmp_path, monkeypatch):
    """Nothing was trained, so nothing could be incomparable."""

    def stop(*args, **named):
        raise Begun

    idle = SimpleNamespace(slots=1, nodes=[], waiting="", hardware=None)
    idle.wait_until_ready, idle.require = lambda timeout: True, lambda precision: None
    monkeypatch.setattr(session, "start_workers", lambda *_: contextlib.nullcontext(idle))
    monkeypatch.setattr(launch, "expected_runs", stop)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_data.py").write_text(OWN_MODULE)
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}
    sizes = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2}
    variant = sizes | {"window_size": 2, "stages": [stage]}

    def run(name, epochs=2):
        data = DataSettings(class_path=f"own_data.{name}")
        recipe = {"epochs": epochs}
        folder = str(tmp_path / "runs")
        settings = StudySettings(folder=folder, variant=variant, recipe=recipe, data=data, trials=0)
        launch_study(settings, Console())

    with pytest.raises(InputError, match="Missing"):
        run("Missing")
    for epochs in (2, 3):
        with pytest.raises(Begun):
            run("Squares", epochs)
