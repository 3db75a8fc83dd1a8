"""The Optuna side, on a real journal: order, refusals, and kills at every write."""

import dataclasses
import itertools
import json
import sqlite3

import optuna
import pytest
import sqlalchemy
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from sqlalchemy.engine.default import DefaultDialect

from hybrid_swin.errors import InputError
from search.records.identity import derive_seed
from search.settings.study import BudgetSettings, SamplerSettings, StudyObjective, StudySettings
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.sampling import study as sampling
from search.study.sampling.draws import Refusal
from search.study.sampling.samplers import Samplers, sample_params
from search.study.sampling.study import OptunaStudy

VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": 2,
    "window_size": 2,
    "mlp_ratio": {"from": 1, "to": 4, "step": 1},
    "stages": [
        {
            "width": {"choose": [16, 20, 32]},
            "depth": 1,
            "num_heads": {"choose": [4, 8]},
            "blocks": "w_msa",
        }
    ],
}
STEPS = {"learning_rate": {"from": 0.001, "to": 0.009, "step": 0.001}}
RECIPE = {"learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}}


class Place:
    """A study's folder; ``open`` begins anew on it."""

    def __init__(self, root, variant=VARIANT, recipe=RECIPE, **settings):
        sampler = SamplerSettings(startup_trials=2, lookahead=2)
        settings = {"variant": variant, "recipe": recipe, "sampler": sampler, **settings}
        self.settings = StudySettings(name="s", folder=str(root), **settings)
        self.folder = self.settings.path
        self.folder.mkdir(parents=True, exist_ok=True)
        self.space = Space(self.settings.variant, self.settings.recipe)

    def open(self):
        return OptunaStudy(self.settings, self.space, self.folder)

    def trials(self):
        storage = optuna.storages.JournalStorage(
            JournalFileBackend(str(self.folder / "optuna.journal"))
        )
        return optuna.load_study(study_name="s", storage=storage).get_trials()

    def play(self, trials=4):
        """Ask and tell as the coordinator does; gives all that Optuna knows in the end."""
        study, candidates = self.open(), Candidates(self.settings, self.space)
        draws = []
        for told in range(trials):
            while len(draws) < min(trials, told + self.settings.sampler.lookahead):
                draw = study.ask(len(draws), candidates.judge)
                candidates.trial(draw, {})
                draws.append(draw)
            score = fitness(draws[told].params)
            study.tell(told, "complete", [score], [(1, score / 2), (2, score)])
        study.close()
        return [
            (t.state, t.params, t.value, t.constraints, t.intermediate_values, t.user_attrs)
            for t in study._study.get_trials(deepcopy=False)
        ]


def fitness(params):
    return params["stages.0.width"] / 32 - params["mlp_ratio"] + params["recipe.learning_rate"]


def take(params):
    return None


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_storage_without_trials_takes_corrected_settings(tmp_path):
    """As after a study that was claimed and ended before its first trial."""
    first, other = Place(tmp_path), Place(tmp_path, recipe=STEPS)
    first.open().close()
    study = other.open()
    assert study.ask(0, lambda params: None) is not None
    study.close()
    with pytest.raises(InputError, match="of another settings"):
        first.open()


def test_takes_what_is_not_refused(place):
    study = place.open()
    draws = [study.ask(index, take) for index in range(3)]
    assert [(d.index, d.number) for d in draws] == [(0, 0), (1, 1), (2, 2)]
    for draw in draws:
        assert draw.params.keys() == {p.path for p in place.space.parameters}
    assert len({json.dumps(d.params) for d in draws}) == 3
    assert study.summary() == {
        "drawn": 3,
        "refused_for_cost": 0,
        "refused_as_known": 0,
        "running": 3,
    }


def test_an_open_trial_is_given_again(place):
    draws = [place.open().ask(index, take) for index in (0, 1, 0, 1, 2)]
    assert draws[0] == draws[2] and draws[1] == draws[3]
    assert [t.params for t in place.trials()] == [draws[i].params for i in (0, 1, 4)]


def test_a_told_trial_is_given_again(place):
    study = place.open()
    first = study.ask(0, take)
    study.tell(0, "complete", [0.5])
    assert place.open().ask(0, take) == first
    assert len(place.trials()) == 1


@pytest.mark.parametrize(
    ("state", "score", "expected", "curve"),
    [
        ("complete", 0.5, TrialState.COMPLETE, {1: 0.25, 2: 0.5}),
        ("complete", None, TrialState.FAIL, {1: 0.25, 2: 0.5}),
        ("stopped", 0.5, TrialState.PRUNED, {1: 0.25, 2: 0.5}),
        ("stopped", None, TrialState.PRUNED, {1: 0.25, 2: 0.5}),
        # The candidate's fault, so that the sampler shall learn of it: worse than any other.
        ("diverged", None, TrialState.PRUNED, {}),
        ("infeasible", None, TrialState.PRUNED, {1: 0.25, 2: 0.5}),
        ("failed", None, TrialState.FAIL, {1: 0.25, 2: 0.5}),
    ],
)
def test_how_trials_end(place, state, score, expected, curve):
    study = place.open()
    study.ask(0, take)
    study.tell(0, state, None if score is None else [score], [(1, 0.25), (2, 0.5)])
    [trial] = place.trials()
    assert (trial.state, trial.intermediate_values) == (expected, curve)
    assert trial.constraints == ({"memory": 1.0} if state == "infeasible" else {})
    if expected == TrialState.COMPLETE:
        assert trial.value == score
    # Once told, it stays as it is.
    for again in (study, place.open()):
        again.tell(0, "complete", [0.9], [(3, 0.9)])
    assert place.trials() == [trial]


def test_what_lacked_memory_is_known_to_samplers_when_its_time_has_come(place):
    """And no sooner where a coordinator was killed: lookahead 1 shows trial 0 to trial 1 first."""
    study = place.open()
    study.ask(0, take)
    study.tell(0, "infeasible", None)
    for again in (study, place.open()):
        again._remember(0)
        assert again._memory.frozen(0).constraints == {}
        again._learn(1)
        seen = again._memory.frozen(0)
        assert (seen.state, seen.constraints) == (TrialState.PRUNED, {"memory": 1.0})


def test_less_is_better_where_the_mode_says_so(tmp_path):
    for mode, direction in (("min", "MINIMIZE"), ("max", "MAXIMIZE")):
        place = Place(tmp_path / mode, objective=StudyObjective("val/loss", mode))
        assert place.open()._study.direction.name == direction


# Refusals


def test_refusals_for_cost_teach_and_those_for_repetition_do_not(place):
    answers = iter([Refusal("too large", {"macs": 0.5, "parameters": -0.1}), Refusal("twin"), None])
    draw = place.open().ask(0, lambda params: next(answers))
    assert (draw.index, draw.number) == (0, 2)
    large, twin, taken = place.trials()
    assert (large.state, large.constraints) == (
        TrialState.PRUNED,
        {"macs": 0.5, "parameters": -0.1},
    )
    assert (twin.state, twin.constraints) == (TrialState.FAIL, {})
    assert (taken.state, taken.params) == (TrialState.RUNNING, draw.params)
    assert [t.user_attrs.get("refused") for t in (large, twin, taken)] == [
        "too large",
        "twin",
        None,
    ]


def test_after_refusals_the_walk_goes_to_neighbours_and_then_anywhere(place, monkeypatch):
    """And goes on so where a coordinator was killed in the middle of it."""
    seen = []
    real = Samplers.make

    def make(self, number, seed, learnt, refused=0, near=None):
        seen.append((refused, near))
        return real(self, number, seed, learnt, refused, near)

    monkeypatch.setattr(Samplers, "make", make)
    drawn = []

    def judge(params, until=30, kill=10):
        drawn.append(dict(params))
        if len(drawn) == kill:
            raise KeyboardInterrupt
        return Refusal("twin") if len(drawn) < until else None

    with pytest.raises(KeyboardInterrupt):
        place.open().ask(0, judge)
    killed = drawn.pop()
    assert place.open().ask(0, lambda params: judge(params, kill=0)).number == 29
    assert drawn[9] == killed  # drawn again
    seen.pop(9)
    assert [refused for refused, _ in seen] == list(range(30))
    assert [near for _, near in seen] == [None, *drawn[:29]]
    for before, after in itertools.pairwise(drawn[1:24]):
        assert sum(before[path] != after[path] for path in before) == 1
    place.open().ask(1, take)
    assert seen[-1] == (0, None)


def test_a_space_that_is_used_up_ends_the_asking(tmp_path):
    stage = {"width": {"choose": [16, 32]}, "depth": 1, "num_heads": 4, "blocks": "w_msa"}
    variant = VARIANT | {"mlp_ratio": 2, "stages": [stage]}
    place = Place(tmp_path, variant, {})
    study, candidates = place.open(), Candidates(place.settings, place.space)
    for index in (0, 1):
        candidates.trial(study.ask(index, candidates.judge), {})
    assert study.ask(2, candidates.judge) is None
    drawn = study.summary()["drawn"]
    # Known at once when the study goes on.
    study, candidates = place.open(), Candidates(place.settings, place.space)
    for index in (0, 1):
        candidates.trial(study.ask(index, candidates.judge), {})
    assert study.ask(2, candidates.judge) is None
    assert study.summary()["drawn"] == drawn
    assert study.summary()["refused_as_known"] == drawn - 2


# Always the same


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2", "grid", "gp"])
def test_a_study_depends_on_its_seed_only(tmp_path, sampler):
    samplers = SamplerSettings(sampler, startup_trials=2, population=3, lookahead=2)
    given = {"sampler": samplers, "recipe": STEPS} if sampler == "grid" else {"sampler": samplers}
    trials = 5 if sampler == "gp" else 8  # whose draws take longest
    first, second = (Place(tmp_path / name, **given).play(trials) for name in "ab")
    assert first == second
    assert Place(tmp_path / "c", **given, seed=1).play(trials) != first


def test_tpe_learns(tmp_path):
    """Its later draws are not those of a random search, of which the first ones are."""
    played = {}
    for name in ("tpe", "random"):
        samplers = SamplerSettings(name, startup_trials=2, lookahead=2)
        trials = Place(tmp_path / name, sampler=samplers).play(6)
        played[name] = [params for _, params, *_ in trials]
    assert played["tpe"][0] == played["random"][0]
    assert played["tpe"][-1] != played["random"][-1]


class Killed(BaseException):
    pass


@pytest.fixture
def kill_in_write(monkeypatch):
    """Let the coordinator die as it writes the journal's n-th line, after some of the bytes."""
    real = JournalFileBackend.append_logs

    def set_up(number, share):
        count = 0

        def append(self, logs):
            nonlocal count
            before, count = count, count + len(logs)
            if count < number:
                return real(self, logs)
            lines = [json.dumps(log).encode() + b"\n" for log in logs[: number - before]]
            torn = lines.pop()
            with open(self._file_path, "ab") as file:
                file.write(b"".join([*lines, torn[: int(len(torn) * share)]]))
            raise Killed

        monkeypatch.setattr(JournalFileBackend, "append_logs", append)

    yield set_up
    monkeypatch.setattr(JournalFileBackend, "append_logs", real)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "grid"])
