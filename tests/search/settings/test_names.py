"""Names are held to the limits of every place that they go to, before anything is begun."""

import pytest

from hybrid_swin.errors import InputError
from search.reporting.wandb.content import run_id
from search.settings.comparison import ArmSettings, ComparisonSettings
from search.settings.experiment import WorkerSettings
from search.settings.names import MOST_LABEL, MOST_NAME
from search.settings.study import BaselineSettings, FinalistSettings, StudySettings
from search.settings.wandb import WandbSettings

NAMES = ["", ".a", "a.", "..", "a/b", "a b", "a\n", "ä", "nul", "COM1.x", "x" * 115, "x" * 300]
LABELS = ["a\nb", "a\x1b[31m", "\u202ea", " a", "a ", "x" * 201]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:12])
def test_names_that_some_place_does_not_take(name):
    for settings in (StudySettings, ComparisonSettings):
        with pytest.raises(InputError, match="name '") as error:
            settings(name=name)
        assert len(str(error.value)) <= 300


def test_the_longest_name_is_taken_by_wandb_as_it_is_used():
    from wandb.sdk.artifacts._validators import validate_artifact_name

    name = "x" * MOST_NAME
    StudySettings(name=name)
    ids = [run_id(name, "study", count, "3f9a8c7d") for count in (1, 2, 99_999)]
    ids.append(run_id(name, "finalists/0a1b2c3d4e/1000", 3, "3f9a8c7d"))
    assert len(set(ids)) == len(ids)
    for found in ids:
        validate_artifact_name(f"run-{found}-leaderboard")
    assert run_id("digits", "trials/0007", 1, "3f9a") == "digits-trials-0007-1-3f9a"


@pytest.mark.parametrize("label", LABELS, ids=lambda label: ascii(label)[:12])
def test_labels_that_no_table_can_hold(label):
    with pytest.raises(InputError, match=r"baselines\.0\.label"):
        StudySettings(baselines=(BaselineSettings(label=label),))
    for arm in (ArmSettings(label=label), ArmSettings(controls={label: "a"})):
        with pytest.raises(InputError, match=r"arms\.0"):
            ComparisonSettings(arms=(arm,))
    with pytest.raises(InputError, match="factors: the name"):
        ComparisonSettings(factors={label: [1, 2]})
    StudySettings(baselines=(BaselineSettings(label="ü[b] & $x$" + "x" * (MOST_LABEL - 10)),))


@pytest.mark.parametrize(
    ("wandb", "said"),
    [
        (WandbSettings(project="x" * 129), "wandb.project must have 1 to 128 characters"),
        (WandbSettings(project="a/b"), "wandb.project 'a/b' holds /"),
        (WandbSettings(entity="a:b"), "wandb.entity 'a:b' holds :"),
        (WandbSettings(group=""), "wandb.group must have 1 to 128"),
        (WandbSettings(tags=("a", "")), "wandb.tags have 1 to 64"),
        (WandbSettings(tags=("x" * 65,)), "wandb.tags have 1 to 64"),
    ],
)
def test_what_wandb_refuses_is_refused_before(wandb, said):
    with pytest.raises(InputError, match=said):
        StudySettings(wandb=wandb)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"trials": 10**9}, "trials must be at most 100,000"),
        ({"finalists": FinalistSettings(seeds=10**9)}, "finalists.seeds must be at most 1,000"),
        ({"finalists": FinalistSettings(top=200, seeds=1000)}, "come to 200,0.. trainings"),
        ({"workers": WorkerSettings(threads=10**20)}, "workers.threads must be at most 1,024"),
        ({"workers": WorkerSettings(count=2**63)}, "workers.count must be at most 1,024"),
    ],
)
def test_a_plan_has_a_largest_size(settings, said):
    with pytest.raises(InputError, match=said):
        StudySettings(**settings)


def test_a_comparison_has_a_largest_size():
    with pytest.raises(InputError, match="come to 1,000,000 trainings"):
        ComparisonSettings(factors={"a": [*range(100)], "b": [*range(100)]}, seeds=100)
