import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import read_json, write_json_atomically
from search.comparison.design.latency_match import LATENCY_FILE
from search.comparison.design.plan import make_plan
from search.comparison.design.plan_file import PLAN_FILE, read_plan, read_plan_file, write_plan
from search.comparison.older import note_choice
from search.comparison.results.comparison import Comparison
from search.launch.comparison import check, prepare
from search.launch.starts.comparison import say_start
from search.settings.comparison import ArmSettings, ComparisonSettings, MatchSettings
from search.settings.reading import read_config_as

CONFIGS = Path(__file__).parents[3] / "configs" / "compare"
PLUGIN = '''
"""A branch of the user's own."""

from torch import nn

from hybrid_swin import Branch, Cost, linear


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
    write_json_atomically(
        made.folder / "study.json", {"schema_version": 1, "data": {"init": "0123456789"}}
    )
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


def test_one_of_several_first_weights_is_chosen_and_reaches_every_run(fake, tmp_path, capsys):
    network = hs.create_model(hs.Variant.from_dict(fake.VARIANT)).state_dict()
    both = {f"{kind}.{name}": t for kind in ("student", "teacher") for name, t in network.items()}
    both |= {"student.norm.weight": network["norm.weight"] + 1}
    torch.save(both, tmp_path / "both.pth")
    given = {
        "folder": str(tmp_path / "runs"),
        "init": str(tmp_path / "both.pth"),
        "match": MatchSettings(by=("control",), tolerance=0.1),
    }
    with pytest.raises(InputError, match=r"holds 2 networks: 'student', 'teacher'; say which"):
        check(fake.settings(**given))
    plans = [check(fake.settings(**given, weights_prefix=p))[0] for p in ("student", "teacher")]
    specs = [plan.final(plan.entries[0], 0, 0) for plan in plans]
    assert [spec.weights_prefix for spec in specs] == ["student", "teacher"]
    assert specs[0].candidate_id != specs[1].candidate_id
    say_start(plans[0], Console(width=300))
    assert "first weights of arm 'base': blocks not known" in capsys.readouterr().out
    with pytest.raises(InputError, match="'ema' chooses a network of init; give init too"):
        fake.settings(weights_prefix="ema")


def test_every_arm_follows_the_library_of_the_first_weights(fake, tmp_path):
    variant = fake.VARIANT | {"stages": [fake.VARIANT["stages"][0] | {"depth": 1}]}
    network = hs.create_model(hs.Variant.from_dict(variant))
    hs.save_weights(network, tmp_path / "torchvision.pth", layout="torchvision")
    given = {
        "variant": variant,
        "folder": str(tmp_path / "runs"),
        "init": str(tmp_path / "torchvision.pth"),
        "match": MatchSettings(by=("control",), tolerance=0.1),
    }
    plain, following = (check(fake.settings(**given, follow_source=f))[0] for f in (False, True))
    assert [e.arm for e in plain.entries] == [e.arm for e in following.entries]
    for entry, other in zip(following.entries, plain.entries, strict=True):
        words = [word for stage in entry.variant.block_words for word in map(str, stage)]
        assert words and all("w_msa(small_map=pad)" in word for word in words)
        assert not any("small_map" in str(w) for s in other.variant.block_words for w in s)
        assert entry.cost == other.cost
    with pytest.raises(InputError, match="follow_source follows the library of init; give init"):
        fake.settings(follow_source=True)


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
    with pytest.raises(InputError, match="not run unasked"):
        read_plan(folder)  # planned anew it would run: there is no plan.json
    adopt_kept_plugins(folder, (), trust=True)
    assert [entry.arm for entry in read_plan(folder).entries] == ["base", "+mirror"]


def begun(fake, tmp_path, **changes):
    """A comparison that has begun: its folder with settings, plan and runs."""
    made = fake.Made(tmp_path / "made", fake.settings(name="made", folder=str(tmp_path), **changes))
    write_plan(made.plan, made.folder)
    return made.fill()


@pytest.mark.parametrize("by", ["macs", "latency"])
def test_a_plan_is_read_back_as_it_was_made(fake, tmp_path, by):
    changes = {"factors": {"data.split_seed": [0, 1], "recipe.epochs": [10, 12]}}
    made = begun(fake, tmp_path, **changes)
    plan = made.plan
    if by == "latency":  # no clock is asked again
        match = MatchSettings(by=("latency",), tolerance=0.1)
        given = dataclasses.replace(made.settings, match=match)
        entries = tuple(dataclasses.replace(e, matching=by) for e in plan.entries)
        plan = dataclasses.replace(plan, settings=given, entries=entries)
        (made.folder / "settings.yaml").write_text(yaml.safe_dump(given.to_dict()))
        write_plan(plan, made.folder)
    assert read_plan(made.folder).entries == plan.entries
    assert check(plan.settings) == (dataclasses.replace(plan, target=5), None)
    assert not (made.folder / LATENCY_FILE).exists()


def test_another_way_to_solve_widths_loses_no_run(fake, tmp_path, monkeypatch):
    """As another version of the program would: other widths, so other candidates."""
    made = begun(fake, tmp_path)
    before = made.read()
    monkeypatch.setattr("hybrid_swin.cost.stage_shapes.HEAD_DIM_STEP", 4)
    assert [e.candidates for e in make_plan(made.settings).entries] != [
        e.candidates for e in made.plan.entries
    ]
    plan, _ = check(made.settings)
    assert plan.entries == made.plan.entries
    after = Comparison.from_folder(made.folder, read_plan(made.folder))
    assert (after.pending, after.digest()) == (0, before.digest())


def test_more_seeds_keep_the_plan_and_other_settings_do_not(fake, tmp_path, monkeypatch):
    made = begun(fake, tmp_path)
    monkeypatch.setattr("hybrid_swin.cost.stage_shapes.HEAD_DIM_STEP", 4)
    more, _ = check(dataclasses.replace(made.settings, seeds=8))
    assert (more.entries, more.seeds) == (made.plan.entries, 8)
    other = dataclasses.replace(made.settings, learning_rates=(0.002, 0.004))
    assert read_plan_file(made.folder, other) is None
    assert check(other)[0].entries[0].recipes[0].learning_rate == 0.002  # a claim refuses it


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda told: told["entries"][1].pop("variant"), "is damaged: .*'variant'.*delete it"),
        (lambda told: told["entries"][1].update(recipes=[]), "0 recipes and 2 candidates"),
        (lambda told: told["entries"][1].update(candidates=[1, 2]), "where a text belongs"),
        (lambda told: told["entries"][1].update(cost=7), "is damaged"),
        (lambda told: told["entries"][1].update(matching="weight"), "matching 'weight'"),
        (
            lambda told: [
                entry["cell"].update(levels={"x": level})
                for entry, level in zip(told["entries"], (1, "1", 2), strict=True)
            ],
            "two cells are both called 'x=1'",
        ),
        (lambda told: told.update(entries=[]), "no entries"),
        (lambda told: told.update(entries=None), "is damaged"),
        (lambda told: told.update(settings=None), "holds no settings"),
        (lambda told: told.update(schema_version=9), "schema_version 9"),
    ],
)
def test_a_damaged_plan_is_refused_in_one_line(fake, tmp_path, damage, message):
    made = begun(fake, tmp_path)
    told = json.loads((made.folder / PLAN_FILE).read_text())
    damage(told)
    (made.folder / PLAN_FILE).write_text(json.dumps(told))
    with pytest.raises(InputError, match=message) as refused:
        read_plan(made.folder)
    assert "\n" not in str(refused.value)
    (made.folder / PLAN_FILE).unlink()  # what the message advises
    assert read_plan(made.folder).entries == made.plan.entries


def test_settings_that_are_not_the_plans_are_refused_on_reading(fake, tmp_path):
    made = begun(fake, tmp_path)
    edited = dataclasses.replace(made.settings, learning_rates=(0.002, 0.004))
    (made.folder / "settings.yaml").write_text(yaml.safe_dump(edited.to_dict()))
    with pytest.raises(InputError, match=r"settings.yaml in .* is not the one that its plan.json"):
        read_plan(made.folder)


def test_a_comparison_from_before_plans_were_kept_is_read_as_it_was(fake, tmp_path):
    made = fake.Made(tmp_path / "made", fake.settings(folder=str(tmp_path), choose_rate="once"))
    comparison = made.fill().read()
    older = {k: v for k, v in made.settings.to_dict().items() if k != "choose_rate"}
    older_file = yaml.safe_dump({"schema_version": 1, **older})
    (made.folder / "settings.yaml").write_text(older_file)
    write_json_atomically(
        made.folder / "study.json", {"schema_version": 1, "settings": older, "data": {}}
    )
    plan = read_plan(made.folder)
    assert plan.settings.choose_rate == "once"
    assert Comparison.from_folder(made.folder, plan).digest() == comparison.digest()
    note_choice(made.settings, made.folder)
    assert read_json(made.folder / "study.json")["settings"]["choose_rate"] == "once"


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