def test_a_kill_at_any_write_changes_nothing(tmp_path, monkeypatch, kill_in_write, sampler):
    """Also in the middle of a draw, of a refusal, of a telling, and of a line."""
    samplers = SamplerSettings(sampler, startup_trials=2, population=2, lookahead=2)
    changes = {"sampler": samplers, "budget": BudgetSettings(parameters=9_000), "recipe": STEPS}
    undisturbed = Place(tmp_path / "whole", **changes)
    expected = undisturbed.play(6)
    states = [state for state, *_ in expected]
    assert TrialState.PRUNED in states and states.count(TrialState.COMPLETE) == 6
    writes = len((undisturbed.folder / "optuna.journal").read_bytes().splitlines())
    assert writes > 25
    real = JournalFileBackend.append_logs
    for number in range(1, writes + 1, 1 if sampler == "tpe" else 2):  # all write by one code
        place = Place(tmp_path / str(number), **changes)
        kill_in_write(number, share=number % 3 / 2)  # nothing, half a line, a whole one
        with pytest.raises(Killed):
            place.play(6)
        monkeypatch.setattr(JournalFileBackend, "append_logs", real)
        assert place.play(6) == expected, f"killed in write {number}"


# The storage


def test_a_draw_and_an_end_are_one_write_each(place, monkeypatch):
    """Each waits for the disk, and a curve has an entry for each point."""
    study, writes = place.open(), []
    real = JournalFileBackend.append_logs
    monkeypatch.setattr(
        JournalFileBackend,
        "append_logs",
        lambda self, logs: (writes.append(len(logs)), real(self, logs)),
    )
    answers = iter([Refusal("twin"), None, None])
    for index in range(2):
        study.ask(index, lambda params: next(answers))
    curve = [(epoch, epoch / 12) for epoch in range(1, 13)]
    study.tell(0, "complete", [1.0], curve)
    study.tell(1, "infeasible", None, curve)
    study.tell(1, "complete", [1.0], curve)
    assert writes == [1, 1, 1, 12 + 1, 12 + 1 + 1]
    assert place.trials() == study._study.get_trials()
    assert study.ask(2, take).number == place.trials()[-1].number == 3


