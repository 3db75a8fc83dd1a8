import dataclasses
import shutil
from pathlib import Path

import pytest
import yaml

import hybrid_swin as hs
from hybrid_swin import registry
from hybrid_swin.errors import InputError
from search.compare.launch import check, prepare, read_plan
from search.compare.plan import make_plan
from search.compare.settings import ArmSettings, ComparisonSettings, MatchSettings
from search.run_folder import write_json_atomically
from search.settings_file import read_config_as

CONFIGS = Path(__file__).parents[3] / "configs" / "compare"
PLUGIN = '''
"""A branch of the user's own."""

from torch import nn

from hybrid_swin.branches import Branch
from hybrid_swin.cost import Cost, linear


class Mirror(Branch):
    """The map turned around."""

    def __init__(self, dim, num_heads, window_size, grid_size) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def mix(self, x):
        """(B, H, W, C) -> (B, H, W, C)."""
        return x.flip(1, 2)

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size) -> Cost:
        """One linear layer."""
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''


@pytest.fixture
def forget():
    """Plug-ins are forgotten after the test."""
    before = dict(registry._plugins)
    yield
    registry._plugins.clear()
    registry._plugins.update(before)
    registry._describe.cache_clear()


def test_a_moved_comparison_is_read_from_its_folder(fake, tmp_path):
    made = fake.Made(tmp_path / "made").fill()
    moved = tmp_path / "elsewhere"
    shutil.move(made.folder, moved)
    plan = read_plan(moved)
    assert [e.candidates for e in plan.entries] == [e.candidates for e in made.plan.entries]


def test_first_weights_need_not_be_there_to_read_what_came_of_them(fake, tmp_path):
    given = fake.settings(
        init=str(tmp_path / "gone.ckpt"), match=MatchSettings(by=("control",), tolerance=0.1)
    )
    made = fake.Made(tmp_path / "made", given)
    write_json_atomically(made.folder / "study.json", {"data": {"init": "0123456789"}})
    assert read_plan(made.folder).init.hash == "0123456789"
    with pytest.raises(InputError, match="does not exist"):
        check(given)


def test_weights_of_another_network_are_refused_before_work_starts(fake, tmp_path):
    other = hs.Variant(16, 3, 10, 4, 2, 4, [hs.Stage(32, 2, 2, ("w_msa",))])
    hs.save_weights(hs.create_model(other), tmp_path / "other.safetensors")
    given = fake.settings(
        folder=str(tmp_path / "runs"),
        init=str(tmp_path / "other.safetensors"),
        match=MatchSettings(by=("control",), tolerance=0.1),
    )
    with pytest.raises(InputError, match=r"arm '.*': checkpoint .* is of another network"):
        check(given)
    assert not (tmp_path / "runs").exists()


def test_copies_of_plugins_do_where_the_originals_are_gone(fake, tmp_path, forget):
    folder = tmp_path / "made"
    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins" / "mirror.py").write_text(PLUGIN)
    given = fake.settings(
        plugins=(str(tmp_path / "gone" / "mirror.py"),),
        arms=(ArmSettings(), ArmSettings(add="mirror")),
    )
    with pytest.raises(InputError):
        check(given)
    made = fake.settings(arms=(ArmSettings(), ArmSettings(blocks=("conv",))))
    fake.Made(folder, made)
    (folder / "settings.yaml").write_text(yaml.safe_dump(given.to_dict()))
    assert [entry.arm for entry in read_plan(folder).entries] == ["base", "+mirror"]


def test_every_cell_has_its_own_images(fake, tmp_path):
    given = fake.settings(folder=str(tmp_path), factors={"data.split_seed": [0, 1]})
    given.path.mkdir(parents=True)
    prepared = prepare(make_plan(given))
    assert set(prepared.data) == {"split_seed=0", "split_seed=1"}
    assert len({data["split_hash"] for data in prepared.data.values()}) == 2
    hashes = prepared.hashes
    assert hashes["data_hash split_seed=0"] == hashes["data_hash split_seed=1"]


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_bundled_comparison_can_be_planned(file):
    plan, clock = check(read_config_as(str(file), ComparisonSettings))
    assert clock is None
    assert plan.settings.name.startswith(file.stem.split("_")[0])
    assert len({entry.arm for entry in plan.entries}) > 2


def test_images_of_other_classes_are_refused(fake, tmp_path):
    variant = {**fake.VARIANT, "num_classes": 7}
    given = fake.settings(folder=str(tmp_path), variant=variant)
    given.path.mkdir(parents=True)
    with pytest.raises(InputError, match="classes"):
        prepare(make_plan(dataclasses.replace(given)))
