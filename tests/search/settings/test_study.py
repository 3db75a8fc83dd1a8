import dataclasses
import datetime
import json
import math
from pathlib import Path

import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from search.settings.experiment import WorkerSettings, differences
from search.settings.study import (
    BaselineSettings,
    BudgetSettings,
    FinalistSettings,
    RungSettings,
    SamplerSettings,
    StudySettings,
)


@pytest.mark.parametrize("name", ["digits", "a.b", "A-1_2", "0"])
def test_a_name_is_a_folders(name):
    assert StudySettings(name=name, folder="~/x").path == Path.home() / "x" / name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".git", "a/b", "a b", "größe", "a\\b", "a:b", "a\n"]
)
def test_a_name_that_is_no_folders_is_refused(name):
    with pytest.raises(InputError, match="becomes a folder and a W&B group; use letters, digits"):
        StudySettings(name=name)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trials": -1}, "trials must be at least 0; got -1"),
        ({"sampler": SamplerSettings(startup_trials=0)}, "sampler.startup_trials .*1; got 0"),
        ({"sampler": SamplerSettings(lookahead=0)}, "sampler.lookahead must be at least 1"),
        ({"rungs": RungSettings(first=-1)}, "rungs.first must be at least 0"),
        ({"rungs": RungSettings(factor=1)}, "rungs.factor must be at least 2; got 1"),
        ({"finalists": FinalistSettings(top=-1)}, "finalists.top must be at least 0"),
        ({"finalists": FinalistSettings(seeds=(5, 3))}, "finalists.seeds must be a number, or a r"),
        ({"finalists": FinalistSettings(seeds=(1, 3))}, "so the look at 1 could show nothing"),
        ({"finalists": FinalistSettings(seeds=0)}, "finalists.seeds must be at least 1"),
        ({"workers": WorkerSettings(count=0)}, "workers.count must be at least 1; got 0"),
        ({"workers": WorkerSettings(threads=0)}, "workers.threads must be at least 1"),
        ({"workers": WorkerSettings(devices=0)}, "workers.devices must be at least 1"),
        ({"workers": WorkerSettings(attempts=0)}, "workers.attempts must be at least 1"),
        (
            {"workers": WorkerSettings(silence_factor=0.5)},
            "workers.silence_factor must be at least",
        ),
        ({"workers": WorkerSettings(silence_minutes=0)}, "workers.silence_minutes must be above 0"),
        ({"workers": WorkerSettings(time_limit_minutes=0)}, "time_limit_minutes must be above 0"),
        (
            {"workers": WorkerSettings(time_limit_minutes=math.nan)},
            "workers.time_limit_minutes must be above 0; got nan",
        ),
        (
            {"workers": WorkerSettings(checkpoint_seconds=-1.0)},
            "workers.checkpoint_seconds must be above 0; got -1.0",
        ),
    ],
)
def test_a_number_that_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        StudySettings(**settings)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@host/db",
        "postgresql://user:se@cret@host/db",
        "postgresql://user:a://b@host/db",
        "mysql+pymysql://user:@host",
        "postgresql://host/db?user=a&password=secret",
    ],
)
def test_a_password_is_kept_out_of_the_settings(url):
    with pytest.raises(InputError, match="storage holds a password") as error:
        StudySettings(storage=url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "url", [None, "postgresql://user@host/db", "postgresql://host:5432/db", "sqlite:///a.db"]
)
def test_a_storage_without_a_password_is_taken(url):
    assert StudySettings(storage=url).storage == url


def test_plain_values_are_given_as_they_stand_in_json():
    settings = StudySettings(
        baselines=(BaselineSettings(("conv",), "c", {"recipe.epochs": 3}),),
        data=DataSettings(options={"path": Path("/tmp/x"), "day": datetime.date(2020, 1, 2)}),  # noqa: S108
    )
    plain = settings.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["baselines"] == [{"blocks": ["conv"], "label": "c", "set": {"recipe.epochs": 3}}]
    assert plain["data"]["options"] == {"path": "/tmp/x", "day": "2020-01-02"}  # noqa: S108
    assert set(plain) == {f.name for f in dataclasses.fields(StudySettings)}


def test_what_adds_work_or_moves_it_may_change():
    settings = StudySettings()
    for field, value in {
        "folder": "elsewhere",
        "trials": 99,
        "finalists": FinalistSettings(5, 5),
        "workers": WorkerSettings(count=3),
        "storage": "sqlite:///x.db",
    }.items():
        assert dataclasses.replace(settings, **{field: value}).fixed() == settings.fixed()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "other"),
        ("seed", 1),
        ("plugins", ("a.py",)),
        ("data", DataSettings(split_seed=1)),
        ("variant", {"patch_size": 2}),
        ("recipe", {"epochs": 3}),
        ("budget", BudgetSettings(macs="3M")),
        ("baselines", (BaselineSettings(("conv",)),)),
        ("sampler", SamplerSettings("random")),
        ("rungs", RungSettings(first=0)),
    ],
)
def test_what_results_depend_on_is_fixed(field, value):
    settings = StudySettings()
    changed = dataclasses.replace(settings, **{field: value})
    assert list(differences(settings.fixed(), changed.fixed()))


def test_differences_are_named_by_their_path():
    old = {"a": 1, "b": {"c": [1], "d": 2}, "e": {"f": 1}, 3: 4}
    new = {"a": 1, "b": {"c": [2], "d": 2}, "e": 5, "g": None, "h": 7}
    assert sorted(differences(old, new)) == [
        "3: 4 -> None",
        "b.c: [1] -> [2]",
        "e: {'f': 1} -> 5",
        "h: None -> 7",
    ]
    assert list(differences(old, old)) == []