def test_a_torn_journal_is_repaired_and_goes_on(place):
    place.open().ask(0, take)
    journal = place.folder / "optuna.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "wor')
    said = []
    study = OptunaStudy(place.settings, place.space, place.folder, say=said.append)
    assert len(said) == 1 and "last 19 bytes were cut off" in said[0]
    assert study.ask(1, take).number == 1
    assert journal.read_bytes().startswith(whole)
    for line in journal.read_bytes().splitlines():
        json.loads(line)
    OptunaStudy(place.settings, place.space, place.folder, say=said.append)
    assert len(said) == 1


def test_a_lock_that_a_kill_left_does_not_stall(place, monkeypatch):
    place.open().ask(0, take)
    (place.folder / "optuna.journal.lock").touch()
    (place.folder / "optuna.journal.lock1b2c-rename").touch()

    def wait(seconds):
        raise AssertionError("waited for a lock that nobody holds")

    monkeypatch.setattr("optuna.storages.journal._file.time.sleep", wait)
    assert place.open().ask(1, take).number == 1
    assert [f.name for f in place.folder.iterdir()] == ["optuna.journal"]


DAMAGE = [
    b"garbage\n",
    b"\xff\xfe\n",
    b"[1]\n",
    b"[" * 100_000 + b"\n",
    b"{}\n",
    b'{"op_code": 99}\n',
]


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
@pytest.mark.parametrize("where", [0, 7, -1])
def test_damage_in_a_journal_is_said_and_costs_nothing(tmp_path, damage, where):
    """As long as trials are told again, which the coordinator does, all is as it was."""
    place, said = Place(tmp_path), []
    expected = place.play(4)
    journal = place.folder / "optuna.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:where], damage, *lines[where:]])
    journal.write_bytes(damaged)
    OptunaStudy(place.settings, place.space, place.folder, say=said.append).close()
    assert len(said) == 1 and len(said[0]) < 400
    assert "optuna.journal is damaged" in said[0] and "optuna.journal.torn" in said[0]
    assert (place.folder / "optuna.journal.torn").read_bytes() == damaged
    assert place.play(4) == expected
    assert journal.read_bytes().count(b"garbage") == 0


