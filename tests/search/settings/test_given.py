"""Settings as a Python program gives them: checked as those of a file and a command line."""

from pathlib import Path

import numpy as np
import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from search.cli.commands import COMMANDS
from search.settings.comparison import ComparisonSettings, MatchSettings
from search.settings.given import resolve_settings
from search.settings.study import DEFAULT_CONFIG, RungSettings, StudySettings


def study(source=None, overrides=None, **more):
    return resolve_settings(StudySettings, source, {**(overrides or {}), **more}, DEFAULT_CONFIG)[0]


def typed(*words):
    return COMMANDS["run"].parse("run", words)[1]


def test_all_ways_to_say_the_same_give_the_same():
    words = (
        "--trials",
        "4",
        "--recipe.epochs",
        "7",
        "--finalists.seeds",
        "[2, 4]",
        "--name",
        "010",
    )
    expected = typed(*words).to_dict()
    changes = {"trials": 4, "finalists": {"seeds": (2, 4)}, "name": "010"}
    ways = [
        study(None, {"recipe.epochs": 7}, **changes),
        study("digits", recipe={"epochs": np.int64(7)}, **changes),
        study(Path("digits.yaml"), recipe={"epochs": 7}, **changes),
        study(study().to_dict(), recipe={"epochs": 7}, **changes),
        study(study(), recipe={"epochs": 7}, **changes),
    ]
    for way in ways:
        assert way.to_dict() == expected


def test_settings_alone_are_taken_as_they_are():
    given = StudySettings(trials=3)
    assert study(given) == given


def test_objects_stand_for_their_settings():
    changed = study(data=DataSettings(source="npz"), rungs=RungSettings(first=2), folder=Path("x"))
    assert (changed.data.source, changed.rungs.first, changed.folder) == ("npz", 2, "x")


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        (None, {"trails": 3}, "unknown setting 'trails'; did you mean 'trials'?"),
        (None, {"trials": "four"}, "trials must be a whole number; got 'four'"),
        (None, {"trials": -1}, "trials must be at least 0; got -1"),
        (None, {"sampler": {"name": "tpee"}}, "did you mean 'tpe'?"),
        (None, {"finalists": 3}, "finalists must be a mapping with settings such as top:"),
        (None, {"data": None}, "data is empty; give a value"),
        (None, {"variant.stages.0.width": 3}, "give the whole list"),
        ({"trails": 3}, {}, "did you mean 'trials'?"),
        ("nonsense.yaml", {}, "there is no file 'nonsense.yaml'"),
        ("reach.yaml", {}, "describes a comparison"),
        (ComparisonSettings(), {}, "`search.compare` runs it"),
        ({"arms": [], "match": {}}, {"trials": 2}, "`search.compare` runs it"),
        (5, {}, "the name of a file or a bundled config; got 5"),
    ],
)
def test_what_cannot_be_meant_is_refused(source, changes, message):
    with pytest.raises(InputError) as refusal:
        study(source, changes)
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 350


def test_code_of_a_receipt_runs_only_if_trusted(tmp_path, write_plugin):
    """As on the command line: with its name, or `trust`."""
    import json

    plugin = str(write_plugin("pool"))
    receipt = tmp_path / "receipt.json"
    settings = {"name": "again", "plugins": [plugin]}
    receipt.write_text(json.dumps({"settings": settings, "code_hash": "c"}))
    with pytest.raises(InputError, match=r"pool\.py"):
        study(receipt)
    assert study(receipt, plugins=plugin).plugins == (plugin,)
    known, found = resolve_settings(StudySettings, receipt, {}, DEFAULT_CONFIG, trust=True)
    assert known.plugins == (plugin,)
    assert found["code_hash"] == "c"


def test_settings_that_no_file_was_read_for_are_checked_as_those_of_one():
    wrong = ComparisonSettings(match=MatchSettings(by=("mac",)))
    with pytest.raises(InputError, match=r"match\.by\.0 must be one of macs.*did you mean 'macs'"):
        resolve_settings(ComparisonSettings, wrong, {}, "digits")
