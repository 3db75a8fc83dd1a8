"""Trials that somebody puts into the Optuna storage of a study.

A journal must not be written while its study runs, which ends with a message (see
``test_journal_backend``); a database may be.
"""

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from search.settings.study import SamplerSettings
from search.study.candidates import Candidates
from search.study.sampling.study import OptunaStudy
from tests.search.study.sampling.test_study import Place, fitness

TRIALS = 6


def storage_of(place):
    journal = JournalFileBackend(str(place.folder / "optuna.journal"))
    return place.settings.storage or optuna.storages.JournalStorage(journal)


def put_trials(place):
    """One to be tried next, and one that beats all others, by a script of the user's."""
    theirs = optuna.load_study(study_name="s", storage=storage_of(place))
    theirs.enqueue_trial({"mlp_ratio": 1.0})
    ended = next((t for t in theirs.get_trials() if t.state == TrialState.COMPLETE), None)
    if ended is not None:
        best = optuna.trial.create_trial(
            value=99.0, params=ended.params, distributions=ended.distributions
        )
        theirs.add_trial(best)


def play(place, put=(), restarts=()):
    """The parameters that are drawn, with foreign trials before some results are told."""
    said, draws = [], []

    def begin():
        return OptunaStudy(place.settings, place.space, place.folder, say=said.append)

    study, candidates = begin(), Candidates(place.settings, place.space)
    for told in range(TRIALS):
        between = told in restarts and place.settings.storage is None
        if between and told in put:
            put_trials(place)
        if told in restarts:
            study.close()
            study = begin()
        while len(draws) < min(TRIALS, told + place.settings.sampler.lookahead):
            draw = study.ask(len(draws), candidates.judge)
            candidates.trial(draw, {})
            draws.append(draw)
        if told in put and not between:
            put_trials(place)
        score = fitness(draws[told].params)
        study.tell(told, "complete", [score], [(1, score / 2), (2, score)])
    study.close()
    stored = optuna.load_study(study_name="s", storage=storage_of(place)).get_trials()
    ours = {t.user_attrs["trial"]: t.value for t in stored if "trial" in t.user_attrs}
    drawn = [(draw.index, draw.params, ours[draw.index]) for draw in draws]
    return drawn, sum("trial" not in t.user_attrs for t in stored), said


@pytest.mark.parametrize("kind", ["database", "journal"])
@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_they_shift_no_draw_and_no_result(tmp_path, name, kind):
    sampler = SamplerSettings(name, startup_trials=2, population=2, lookahead=2)
    expected, _, said = play(Place(tmp_path / "calm", sampler=sampler))
    assert not said
    changes = {"storage": f"sqlite:///{tmp_path}/db"} if kind == "database" else {}
    place = Place(tmp_path / "put", sampler=sampler, **changes)
    drawn, foreign, said = play(place, put=(2, 3), restarts=(2, 3))
    assert (drawn, foreign) == (expected, 4)
    assert said[0].startswith("the Optuna storage holds 2 trials that this study did not make: ")
    assert "holds 4 trials" in said[-1]