def test_a_folder_in_the_place_of_a_journal_is_set_aside(place):
    said = []
    (place.folder / "optuna.journal").mkdir()
    OptunaStudy(place.settings, place.space, place.folder, say=said.append).close()
    assert len(said) == 1 and "a folder stands where a file belongs" in said[0]
    assert (place.folder / "optuna.journal").is_file()


def test_another_study_of_the_same_name_is_refused(place, tmp_path):
    """As in a database, which knows studies by their name only."""
    assert place.open().ask(0, lambda params: None) is not None
    other = Place(tmp_path, recipe={"learning_rate": 0.01})
    with pytest.raises(
        InputError, match=r"of another settings; give another --name, or.* delete it"
    ):
        other.open()
    (other.folder / "optuna.journal").rename(tmp_path / "kept")  # what the message advises
    other.open().close()
    (tmp_path / "kept").rename(other.folder / "optuna.journal")
    # More trials, other workers and moved plug-ins are no other study.
    Place(tmp_path, trials=99, plugins=("elsewhere/mine.py",)).open()


def test_another_folder_with_the_same_database_is_refused(place):
    """Each has a lock of its own, and neither could tell whose a trial is."""
    storage = optuna.storages.InMemoryStorage()
    first = OptunaStudy(place.settings, place.space, place.folder, storage=storage, owner="one")
    assert first.ask(0, take).number == 0
    with pytest.raises(InputError, match="another study 's', of another folder; give another"):
        OptunaStudy(place.settings, place.space, place.folder, storage=storage, owner="two")
    again = OptunaStudy(place.settings, place.space, place.folder, storage=storage, owner="one")
    assert again.knows(0)


