"""Made-up tables in the very files that ``train_table.py`` writes."""

import hashlib

import numpy as np
import pytest

from benchmarks.tabular import train_table
from benchmarks.tabular.repeats import Repeats
from benchmarks.tabular.table import SPACE, Table
from search.records.runs import RunResult
from search.settings.reading import read_config_as
from search.settings.study import StudySettings
from search.space.space import Space

EPOCHS = 18


def chance(*words):
    digest = hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()
    return int(digest[:8], 16) / 2**32


def made_up(spec):
    """A training by formula: talents of candidates, luck of seeds."""
    talent = 0.8 + 0.15 * chance(spec.candidate_id) + 0.02 * chance(spec.candidate_id, spec.seed)
    history = tuple(
        {"epoch": e, "val/accuracy": talent * (1 - 0.7**e), "val/loss": 1 - talent * (1 - 0.7**e)}
        for e in range(1, EPOCHS + 1)
    )
    seconds = {"fit": 1 + chance(spec.candidate_id, "cost")}
    score = history[-1]["val/accuracy"]
    return RunResult(
        spec.key, 1, "complete", score, EPOCHS, EPOCHS, EPOCHS, history, seconds=seconds
    )


@pytest.fixture(scope="session")
def plain():
    """The settings of the benchmark's space."""
    return read_config_as(str(SPACE), StudySettings)


@pytest.fixture(scope="session")
def ended(plain):
    """All 270 candidates with 3 seeds."""
    space = Space(plain.variant, plain.recipe)
    params = list(train_table.all_params(space))
    specs = [train_table.make_spec(plain, space, p, seed) for seed in range(3) for p in params]
    return [(spec, made_up(spec)) for spec in specs]


@pytest.fixture(scope="session")
def curves(plain, ended, tmp_path_factory):
    """The file of the table."""
    folder = tmp_path_factory.mktemp("table")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_table, "HERE", folder)
        train_table.write_curves(ended, Space(plain.variant, plain.recipe))
    return folder / "curves.csv.gz"


@pytest.fixture(scope="session")
def table(curves):
    return Table.read(curves)


@pytest.fixture(scope="session")
def repeats():
    """3 candidates, 20 seeds, 60 images, of which seeds and images differ in luck and ease."""
    rng = np.random.default_rng(0)
    skill, ease = np.array([1.6, 1.4, 1.0])[:, None, None], rng.normal(0, 1, 60)
    luck, noise = rng.normal(0, 0.2, (3, 20, 1)), rng.normal(0, 1, (3, 20, 60))
    correct = (skill + ease + luck + noise > 0).astype(float)
    return Repeats(("a", "b", "c"), rng.uniform(0.8, 0.9, (3, 20)), correct)
