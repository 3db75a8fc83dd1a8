"""Replayed studies against real trainings, and against what the rungs say."""

import dataclasses

import pytest

from benchmarks.tabular.replay import TableDispatcher, replay_study
from benchmarks.tabular.table import Table, Training
from hybrid_swin.errors import InputError
from hybrid_swin.system.files import read_json
from search.execution.job import Job
from search.execution.training_job import do_job
from search.launch.study import check, prepare
from search.records.runs import RunResult
from search.settings.study import (
    BaselineSettings,
    FinalistSettings,
    RungSettings,
    SamplerSettings,
    StudySettings,
)
from search.study.sampling.draws import Draw

METRICS = ("val/accuracy", "val/loss")


@pytest.fixture
def train(tmp_path):
    """Train a tiny network as a worker does, with these cut-offs; the run and its result."""
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": {"choose": [["conv"]]}}
    settings = StudySettings(
        name="s",
        folder=str(tmp_path),
        variant={"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 4,
                 "window_size": 2, "stages": [stage]},
        recipe={"epochs": 4, "batch_size": 256, "learning_rate": 0.01},
        workers=dataclasses.replace(StudySettings().workers, accelerator="cpu"),
    )  # fmt: skip
    settings.path.mkdir()
    space, candidates = check(settings)
    common = prepare(settings, space, candidates).job_settings

    def run(index, cutoffs):
        spec = candidates.trial(Draw(index, index, space.default()), cutoffs)
        folder = settings.path / spec.key / "attempt-1"
        folder.mkdir(parents=True)
        do_job(Job(spec.key, 1, "train", str(folder), {**common, "spec": spec.to_dict()}), print)
        return spec, RunResult.from_dict(read_json(folder / "result.json"))

    return run


def test_a_replayed_run_ends_as_the_real_training_does(train, plain):
    _, whole = train(0, {})
    curves = {m: tuple(epoch[m] for epoch in whole.history) for m in METRICS}
    scores = curves["val/accuracy"]
    for index, cutoffs in enumerate(
        (
            {1: scores[0] + 0.01},  # falls short at the first rung
            {1: scores[0], 2: scores[1] + 0.01},  # an equal score goes on
            {4: 1.0},  # no rung at the last epoch
        ),
        start=1,
    ):
        spec, real = train(index, cutoffs)
        seconds = whole.seconds["fit"]
        trained = Training(spec.candidate_id, 0, seconds, 1, 1, curves)
        table = Table([trained], {spec.candidate_id: spec.params})
        dispatcher = TableDispatcher(table, plain.objective, 0)
        dispatcher.submit(spec)
        assert dispatcher.busy
        [(_, replayed)] = dispatcher.results()
        assert not dispatcher.busy
        for name in ("key", "state", "score", "epochs", "epochs_planned", "passes"):
            assert getattr(replayed, name) == getattr(real, name), name
        kept = [{m: epoch[m] for m in ("epoch", *METRICS)} for epoch in real.history]
        assert list(replayed.history) == kept
        assert replayed.seconds["fit"] == pytest.approx(seconds * real.epochs / 4)
        assert replayed.metrics == {m: real.metrics[m] for m in METRICS}


def small(plain, **changes):
    changes = {
        "trials": 24,
        "sampler": SamplerSettings("tpe", lookahead=4),
        "rungs": RungSettings(first=2, factor=3, audit=2),
        "finalists": FinalistSettings(top=2, seeds=3, random=2),
    } | changes
    return dataclasses.replace(plain, **changes)


def test_trials_stop_where_their_cutoffs_say(plain, table):
    replayed = replay_study(small(plain), table, table_seed=1)
    assert [spec.key for spec, _ in replayed.trials] == [f"trials/{i:04d}" for i in range(24)]
    assert len({spec.candidate_id for spec, _ in replayed.trials}) == 24
    for spec, result in replayed.trials:
        curve = table.training(spec.candidate_id, 1).curves["val/accuracy"]
        short = [int(r) for r, cutoff in spec.cutoffs.items() if curve[int(r) - 1] < cutoff]
        assert result.epochs == min([*short, 18])
        assert result.state == ("stopped" if short else "complete")
        assert result.score == curve[result.epochs - 1]
    assert {result.state for _, result in replayed.trials} == {"stopped", "complete"}
    assert replayed.asking > 0


def test_what_is_retrained_is_on_the_other_seeds(plain, table):
    settings = small(plain, trials=12, baselines=(BaselineSettings(("w_msa",)),))
    replayed = replay_study(settings, table, table_seed=1)
    kinds = [spec.kind for spec, _ in replayed.others]
    counts = {"baseline": 1, "reference": 1, "audit": 2, "random": 2, "finalist": 3 * 3}
    assert {kind: kinds.count(kind) for kind in kinds} == counts
    for spec, result in replayed.others:
        if spec.kind == "reference":
            continue
        seed = 1 if spec.stage == "search" else (0, 2)[spec.seed_index % 2]
        curve = table.training(spec.candidate_id, seed).curves["val/accuracy"]
        assert (result.state, result.score) == ("complete", curve[-1])


def test_a_replay_depends_on_its_seeds_only(plain, table):
    def found(seed, table_seed):
        replayed = replay_study(small(plain, seed=seed), table, table_seed)
        return [(spec.candidate_id, result.epochs) for spec, result in replayed.trials]

    assert found(3, 0) == found(3, 0)
    assert found(3, 0) != found(4, 0)
    assert found(3, 0) != found(3, 1)


def test_what_the_table_cannot_answer_is_refused(plain, table):
    with pytest.raises(InputError, match="unknown table seed 5"):
        replay_study(small(plain), table, table_seed=5)
    images = RungSettings(over="images", first=100, audit=0)
    with pytest.raises(InputError, match=r"rungs\.over epochs"):
        replay_study(small(plain, rungs=images), table, table_seed=0)
    other = small(plain, recipe=plain.recipe | {"epochs": 3})
    with pytest.raises(InputError, match="unknown candidate"):
        replay_study(other, table, table_seed=0)