@pytest.mark.parametrize(
    ("reason", "most"), [(Refusal("dear", {"macs": 1.0}), 400), (Refusal("known"), 40)]
)
def test_hundreds_of_dear_draws_do_not_use_up_a_space(place, reason, most, monkeypatch):
    """More than are allowed of draws that are known; with a tenth of the product's limits."""
    assert (sampling._MOST_KNOWN, sampling._MOST_REFUSED) == (400, 4000)
    monkeypatch.setattr(sampling, "_MOST_KNOWN", 40)
    monkeypatch.setattr(sampling, "_MOST_REFUSED", 400)
    storage = optuna.storages.InMemoryStorage()
    random = dataclasses.replace(place.settings, sampler=SamplerSettings("random", lookahead=2))
    study = OptunaStudy(random, place.space, place.folder, storage=storage)
    refused = []

    def judge(params):
        refused.append(params)
        return reason if len(refused) < 100 else None

    draw = study.ask(0, judge)
    if most < 100:
        assert draw is None
        assert len(refused) == most
    else:
        assert draw.number == len(refused) - 1 == 99
        assert study.ask(1, lambda params: reason) is None
        assert study.summary()["refused_for_cost"] == 99 + most


@pytest.fixture
def lose(monkeypatch):
    """Let commits to a database fail, as if the server went away: before, or after they are done.

    ``lose(every, phase, done)`` begins with the next commit; one of so many fails.
    """
    monkeypatch.setattr("search.study.sampling.storage_patience._FIRST_PAUSE", 0.0)
    quicken = lambda opened, _: opened.execute("PRAGMA synchronous = OFF")  # noqa: E731
    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", quicken)
    real = DefaultDialect.do_commit

    def begin(every, phase, done):
        count = itertools.count()

        def commit(self, connection):
            fails = next(count) % every == phase
            if done or not fails:
                real(self, connection)
            if fails:
                raise sqlite3.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(DefaultDialect, "do_commit", commit)

    begin.stop = lambda: monkeypatch.setattr(DefaultDialect, "do_commit", real)
    yield begin
    begin.stop()
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", quicken)


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_answer_of_a_database_loses_and_doubles_nothing(tmp_path, lose, done):
    """At any commit, and also where somebody has put a trial of their own before ours."""

    class InDatabase(Place):
        def __init__(self, name):
            folder = tmp_path / name
            folder.mkdir()
            samplers = SamplerSettings("nsga2", startup_trials=2, population=2, lookahead=2)
            budget, url = BudgetSettings(parameters=9_000), f"sqlite:///{folder}/db"
            changes = {"sampler": samplers, "budget": budget, "recipe": STEPS, "storage": url}
            super().__init__(folder, **changes, storage_wait_seconds=5)

        begun = staticmethod(lambda: None)

        def open(self):
            foreign = optuna.trial.create_trial(state=TrialState.FAIL)
            super().open()._study.add_trial(foreign)
            opened = super().open()
            self.begun()
            return opened

    expected = InDatabase("whole").play(4)
    assert [state for state, *_ in expected].count(TrialState.PRUNED) > 1
    every = 11  # more commits than a repeated call has: each kind has its turn, done or not
    for phase in range(int(done), every, 2):
        place = InDatabase(str(phase))
        place.begun = lambda phase=phase: lose(every, phase, done)
        assert place.play(4) == expected
        lose.stop()


def test_an_end_that_takes_effect_late_is_not_told_again(place):
    """The server ends a transaction that was cut off while we look at the trial already."""
    storage = optuna.storages.InMemoryStorage()
    study = OptunaStudy(place.settings, place.space, place.folder, storage=storage)
    study.ask(0, take)
    real = storage.set_trial_state_values

    def late(trial_id, state, values=None):
        real(trial_id, state, values)
        return real(trial_id, state, values)  # as by our second try

    storage.set_trial_state_values = late
    study.tell(0, "complete", [0.5])
    study.tell(0, "complete", [0.9])
    assert [(t.state, t.value) for t in study._study.get_trials()] == [(TrialState.COMPLETE, 0.5)]


# Seeds and samples


def test_seeds_differ_by_purpose_and_stay_as_they_are():
    assert derive_seed(0, "search") == 192_298_381
    purposes = [(0, "search"), (1, "search"), (0, "draw", 1), (0, "draw", 11), (0, "draw", 1, 1)]
    assert len({derive_seed(*purpose) for purpose in purposes}) == len(purposes)
    assert all(0 <= derive_seed(0, n) < 2**31 for n in range(200))


def test_samples_are_of_no_study():
    space = Space(VARIANT, RECIPE)
    samples, same, others = (
        list(itertools.islice(sample_params(space, seed), 5)) for seed in (3, 3, 4)
    )
    assert samples == same
    assert samples != others
    assert all(params.keys() == space.default().keys() for params in samples)
