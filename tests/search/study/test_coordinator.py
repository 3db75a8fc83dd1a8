"""The loop of a study, with trainings that are a formula and end in any order."""

import contextlib
import copy
import dataclasses
import hashlib

import numpy as np
import optuna
import pytest

from hybrid_swin.data.test_reads import LEDGER
from search.execution.training import falls_short
from search.records.finalists_file import read_finalists
from search.records.imported import Imported, ImportedCandidate
from search.records.looks import Look, record_look
from search.records.runs import RunResult
from search.records.time_limit import TimeLimit, read_time_limit
from search.settings.study import (
    BaselineSettings,
    FinalistSettings,
    RungSettings,
    SamplerSettings,
    StudyObjective,
    StudySettings,
)
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.coordinator import Coordinator
from search.study.deadline import Deadline, TimePlan
from search.study.random_candidates import RandomCandidates
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
            "width": {"choose": [16, 24, 32]},
            "depth": 1,
            "num_heads": 4,
            "blocks": {"choose": [["w_msa"], ["conv"], ["w_msa+conv"]]},
        }
    ],
}
EPOCHS = 4


def settings(tmp_path, **changes):
    plain = {
        "name": "s",
        "folder": str(tmp_path),
        "variant": VARIANT,
        "recipe": {"epochs": EPOCHS, "learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}},
        "baselines": (BaselineSettings(("mdta",)), BaselineSettings(("conv",), "plain")),
        "trials": 10,
        "sampler": SamplerSettings(startup_trials=3, lookahead=4),
        "rungs": RungSettings(first=1, factor=2, audit=0),
        "finalists": FinalistSettings(top=2, seeds=2, random=0),
    }
    made = StudySettings(**(plain | changes))
    made.path.mkdir(parents=True, exist_ok=True)
    return made


def train(spec, mode="max", monitor="val/accuracy"):
    """The result of a training that is a formula of its candidate; stops itself at a rung."""
    digest = hashlib.sha256(f"{spec.candidate_id}/{spec.seed}".encode()).hexdigest()
    talent = int(digest[:8], 16) / 2**32
    history = []
    for epoch in range(1, EPOCHS + 1):
        score = round(talent * (1 - 0.5**epoch), 6)
        history.append({"epoch": epoch, monitor: score})
        cutoff = spec.cutoffs.get(str(epoch))
        if cutoff is not None and epoch < EPOCHS and falls_short(score, cutoff, mode):
            return RunResult(spec.key, 1, "stopped", score, epoch, EPOCHS, epoch, tuple(history))
    return RunResult(spec.key, 1, "complete", score, EPOCHS, EPOCHS, EPOCHS, tuple(history))


class Killed(BaseException):
    pass


class Trainings:
    """Stands for the dispatcher: of the first ``workers`` runs that wait, any may end next."""

    def __init__(self, seed=0, workers=4, train=train, known=None, kill_after=None):
        self.rng, self.workers, self.train = np.random.default_rng(seed), workers, train
        self.known, self.kill_after = {} if known is None else known, kill_after
        self.submitted, self.waiting, self.ended = [], [], []

    @property
    def busy(self):
        return bool(self.waiting)

    @property
    def running(self):
        return len(self.waiting)

    def submit(self, spec, begun=False):
        assert spec.key not in [s.key for s in self.submitted], "asked for twice"
        self.submitted.append(spec)
        self.waiting.append(spec)

    def adopt(self, spec, result, answers):
        self.known.setdefault(spec.key, result)

    def results(self, timeout=1.0):
        assert self.waiting, "waits for what nobody was asked to do"
        there = [spec for spec in self.waiting if spec.key in self.known]
        first = min(len(self.waiting), self.workers)
        spec = there[0] if there else self.waiting[self.rng.integers(first)]
        if not there and len(self.known) == self.kill_after:
            raise Killed
        self.waiting.remove(spec)
        if not there:
            self.known[spec.key] = self.train(spec)
        self.ended.append(spec.key)
        yield spec, self.known[spec.key]


class Watch:
    def __init__(self):
        self.notes, self.totals, self.expected = [], [], []

    def note(self, text):
        self.notes.append(text)

    def expect(self, total, by_folder, about):
        assert sum(by_folder.values()) == total
        self.totals.append(total)
        self.expected.append((by_folder, about))


class Played:
    """A study, run to its end."""

    def __init__(self, study_settings, trainings=None, storage=None, deadline=None, imported=None):
        self.settings = study_settings
        self.trainings = trainings or Trainings()
        self.storage = storage or optuna.storages.InMemoryStorage()
        self.view, self.events = Watch(), []
        space = Space(study_settings.variant, study_settings.recipe)
        candidates = Candidates(study_settings, space)
        self.study = OptunaStudy(
            study_settings,
            space,
            study_settings.path,
            storage=self.storage,
            given=[candidate.params for candidate in imported.candidates] if imported else (),
            known_results=len(imported.taken_over) if imported else 0,
        )
        ask, tell = self.study.ask, self.study.tell

        def note_ask(index, judge):
            self.events.append(("asked", index))
            return ask(index, judge)

        def note_tell(index, *rest):
            self.events.append(("told", index))
            tell(index, *rest)

        self.study.ask, self.study.tell = note_ask, note_tell
        self.coordinator = Coordinator(
            study_settings,
            study_settings.path,
            candidates,
            RandomCandidates(study_settings, space, candidates),
            self.study,
            self.trainings,
            train_images=1000,
            reference={"val/accuracy": 0.0, "macs": 1e6},
            view=self.view,
            deadline=deadline,
            imported=imported,
        )

    def run(self):
        self.coordinator.run()
        return self

    def keys(self, kind):
        return [spec.key for spec in self.trainings.submitted if spec.kind == kind]

    def origins(self):
        return [spec.origin for spec in self.trainings.submitted if spec.kind == "finalist"]

    def trials(self):
        return [(s.key, s.params, s.cutoffs) for s in self.trainings.submitted if s.kind == "trial"]

    def optuna_trials(self):
        trials = self.study._study.get_trials(deepcopy=False)
        return [t for t in trials if "refused" not in t.user_attrs]


@pytest.fixture
def play(tmp_path):
    """Run a study; in a folder of its own unless one is given."""
    count = 0

    def run(trainings=None, storage=None, folder=None, imported=None, **changes):
        nonlocal count
        count += 1
        made = settings(folder or tmp_path / str(count), **changes)
        return Played(made, trainings, storage, imported=imported)

    return run


# The order of things


def test_the_order_of_ending_changes_nothing(play):
    """Over 50 orders and 1 to 4 workers: the same candidates, cut-offs, tellings, finalists."""
    expected = play(Trainings(workers=1)).run()
    assert any(cutoffs for _, _, cutoffs in expected.trials())
    results = [expected.trainings.known[key] for key in expected.keys("trial")]
    assert {result.state for result in results} == {"complete", "stopped"}
    orders = set()
    for seed in range(50):
        played = play(Trainings(seed, workers=2 + seed % 3)).run()
        assert played.events == expected.events
        assert played.trials() == expected.trials()
        assert played.trainings.known == expected.trainings.known
        orders.add(tuple(played.trainings.ended))
    assert len(orders) > 40  # they did end in many orders


@pytest.mark.parametrize("lookahead", [1, 2, 5, 10, 30])
def test_a_trial_is_asked_when_exactly_those_far_enough_before_are_told(play, lookahead):
    sampler = SamplerSettings(startup_trials=3, lookahead=lookahead)
    played = play(Trainings(1), sampler=sampler).run()
    told = 0
    asked = 0
    for what, which in played.events:
        if what == "told":
            assert which == told  # in the trials' order
            told += 1
        else:
            assert told == max(0, asked - lookahead + 1)
            assert which == asked
            asked += 1
    assert told == asked == 10


def test_everything_is_run(play):
    played = play().run()
    assert played.keys("baseline") == ["baselines/00", "baselines/01"]
    assert played.keys("reference") == ["references/logistic_regression"]
    assert played.keys("trial") == [f"trials/{i:04d}" for i in range(10)]
    assert len(played.keys("finalist")) == (2 + 2) * 2
    assert sorted(played.trainings.ended) == sorted(s.key for s in played.trainings.submitted)
    assert set(played.view.totals) == {2 + 1 + 10 + 8}


def test_baselines_and_the_reference_come_first_and_their_finals_before_the_search_ends(play):
    played = play().run()
    order = [spec.key for spec in played.trainings.submitted]
    assert order[:3] == ["baselines/00", "baselines/01", "references/logistic_regression"]
    # As soon as the last trial is asked; seed by seed.
    after = order[order.index("trials/0009") + 1 :]
    assert [s.split("/")[0] for s in after] == ["finalists"] * 8
    assert played.origins()[:4] == ["baselines/00", "baselines/01"] * 2
    seeds = [spec.seed_index for spec in played.trainings.submitted if spec.kind == "finalist"]
    assert seeds == [0, 0, 1, 1] * 2


def test_what_is_only_submitted_is_no_reading(play):
    """Each is written down by who reads, immediately before and after."""
    played = play().run()
    assert not (played.settings.path / LEDGER).exists()


# Which become finalists


def test_the_best_that_ran_to_their_end_are_finalists(play):
    for mode, monitor, best in (("max", "val/accuracy", max), ("min", "val/loss", min)):

        def formula(spec, mode=mode, monitor=monitor):
            return train(spec, mode, monitor)

        objective = StudyObjective(monitor, mode)
        played = play(Trainings(train=formula), objective=objective).run()
        known = played.trainings.known
        complete = {k: known[k].score for k in played.keys("trial") if known[k].state == "complete"}
        assert 2 < len(complete) < 10
        chosen = played.origins()[4:6]
        assert complete[chosen[0]] == best(complete.values())
        assert len(set(chosen)) == 2
        values = [t.value for t in played.optuna_trials() if t.state.name == "COMPLETE"]
        assert values == list(complete.values())


@pytest.mark.parametrize("state", ["failed", "diverged", "stopped"])
def test_where_no_trial_ends_well_the_baselines_are_still_tested(play, state):
    def formula(spec):
        result = train(spec)
        return dataclasses.replace(result, state=state, score=None) if spec.params else result

    played = play(Trainings(train=formula)).run()
    assert set(played.origins()) == {"baselines/00", "baselines/01"}
    states = {t.state.name for t in played.optuna_trials()}
    assert states == {"FAIL" if state == "failed" else "PRUNED"}
    assert played.view.totals[-1] == 2 + 1 + 10 + 4 == len(played.trainings.submitted)


@pytest.mark.parametrize("top", [0, 99])
def test_how_many_become_finalists(play, top):
    played = play(finalists=FinalistSettings(top=top, seeds=1, random=0), baselines=()).run()
    known = played.trainings.known
    complete = [key for key in played.keys("trial") if known[key].state == "complete"]
    assert set(played.origins()) == (set(complete) if top else set())
    assert played.view.totals[-1] == len(played.trainings.submitted)


def test_without_trials_the_baselines_are_compared(play):
    played = play(trials=0).run()
    assert [s.kind for s in played.trainings.submitted] == [
        *["baseline"] * 2,
        "reference",
        *["finalist"] * 4,
    ]
    assert played.view.totals[-1] == 7


def test_nothing_at_all_to_do(play):
    data = dataclasses.replace(StudySettings().data, class_path="mine.Data")
    played = play(trials=0, baselines=(), data=data).run()
    assert played.trainings.submitted == []


def test_data_of_the_users_own_have_no_reference(play):
    data = dataclasses.replace(StudySettings().data, class_path="mine.Data")
    played = play(data=data).run()
    assert played.keys("reference") == []
    assert played.view.totals[-1] == len(played.trainings.submitted)


@pytest.mark.parametrize("lookahead", [1, 2, 3, 8])
def test_a_space_that_is_used_up(play, lookahead):
    """Whenever that turns out, also when nothing is left to ask: the baselines are tested once."""
    variant = copy.deepcopy(VARIANT) | {"mlp_ratio": 2}
    variant["stages"][0] |= {"width": 16}
    played = play(
        variant=variant,
        recipe={"epochs": EPOCHS},
        baselines=(BaselineSettings(("mdta",)),),
        sampler=SamplerSettings(startup_trials=1, lookahead=lookahead),
    ).run()
    assert len(played.keys("trial")) == 3
    assert played.view.expected[0][0]["trials"] == 3
    [note] = played.view.notes
    assert "no further candidate was found after 3 trials" in note
    assert played.origins()[:2] == ["baselines/00"] * 2
    assert played.view.totals[-1] == len(played.trainings.submitted)


def test_some_stopped_trials_are_trained_to_their_end(play):
    """Whatever is known of them, and the best of these may become a finalist."""
    rungs = RungSettings(first=1, factor=2, audit=3)
    played = play(rungs=rungs).run()
    known, audits = played.trainings.known, played.keys("audit")
    assert len(audits) == 3
    for key in audits:
        stopped = known[key.replace("audits", "trials")]
        assert stopped.state == "stopped"
        assert known[key].state == "complete"
        assert known[key].history[: stopped.epochs] == stopped.history
    assert played.view.totals[-1] == len(played.trainings.submitted)
    others = [play(Trainings(seed, 3), rungs=rungs).run().trainings.known for seed in range(5)]
    assert all(other == known for other in others)

    def late(spec):  # of trials that stop at once and turn out best
        result = train(spec)
        return dataclasses.replace(result, score=2.0) if spec.kind == "audit" else result

    played = play(Trainings(train=late), rungs=rungs).run()
    assert all(origin.startswith("audits/") for origin in played.origins()[4:])


def test_random_candidates_are_trained_once_each_whatever_the_search_finds(play):
    finalists = FinalistSettings(top=2, seeds=2, random=3)
    played, other = play(finalists=finalists).run(), play(finalists=finalists, trials=5).run()
    keys = [f"random/final-{i:02d}" for i in range(3)]
    assert played.keys("random") == other.keys("random") == keys
    specs = [s for s in played.trainings.submitted if s.kind == "random"]
    assert [s.seed_index for s in specs] == [0, 1, 2]
    # so more seeds may be asked for later
    more = FinalistSettings(top=2, seeds=4, random=3)
    again = play(finalists=more).run()
    assert [s for s in again.trainings.submitted if s.kind == "random"] == specs
    assert len({s.candidate_id for s in specs}) == 3
    assert {s.stage for s in specs} == {"final"}
    assert played.view.totals[-1] == len(played.trainings.submitted)


@pytest.mark.parametrize("audit", [0, 2])
def test_a_random_search_costs_as_much_as_the_search(play, audit):
    sampler = SamplerSettings(startup_trials=3, lookahead=4, random_search=True)
    rungs = RungSettings(first=1, factor=2, audit=audit)
    played = play(sampler=sampler, rungs=rungs).run()
    specs, known = played.trainings.submitted, played.trainings.known
    cost = {s.key: known[s.key].passes * s.cost.get("macs", 0) for s in specs}
    spent = sum(cost[key] for key in [*played.keys("trial"), *played.keys("audit")])
    assert len(played.keys("audit")) == audit
    random = played.keys("random")
    assert played.view.totals[-1] == len(specs)
    (first, about), *_, (last, still) = played.view.expected
    assert (about, still) == (True, False)
    assert last["random"] == len(random)
    assert 0.5 * len(random) < first["random"] < 2 * len(random)  # told before costs are known
    assert first["finalists"] == last["finalists"] == (2 + 2 * 2) * 2
    assert sum(cost[key] for key in random[:-1]) < spent <= sum(cost[key] for key in random)
    assert not any(s.cutoffs for s in specs if s.kind == "random")
    chosen = played.origins()[4:]
    assert sum(origin.startswith("random/") for origin in chosen) == 4  # two, over two seeds
    scores = sorted(known[key].score for key in random)
    assert sorted({known[o].score for o in chosen if o.startswith("random/")}) == scores[-2:]
    frozen = read_finalists(played.settings.path)
    assert frozen["search"] + frozen["random_search"] == list(dict.fromkeys(chosen))


def test_a_baseline_that_chance_finds_as_well_is_retrained_once(play):
    """As the best of the random search: its runs as a baseline are those of a finalist."""
    sampler = SamplerSettings(startup_trials=3, lookahead=4, random_search=True)
    space = {"variant": {**copy.deepcopy(VARIANT), "mlp_ratio": 2}, "recipe": {"epochs": EPOCHS}}
    baselines = (BaselineSettings(("conv",), "plain"),)

    def formula(spec):
        result = train(spec)
        best = spec.label in ("conv", "plain")
        return dataclasses.replace(result, score=2.0) if best else result

    played = play(
        Trainings(train=formula), sampler=sampler, baselines=baselines, trials=6, **space
    ).run()
    keys = played.keys("finalist")
    assert len(keys) == len(set(keys))
    [plain] = {s.candidate_id for s in played.trainings.submitted if s.kind == "baseline"}
    assert any(s.candidate_id == plain for s in played.trainings.submitted if s.kind == "random")
    frozen = read_finalists(played.settings.path)
    drawn = {s.key: s.candidate_id for s in played.trainings.submitted if s.kind == "random"}
    assert plain in {drawn[key] for key in frozen["random_search"]}


def test_each_start_trains_up_to_the_next_planned_look(tmp_path):
    made = settings(tmp_path, finalists=FinalistSettings(top=2, seeds=(2, 3), random=0))
    first = Played(made).run()
    assert {key.rpartition("/")[2] for key in first.keys("finalist")} == {"0", "1"}
    record_look(made.path, Look(2, 2, "run", plan=(2, 3)))
    second = Played(made).run()
    assert {key.rpartition("/")[2] for key in second.keys("finalist")} == {"0", "1", "2"}


def test_finalists_validate_on_images_of_their_own_and_test_on_the_same(play):
    played = play().run()
    drawn = {}
    for spec in played.trainings.submitted:
        if spec.kind == "finalist":
            drawn.setdefault(spec.seed_index, set()).add(spec.data["validation_seed"])
            assert spec.data["split_seed"] == 0
        elif spec.kind != "reference":
            assert spec.data is None
    assert [len(seeds) for seeds in drawn.values()] == [1, 1]
    assert drawn[0] != drawn[1]


def test_costs_are_told_beside_the_score(play):
    """The front is told, and the finalists span it."""
    objective = StudyObjective(against=("macs",))
    played = play(objective=objective).run()
    specs = {s.key: s for s in played.trainings.submitted}
    known = played.trainings.known
    complete = [key for key in played.keys("trial") if known[key].state == "complete"]
    told = [t.values for t in played.optuna_trials() if t.state.name == "COMPLETE"]
    assert told == [[known[key].score, specs[key].cost["macs"]] for key in complete]
    for key in played.origins()[4:]:
        better = [
            k
            for k in complete
            if known[k].score >= known[key].score
            and specs[k].cost["macs"] <= specs[key].cost["macs"]
            and k != key
        ]
        assert not better


def test_an_epoch_without_the_metric_is_no_point_of_the_curve(play):
    def formula(spec):
        result = train(spec)
        return dataclasses.replace(result, history=({"epoch": 1}, *result.history[1:]))

    played = play(Trainings(train=formula)).run()
    assert {min(t.intermediate_values, default=2) for t in played.optuna_trials()} == {2}


# Killed and continued


@pytest.mark.parametrize("kill_after", [0, 1, 3, 5, 8, 12, 15, 20])
def test_a_study_that_is_killed_goes_on_as_if_it_had_not_been(play, tmp_path, kill_after):
    expected = play(Trainings(1)).run()
    storage, known = optuna.storages.InMemoryStorage(), {}
    killed = play(Trainings(2, known=known, kill_after=kill_after), storage, tmp_path / "killed")
    with pytest.raises(Killed):
        killed.run()
    assert len(known) == kill_after
    before = dict(known)
    again = play(Trainings(3, known=known), storage, tmp_path / "killed").run()
    assert again.events == expected.events
    assert again.trials() == expected.trials()
    assert known == expected.trainings.known
    assert all(known[key] is result for key, result in before.items())
    assert [(t.state, t.params, t.value) for t in again.optuna_trials()] == [
        (t.state, t.params, t.value) for t in expected.optuna_trials()
    ]


@pytest.mark.parametrize("first", [1, 3, 4, 6, 9])
def test_more_trials_later_are_those_of_one_go(play, tmp_path, first):
    """Though the sampler might by then know more than in one go."""
    expected = play(Trainings(1)).run()
    storage, known = optuna.storages.InMemoryStorage(), {}
    for trials in (first, 10):
        trainings = Trainings(2, known=known)
        played = play(trainings, storage, tmp_path / "grown", trials=trials).run()
    assert played.events == expected.events
    assert played.trials() == expected.trials()


def test_a_lost_storage_is_made_again_from_the_results(play, tmp_path):
    storage, known = optuna.storages.InMemoryStorage(), {}
    for trials in (4, 10):
        trainings = Trainings(1, known=known)
        expected = play(trainings, storage, tmp_path / "s", trials=trials).run()
    results = dict(known)
    again = play(Trainings(2, known=known), folder=tmp_path / "s").run()
    assert known == results  # nothing was trained again, or beside them
    assert [(t.state, t.params, t.value) for t in again.optuna_trials()] == [
        (t.state, t.params, t.value) for t in expected.optuna_trials()
    ]


# In time


class Timed(Trainings):
    """Two workers, on which each training takes so many seconds."""

    def __init__(self, seconds, **given):
        super().__init__(workers=2, **given)
        self.now, self.seconds = 0.0, seconds

    def results(self, timeout=1.0):
        for spec, result in super().results(timeout):
            self.now += self.seconds / 2
            yield spec, dataclasses.replace(result, seconds={"total": self.seconds})


SEEDS = FinalistSettings(top=2, seeds=4, random=1)
WHOLE = 2 + 1 + 10 + 4 * (2 + 2) + 1  # baselines, reference, trials, finals, mean


def in_time(folder, trainings, ends, limit=None, least_seeds=3, **changes):
    """Play a study that ends at ``ends`` seconds; trainings were expected to take one."""
    sampler = SamplerSettings("random", lookahead=4)
    changes = {"finalists": SEEDS, "rungs": RungSettings(first=0), "sampler": sampler} | changes
    made = settings(folder, **changes)
    plan = TimePlan(limit or TimeLimit(1.0, made.trials, 4), ends, ends, 1.0, 1.0, 4, least_seeds)
    deadline = Deadline(plan, made.path, 2, clock=lambda: trainings.now)
    return Played(made, trainings, deadline=deadline).run(), deadline


def test_with_time_enough_everything_is_trained(tmp_path):
    played, deadline = in_time(tmp_path, Timed(1.0), ends=100)
    assert len(played.trainings.ended) == WHOLE
    assert (deadline.limit.trials, deadline.limit.seeds) == (0, 0)


@pytest.mark.parametrize("ends", [13, 14, 15])
def test_slow_trainings_make_fewer_trials_and_all_ends_in_time(tmp_path, ends):
    played, deadline = in_time(tmp_path, Timed(1.0), ends=ends)
    trials = deadline.limit.trials
    assert 4 <= trials == len(played.keys("trial")) < 10
    assert len(played.keys("finalist")) == 4 * (2 + 2)  # all seeds of all finalists
    assert played.trainings.now <= ends
    assert f"no trial after {trials}" in played.view.notes[0]
    assert read_time_limit(played.settings.path).trials == trials


def test_much_slower_trainings_make_fewer_seeds_and_the_least_is_reached(tmp_path):
    """Three times as slow as thought: the least trials, and the least seeds of all rows."""
    played, deadline = in_time(tmp_path, Timed(3.0), ends=20)
    assert (deadline.limit.trials, deadline.limit.seeds) == (4, 3)
    assert len(played.keys("finalist")) == 3 * (2 + 2)
    assert sum(played.view.expected[-1][0].values()) == len(played.trainings.ended)


@pytest.mark.parametrize(
    ("ends", "top", "seeds"), [(26, 2, 4), (23.5, 2, 3), (21.5, 1, 3), (15, 2, 2)]
)
def test_a_finalist_is_dropped_before_the_third_seed(tmp_path, ends, top, seeds):
    """Slower than thought; where not even one finalist leaves time for three, both are trained."""
    given = {"ends": ends, "least_seeds": 2}
    played, deadline = in_time(tmp_path / "a", Timed(2.0), **given)
    assert len(played.keys("finalist")) == seeds * (2 + top)
    assert (deadline.limit.top or 2, deadline.limit.seeds or 4) == (top, seeds)
    said = "only the best 1 of 2 finalists is retrained, so that there is time for 3 seeds"
    assert any(said in note for note in played.view.notes) == (top == 1)
    assert sum(played.view.expected[-1][0].values()) == len(played.trainings.ended)
    again, _ = in_time(tmp_path / "b", Timed(0.1), 1000, deadline.limit, least_seeds=2)
    assert sorted(again.trainings.ended) == sorted(played.trainings.ended)


def test_what_an_earlier_start_has_trained_takes_no_time(tmp_path):
    """In 6 s there is no time for sixteen finalists, and all of them have ended."""
    first, _ = in_time(tmp_path / "a", Timed(1.0), ends=100)
    made = settings(tmp_path / "b")
    for key in (key for key in first.trainings.ended if key.startswith("finalists/")):
        (made.path / key).mkdir(parents=True)
        (made.path / key / "result.json").write_text("{}")
    known = first.trainings.known
    again, deadline = in_time(tmp_path / "b", Timed(0.0, known=known), 6, least_seeds=2)
    assert (deadline.limit.trials, deadline.limit.seeds) == (0, 0)
    assert len(again.keys("finalist")) == len(first.keys("finalist"))


def test_what_was_decided_is_repeated_by_a_later_start(tmp_path):
    """A second start has all the time of the world, and does what the first one did."""
    first, deadline = in_time(tmp_path / "a", Timed(3.0), ends=20)
    again, _ = in_time(tmp_path / "b", Timed(0.1), ends=1000, limit=deadline.limit)
    assert sorted(again.trainings.ended) == sorted(first.trainings.ended)
    assert again.trials() == first.trials()


def test_a_study_that_is_cut_is_the_study_of_so_many_trials(tmp_path):
    cut, deadline = in_time(tmp_path / "a", Timed(1.0), ends=16)
    short, _ = in_time(tmp_path / "b", Timed(1.0), ends=1000, trials=deadline.limit.trials)
    assert cut.events == short.events
    assert sorted(cut.trainings.ended) == sorted(short.trainings.ended)


# What is imported


def known_good(played, taken_over=6, trained=2):
    """The best trials of a study that has ended, as another one imports them."""
    trials = [spec for spec in played.trainings.submitted if spec.kind == "trial"]
    trials.sort(key=lambda spec: -train(dataclasses.replace(spec, cutoffs={})).score)
    candidates = [
        ImportedCandidate(
            spec.label,
            spec.params,
            f"runs/a/{spec.key}",
            why_trained="" if place < taken_over else "other code",
            result=train(dataclasses.replace(spec, cutoffs={})).to_dict(),
        )
        for place, spec in enumerate(trials[: taken_over + trained])
    ]
    return Imported("runs/a", candidates=tuple(candidates))


def test_what_is_imported_comes_first_and_is_known_to_all_other_proposals(play):
    imported = known_good(play().run())
    played = play(imported=imported).run()
    given = [candidate.params for candidate in imported.candidates]
    trials = [spec for spec in played.trainings.submitted if spec.kind == "trial"]
    assert [spec.params for spec in trials[:8]] == given
    assert [spec.imported_from for spec in trials] == [c.origin for c in imported.candidates] + [
        ""
    ] * 2
    assert len({spec.candidate_id for spec in trials}) == len(trials) == 10  # never twice
    taken = [played.trainings.known[spec.key].taken_over for spec in trials]
    assert [one and one["passes"] for one in taken] == [float(EPOCHS)] * 6 + [None] * 4
    told = 0
    for what, which in played.events:
        if what == "told":
            told += 1
        elif which >= 6:
            assert told == max(6, which - 3)  # all that is taken over, whatever the lookahead


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2", "random", "grid"])
def test_orders_and_kills_change_nothing_in_a_study_with_imports(play, name):
    sampler = SamplerSettings(name=name, startup_trials=3, lookahead=4, population=3)
    recipe = {"epochs": EPOCHS, "learning_rate": 0.01} if name == "grid" else None
    changes = {"sampler": sampler, "trials": 14} | ({"recipe": recipe} if recipe else {})
    imported = known_good(play(**{**changes, "trials": 10}).run())
    expected = play(Trainings(workers=1), imported=imported, **changes).run()
    slow = name == "gp"  # which fits its process at every proposal
    for seed in range(1 if slow else 4):
        played = play(Trainings(seed, workers=3), imported=imported, **changes).run()
        assert played.trials() == expected.trials()
        assert played.trainings.known == expected.trainings.known
    storage, known = optuna.storages.InMemoryStorage(), {}
    for kill_after in (9, None) if slow else (3, 9, 14, 18, None):
        trainings = Trainings(kill_after, known=known, kill_after=kill_after)
        played = play(trainings, storage, expected.settings.path.parent, imported, **changes)
        with contextlib.suppress(Killed):
            played.run()
    assert played.trials() == expected.trials()
    assert played.trainings.known == expected.trainings.known


def test_a_grid_is_whole_after_imports(play):
    """Every combination once: draws that were given are no place of the grid."""
    changes = {
        "variant": {**VARIANT, "mlp_ratio": 2},
        "recipe": {"epochs": EPOCHS, "learning_rate": 0.01},
        "baselines": (),
        "sampler": SamplerSettings("grid", lookahead=4),
        "trials": 9,
    }
    imported = known_good(play(**changes).run(), taken_over=3, trained=1)
    played = play(imported=imported, **changes).run()
    params = [tuple(params.values()) for _, params, _ in played.trials()]
    assert len(params) == len(set(params)) == 9
