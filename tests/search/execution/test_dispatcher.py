"""Runs from request to result, with an executor that does what the test says."""

import dataclasses
import errno
import json
import os
import shutil
from collections import deque
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import write_json_atomically
from search.execution import dispatcher as module
from search.execution.bound_images import BoundImages
from search.execution.dispatcher import Dispatcher
from search.execution.job import Event
from search.records.runs import RunResult, RunSpec
from search.settings.experiment import WorkerSettings


def run(key="trials/0000", kind="trial", **changes):
    spec = RunSpec("s", key, kind, "search", "w_msa", {"a": 1}, {"epochs": 3}, "v", "c", 7)
    return dataclasses.replace(spec, **changes)


class Script:
    """An executor without workers: the test says what they do."""

    slots = 2

    def __init__(self):
        self.jobs, self.cancelled, self.said = [], [], deque()
        self.excluded, self.is_alone = [], False

    def submit(self, job):
        assert Path(job.folder).is_dir()
        self.jobs.append(job)

    def events(self, timeout):
        events = list(self.said)
        self.said.clear()
        return events

    def cancel(self, key):
        self.cancelled.append(key)

    def exclude(self, worker, why):
        self.excluded.append((worker, why))
        return not self.is_alone

    def close(self):
        pass

    def say(self, kind, job, **data):
        self.said.append(Event(kind, job.key, job.attempt, "worker-0", data))

    def write(self, job, score=0.5, **fields):
        result = RunResult(job.key, job.attempt, "complete", score, **fields)
        write_json_atomically(Path(job.folder) / "result.json", result.to_dict())

    def finish(self, job, score=0.5):
        self.say("started", job)
        self.write(job, score)
        self.say("done", job)


class Watch:
    """Remembers what it is told."""

    def __init__(self):
        self.seen, self.waiting = [], []

    def started(self, spec, worker):
        self.seen.append(("started", spec.key, worker))

    def epoch(self, spec, worker, data):
        self.seen.append(("epoch", spec.key, worker, data))

    def finished(self, spec, result, worker):
        self.seen.append(("finished", spec.key, result.state, worker))

    def waits(self, spec):
        self.waiting.append(spec.key)

    def note(self, text):
        self.seen.append(("note", text))

    def expect(self, total, by_folder=None, about=False):
        self.seen.append(("expect", total))

    def tick(self):
        pass


class Place:
    """A study's folder; ``start`` begins anew on it, as after a kill."""

    def __init__(self, folder):
        self.folder = folder

    def start(self, images=(), common=MappingProxyType({}), **workers):
        self.executor, self.view = Script(), Watch()
        settings = WorkerSettings(**workers)
        common = {"cache": "here", "precision": "32-true", **common}
        names = {"worker-0": "alpha"}.get
        self.dispatcher = Dispatcher(
            self.folder, self.executor, settings, common, self.view, names, images
        )
        return self.dispatcher

    def __truediv__(self, path):
        return self.folder / path

    @property
    def jobs(self):
        return self.executor.jobs

    def collect(self):
        return list(self.dispatcher.results(0))

    def result(self, key="trials/0000"):
        return json.loads((self.folder / key / "result.json").read_text())

    def files(self, key="trials/0000"):
        root = self.folder / key
        return sorted(str(f.relative_to(root)) for f in root.rglob("*") if f.is_file())


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    place.start()
    return place


def test_a_run_becomes_a_job_and_its_result_the_runs(place):
    spec = run()
    place.dispatcher.submit(spec)
    [job] = place.jobs
    assert (job.key, job.attempt, job.task) == ("trials/0000", 1, "train")
    assert Path(job.folder) == place / "trials/0000/attempt-1"
    assert job.settings == {"cache": "here", "precision": "32-true", "spec": spec.to_dict()}
    written = json.loads((place / "trials/0000/run.json").read_text())
    assert written == spec.to_dict() | {"settled": {"precision": "32-true"}}
    assert place.dispatcher.busy
    assert place.collect() == []

    place.executor.say("started", job)
    place.executor.say("epoch", job, epoch=1, epochs=3, score=0.2)
    place.executor.write(job, 0.75)
    assert place.collect() == []  # until it is said, the result may be on its way
    place.executor.say("done", job)
    [(ended, result)] = place.collect()
    assert ended is spec
    assert (result.score, result.attempt) == (0.75, 1)
    assert place.result()["score"] == 0.75
    assert not place.dispatcher.busy
    assert place.view.seen == [
        ("started", "trials/0000", "worker-0"),
        ("epoch", "trials/0000", "worker-0", {"epoch": 1, "epochs": 3, "score": 0.2}),
        ("finished", "trials/0000", "complete", "worker-0"),
    ]


def test_a_run_whose_folder_is_deleted_is_recorded_again(place):
    spec = run()
    place.dispatcher.submit(spec)
    record = (place / "trials/0000/run.json").read_text()
    shutil.rmtree(place / "trials")
    place.executor.say("failed", place.jobs[0], error="its folder was deleted")
    place.collect()
    assert (place / "trials/0000/run.json").read_text() == record and place.jobs[1].attempt == 2
    shutil.rmtree(place / "trials")
    place.executor.finish(place.jobs[1])
    [(_, result)] = place.collect()
    assert (place / "trials/0000/run.json").read_text() == record and result.score == 0.5


def test_the_reference_is_a_task_of_its_own(place):
    place.dispatcher.submit(run("references/logistic_regression", "reference"))
    assert [job.task for job in place.jobs] == ["reference"]


def test_results_come_in_the_order_in_which_runs_end(place):
    keys = [f"trials/{index:04d}" for index in range(200)]
    for key in keys:
        place.dispatcher.submit(run(key))
    for job in reversed(place.jobs):
        place.executor.finish(job)
    assert [spec.key for spec, _ in place.collect()] == keys[::-1]
    assert not place.dispatcher.busy


# What is there already


def test_a_result_that_is_there_is_given_without_a_job(place):
    place.dispatcher.submit(run())
    place.executor.finish(place.jobs[0], 0.25)
    place.collect()
    written = (place / "trials/0000/result.json").stat().st_mtime_ns
    place.start()
    place.dispatcher.submit(run())
    assert place.jobs == []
    assert place.dispatcher.busy
    [(_, result)] = place.collect()
    assert result.score == 0.25
    assert (place / "trials/0000/result.json").stat().st_mtime_ns == written
    # It is counted, and by no worker of this start.
    assert place.view.seen == [("finished", "trials/0000", "complete", "")]


def test_an_attempt_that_ended_unheard_is_taken(place):
    place.dispatcher.submit(run())
    place.executor.write(place.jobs[0], 0.25)
    place.start()
    place.dispatcher.submit(run())
    assert place.jobs == []
    assert [result.score for _, result in place.collect()] == [0.25]
    assert place.result()["score"] == 0.25


def test_an_attempt_that_was_cut_off_goes_on_from_its_checkpoint(place):
    place.dispatcher.submit(run())
    first = place / "trials/0000/attempt-1"
    (first / "last.ckpt").write_text("epoch 2")
    (first / "traceback.txt").write_text("of the first attempt")
    place.start()
    place.dispatcher.submit(run())
    [job] = place.jobs
    assert job.attempt == 2
    second = Path(job.folder)
    assert [f.name for f in second.iterdir()] == ["last.ckpt"]
    # A late writer of the first attempt cannot touch it.
    (first / "last.ckpt").write_text("late")
    assert (second / "last.ckpt").read_text() == "epoch 2"
    # A kill is not a failure of the run.
    place.executor.finish(job)
    assert [result.attempt for _, result in place.collect()] == [2]
    assert not list(place.folder.rglob("failure.json"))


def test_trainings_on_few_images_are_taken_over_as_well(place):
    place.dispatcher.submit(run())
    for folder in ("images-64", "images-128"):
        (place / f"trials/0000/attempt-1/{folder}").mkdir()
        (place / f"trials/0000/attempt-1/{folder}/final.ckpt").write_text(folder)
    place.start()
    place.dispatcher.submit(run())
    second = Path(place.jobs[0].folder)
    found = {f.parent.name: f.read_text() for f in second.rglob("*.ckpt")}
    assert found == {"images-64": "images-64", "images-128": "images-128"}


def test_what_a_kill_left_half_written_is_swept_away(place):
    place.dispatcher.submit(run())
    torn = [".result.json.12-34.tmp", "attempt-1/.last.ckpt.tmp"]
    for name in torn:
        (place / "trials/0000" / name).write_text("half")
    place.start()
    place.dispatcher.submit(run())
    assert place.files() == ["run.json"]
    assert [job.attempt for job in place.jobs] == [1]


def test_what_a_killed_worker_left_half_written_goes_with_the_end_of_its_run(place):
    place.dispatcher.submit(run())
    (place / "trials/0000/attempt-1/.last.ckpt.12-34.tmp").write_text("half")
    place.executor.say("lost", place.jobs[0], error="the worker was killed by signal 9")
    place.collect()
    (place / "trials/0000/attempt-1/.last.ckpt.56-78.tmp").write_text("of a late writer")
    place.executor.finish(place.jobs[1])
    place.collect()
    assert not list(place.folder.rglob(".*.tmp"))


def test_an_attempt_that_never_began_is_used_again(place):
    place.dispatcher.submit(run())
    for _ in range(5):
        place.start()
        place.dispatcher.submit(run())
        assert [job.attempt for job in place.jobs] == [1]


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_kill_while_an_attempt_takes_over_loses_no_checkpoint(place, monkeypatch, moved):
    place.dispatcher.submit(run())
    names = ["final.ckpt", "last.ckpt"]
    for name in names:
        (place / "trials/0000/attempt-1" / name).write_text(name)
    real, count = Path.replace, 0

    def replace(source, target):
        nonlocal count
        if count == moved:
            raise KeyboardInterrupt
        count += source.suffix == ".ckpt"
        return real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        if moved < 2:
            with pytest.raises(KeyboardInterrupt):
                place.start().submit(run())
        else:
            place.start().submit(run())
    place.start()
    place.dispatcher.submit(run())
    found = sorted(f.name for f in Path(place.jobs[0].folder).iterdir())
    assert found == (["final.ckpt"] if moved == 1 else names)  # final is all that is needed


@pytest.mark.parametrize("change", [{"candidate_id": "other"}, {"seed": 8}])
def test_the_folder_of_another_candidate_is_refused(place, change):
    place.dispatcher.submit(run())
    place.executor.finish(place.jobs[0])
    place.collect()
    place.start()
    with pytest.raises(InputError, match="trials/0000 holds a run of another candidate"):
        place.dispatcher.submit(run(**change))


# Failures


@pytest.mark.parametrize("kind", ["failed", "lost"])
def test_a_run_is_tried_as_often_as_the_settings_say(place, kind):
    place.start(attempts=3)
    place.dispatcher.submit(run())
    for number in (1, 2, 3):
        job = place.jobs[-1]
        assert job.attempt == number
        place.executor.say("started", job)
        place.executor.say(kind, job, error=f"it broke {number} times")
        ended = place.collect()
        assert len(ended) == (number == 3)
    [(_, result)] = ended
    assert len(place.jobs) == 3
    assert (result.state, result.attempt, result.score) == ("failed", 3, None)
    assert result.error == "it broke 3 times"
    assert place.result()["state"] == "failed"
    notes = [text for what, *text in place.view.seen if what == "note"]
    assert notes == [
        [f"trials/0000 (w_msa): attempt {n} failed: it broke {n} times; trying again"]
        for n in (1, 2)
    ]
    assert place.view.seen[-1] == ("finished", "trials/0000", "failed", "worker-0")
    assert not place.dispatcher.busy


def test_a_retry_goes_on_from_the_checkpoint(place):
    place.dispatcher.submit(run())
    (place / "trials/0000/attempt-1/last.ckpt").write_text("epoch 2")
    place.executor.say("lost", place.jobs[0], error="the worker was killed by signal 9")
    place.collect()
    assert [f.name for f in Path(place.jobs[1].folder).iterdir()] == ["last.ckpt"]


def test_failures_are_counted_over_all_starts(place):
    for number in (1, 2):
        place.start(attempts=3)
        place.dispatcher.submit(run())
        assert place.jobs[0].attempt == number
        place.executor.say("failed", place.jobs[0], error="it broke")
        place.collect()
    place.start(attempts=3)
    place.dispatcher.submit(run())
    place.executor.say("failed", place.jobs[0], error="it broke")
    assert [result.state for _, result in place.collect()] == ["failed"]


def test_a_lost_attempt_says_where_it_ran(place):
    place.start(attempts=2)
    place.dispatcher.submit(run())
    job = place.jobs[0]
    place.executor.say("started", job)
    data = {"error": "alpha was not heard of"}
    place.executor.said.append(Event("lost", job.key, job.attempt, "alpha", data))
    place.collect()
    known = json.loads((place / "trials/0000/attempt-1/failure.json").read_text())
    assert (known["error"], known["node"], known["worker"]) == (data["error"], "alpha", "worker-0")


def test_a_kill_before_the_last_failure_became_the_result_gives_no_attempt_more(place):
    place.start(attempts=1)
    place.dispatcher.submit(run())
    write_json_atomically(place / "trials/0000/attempt-1/failure.json", {"error": "it broke"})
    place.start(attempts=1)
    place.dispatcher.submit(run())
    assert place.jobs == []
    assert [(r.state, r.error, r.attempt) for _, r in place.collect()] == [
        ("failed", "it broke", 1)
    ]
    # With more attempts allowed, it is tried again.
    (place / "trials/0000/result.json").unlink()
    place.start(attempts=2)
    place.dispatcher.submit(run())
    assert [job.attempt for job in place.jobs] == [2]


def test_late_words_of_an_attempt_that_was_given_up_are_not_heard(place):
    place.dispatcher.submit(run())
    first = place.jobs[0]
    place.executor.say("lost", first, error="gone")
    place.collect()
    place.executor.finish(first, 0.99)
    place.executor.say("failed", first, error="again")
    place.executor.say("epoch", first, epoch=1)
    assert place.collect() == []
    assert len(place.jobs) == 2
    assert not (place / "trials/0000/result.json").exists()
    place.executor.finish(place.jobs[1], 0.5)
    assert [result.score for _, result in place.collect()] == [0.5]
    # Nor those of a run that has ended, or that nobody asked for.
    place.executor.finish(place.jobs[1], 0.1)
    place.executor.said.append(Event("done", "trials/9999", 1))
    assert place.collect() == []
    assert place.result()["score"] == 0.5


def test_a_worker_that_leaves_in_order_costs_no_attempt(place):
    place.start(attempts=1)
    place.dispatcher.submit(run())
    for index in range(3):
        job = place.jobs[index]
        Path(job.folder, "last.ckpt").write_text(f"of {index}")
        place.executor.say("started", job)
        place.executor.say("returned", job, error="node-1 leaves")
        assert place.collect() == []
    assert [job.attempt for job in place.jobs] == [1, 2, 3, 4]
    assert Path(place.jobs[3].folder, "last.ckpt").read_text() == "of 2"
    assert not list(place.folder.rglob("failure.json"))
    note = "trials/0000 (w_msa): node-1 leaves; it goes on elsewhere"
    assert place.view.seen.count(("note", note)) == 3
    assert place.view.waiting == ["trials/0000"] * 3
    place.executor.finish(place.jobs[3])
    assert [result.attempt for _, result in place.collect()] == [4]


def test_only_the_attempt_that_counts_leaves_its_answers_in_the_folder(place):
    place.dispatcher.submit(run())
    first = place.jobs[0]
    place.executor.say("lost", first, error="not heard of")
    place.collect()
    second = place.jobs[1]
    Path(second.folder, "validation.npz").write_text("second")
    place.executor.finish(second, 0.5)
    place.collect()
    # the first was only cut off from us, and writes now
    Path(first.folder, "validation.npz").write_text("first")
    place.executor.finish(first, 0.99)
    assert place.collect() == []
    assert (place / "trials/0000/validation.npz").read_text() == "second"
    assert place.result()["score"] == 0.5


def test_a_worker_that_dies_after_its_result_costs_nothing(place):
    place.dispatcher.submit(run())
    place.executor.say("started", place.jobs[0])
    place.executor.write(place.jobs[0], 0.75)
    place.executor.say("lost", place.jobs[0], error="the worker was killed by signal 9")
    assert [(r.state, r.score) for _, r in place.collect()] == [("complete", 0.75)]
    assert len(place.jobs) == 1
    assert not list(place.folder.rglob("failure.json"))


def test_what_the_user_must_mend_ends_the_study_and_costs_no_attempt(place):
    place.dispatcher.submit(run())
    place.executor.say("failed", place.jobs[0], error="no metric 'x'", input_error=True)
    with pytest.raises(InputError, match=r"^trials/0000 \(w_msa\): no metric 'x'$"):
        place.collect()
    assert not list(place.folder.rglob("failure.json"))


# Images

DATA = {"source": "npz", "split_seed": 1}
SHAPE = {"image_size": 8, "in_channels": 1}
HASHES = {"data_hash": "a", "split_hash": "b", "test_hash": "c"}
WHY = (
    "has images other than the study's (data_hash x instead of a); it needs the same files, "
    "groups, given splits and version of Pillow"
)


def start_with_images(place):
    images = BoundImages(DATA, (8, 1), HASHES)
    place.start([images], {"data": DATA, "variant": SHAPE})
    return dataclasses.asdict(images)


def test_a_machine_with_other_images_is_left_and_no_attempt_is_lost(place):
    images = start_with_images(place)
    place.dispatcher.submit(run(variant=SHAPE))
    assert place.jobs[0].settings["images"] == images
    place.executor.say("started", place.jobs[0])
    place.executor.say("failed", place.jobs[0], error=WHY, unfit_machine=True)
    assert place.collect() == []
    assert place.executor.excluded == [("worker-0", f"it {WHY}")]
    # and should a result of other images come all the same, it does not count, nor its weights
    (Path(place.jobs[1].folder) / "final.ckpt").touch()
    place.executor.say("started", place.jobs[1])
    place.executor.write(place.jobs[1], data_hash="x", split_hash="b", test_hash="c")
    place.executor.say("done", place.jobs[1])
    assert place.collect() == []
    assert place.executor.excluded[1] == ("worker-0", f"it {WHY}")
    assert not list(place.folder.rglob("*.ckpt")) and not list(place.folder.rglob("result.json"))
    place.executor.write(place.jobs[2], **HASHES)
    place.executor.say("done", place.jobs[2])
    [(_, result)] = place.collect()
    assert result.data_hash == "a" and not list(place.folder.rglob("failure.json"))


def test_a_result_of_other_images_from_an_earlier_start_does_not_count(place):
    place.dispatcher.submit(run(variant=SHAPE))
    place.executor.write(place.jobs[0], data_hash="x")
    start_with_images(place)
    place.dispatcher.submit(run(variant=SHAPE))
    assert [job.key for job in place.jobs] == ["trials/0000"] and place.executor.excluded == []
    assert place.view.seen == [
        ("note", f"trials/0000 (w_msa): its machine {WHY}; it is trained again")
    ]


def test_images_that_change_under_the_only_machine_end_the_study(place):
    start_with_images(place)
    place.executor.is_alone = True
    place.dispatcher.submit(run(variant=SHAPE))
    place.executor.say("failed", place.jobs[0], error=WHY, unfit_machine=True)
    with pytest.raises(InputError, match="this machine has images other than the study's"):
        place.collect()


@pytest.mark.parametrize(
    ("data", "variant", "hashes"),
    [
        (DATA, SHAPE | {"rungs": (64,)}, HASHES | {"split_hash": "with fewer images"}),
        (DATA | {"validation_seed": 7}, SHAPE, HASHES | {"split_hash": "drawn anew"}),
        (DATA, SHAPE | {"image_size": 16}, {"data_hash": "of that size"}),
        (DATA | {"source": "digits"}, SHAPE, {"data_hash": "of the other cell"}),
        ({"class_path": "mine.Data"}, SHAPE, {}),
    ],
    ids=[
        "stopped on fewer images",
        "validation drawn anew",
        "another size",
        "another cell",
        "the user's own module",
    ],
)
def test_what_may_differ_counts(place, data, variant, hashes):
    start_with_images(place)
    rungs = variant.get("rungs", ())
    place.dispatcher.submit(run(variant=variant, data=data, image_rungs=rungs))
    place.executor.write(place.jobs[0], **hashes)
    place.executor.say("done", place.jobs[0])
    assert len(place.collect()) == 1


# Time limit


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_an_attempt_that_takes_too_long_is_ended_and_counts(place, clock):
    place.start(time_limit_minutes=2, attempts=2)
    place.dispatcher.submit(run())
    clock.now += 10_000  # waiting for a worker is not an attempt
    assert place.collect() == [] and place.executor.cancelled == []
    for number in (1, 2):
        place.executor.say("started", place.jobs[-1])
        assert place.collect() == []
        clock.now += 119
        place.executor.say("epoch", place.jobs[-1], epoch=1)
        assert place.collect() == []
        clock.now += 2
        ended = place.collect()
        assert place.executor.cancelled == ["trials/0000"] * number
    [(_, result)] = ended
    assert (result.state, result.error) == ("failed", "took longer than 2 minutes")
    assert place.view.seen[-1] == ("finished", "trials/0000", "failed", "worker-0")
    clock.now += 1000
    assert place.collect() == []
    assert len(place.executor.cancelled) == 2


def test_a_result_written_at_the_last_moment_is_taken(place, clock):
    place.start(time_limit_minutes=1, attempts=1)
    place.dispatcher.submit(run())
    place.executor.say("started", place.jobs[0])
    place.collect()
    place.executor.write(place.jobs[0], 0.5)
    clock.now += 61
    assert [(r.state, r.score) for _, r in place.collect()] == [("complete", 0.5)]
    assert place.executor.cancelled == ["trials/0000"]


def test_all_that_runs_is_looked_at_once_a_second_however_much_ends(place, clock, monkeypatch):
    looks = []
    monkeypatch.setattr(
        module.Silence, "overdue", lambda self, now: looks.append(len(self._watched)) or []
    )
    runs = [run(f"trials/{index:04d}") for index in range(24)]
    for spec in runs:
        place.dispatcher.submit(spec)
        place.executor.say("started", place.jobs[-1])
    place.collect()
    for job in place.jobs:
        clock.now += 0.125
        place.executor.finish(job)
        assert len(place.collect()) == 1
    assert looks == [24, 16, 8, 0]


# Silence


def go_on(place, clock, seconds):
    """Let time pass as it does: the dispatcher looks at the clock all the while."""
    for _ in range(int(seconds // 30)):
        clock.now += 30
        place.collect()


def hear(place, *words, **data):
    place.executor.say(*words, **data)
    return place.collect()


def test_a_run_that_hangs_is_ended_and_not_tried_a_third_time(place, clock):
    place.start(attempts=3)  # at most 240 minutes each
    place.dispatcher.submit(run())
    [good] = place.jobs
    hear(place, "started", good)
    go_on(place, clock, 30)
    hear(place, "epoch", good, epoch=1, epochs=3)
    go_on(place, clock, 60)
    hear(place, "epoch", good, epoch=2, epochs=3)
    place.executor.write(good)
    hear(place, "done", good)
    place.collect()
    place.dispatcher.submit(run("trials/0001"))
    hear(place, "started", place.jobs[-1])
    go_on(place, clock, 30)
    hear(place, "epoch", place.jobs[-1], epoch=1, epochs=3)
    go_on(place, clock, 20 * 60)
    assert place.executor.cancelled == []
    go_on(place, clock, 60)
    assert place.executor.cancelled == ["trials/0001"]
    assert place.view.seen[-1] == (
        "note",
        "trials/0001 (w_msa): attempt 1 failed: it hung: nothing was heard for 20 minutes after "
        "epoch 1, where comparable runs take at most 60 s; trying again",
    )
    hear(place, "started", place.jobs[-1])
    ended = []
    while not ended:
        clock.now += 30
        ended = place.collect()
    assert len(place.jobs) == 3 and len(place.executor.cancelled) == 2
    [(_, result)] = ended
    assert (result.state, result.attempt) == ("failed", 2)
    assert result.error == (
        "it hung: nothing was heard for 10 minutes before its first epoch, where comparable runs "
        "take at most 30 s; it has hung 2 times and is not tried again"
    )
    assert place.result("trials/0001")["state"] == "failed"


def test_a_run_that_never_ends_an_epoch_costs_two_time_limits_not_three(place, clock):
    place.start(time_limit_minutes=1, attempts=3)
    place.dispatcher.submit(run())
    for _ in range(2):
        place.executor.say("started", place.jobs[-1])
        place.collect()
        clock.now += 61
        ended = place.collect()
    assert [r.error for _, r in ended] == [
        "took longer than 1 minutes; it has hung 2 times and is not tried again"
    ]


def test_a_slow_training_that_goes_on_gets_all_its_attempts(place, clock):
    place.start(time_limit_minutes=1, attempts=3)
    place.dispatcher.submit(run())
    for number in (1, 2, 3):
        place.executor.say("started", place.jobs[-1])
        place.executor.say("epoch", place.jobs[-1], epoch=number, epochs=9)
        assert place.collect() == []
        clock.now += 61
        ended = place.collect()
    assert [(r.attempt, r.error) for _, r in ended] == [(3, "took longer than 1 minutes")]


# A full disk


def test_a_full_disk_is_said_and_loses_nothing(place, monkeypatch):
    place.dispatcher.submit(run())
    (place / "trials/0000/attempt-1/last.ckpt").write_text("epoch 2")
    place.executor.say("lost", place.jobs[0], error="gone")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left on device; free some space"):
            place.collect()
    assert place.files() == ["attempt-1/last.ckpt", "run.json"]
    place.start()
    place.dispatcher.submit(run())
    assert [job.attempt for job in place.jobs] == [2]


@pytest.mark.parametrize("own", [None, {"source": "npz"}])
def test_a_run_says_what_its_study_settled(tmp_path, own):
    common = {"precision": "32-true", "data": {"source": "digits"}}
    dispatcher = Dispatcher(tmp_path, Script(), WorkerSettings(), common, Watch())
    dispatcher.submit(run(data=own))
    content = json.loads((tmp_path / "trials/0000/run.json").read_text())
    assert content["settled"] == {"precision": "32-true", "data": own or {"source": "digits"}}
    assert RunSpec.from_dict(content) == run(data=own)


# Out of memory


def lack_memory(place, job, images=8):
    error = f"out of memory with {images} images"
    place.executor.say("started", job)
    place.executor.say("failed", job, error=error, out_of_memory=True)
    return place.collect()


def test_what_lacks_memory_is_tried_with_half_the_images_at_once_and_then_infeasible(place):
    place.dispatcher.submit(run())
    assert "micro_batches" not in place.jobs[0].settings
    assert lack_memory(place, place.jobs[0]) == []
    assert place.jobs[1].settings["micro_batches"] == 2
    assert place.view.seen[-1][1].endswith("trying again with half the images at once")
    assert lack_memory(place, place.jobs[1], 4)[0][1].state == "infeasible"
    result = place.result()
    assert (result["state"], result["attempt"]) == ("infeasible", 2)
    assert result["error"] == "out of memory with 8 images; then out of memory with 4 images"
    assert len(place.jobs) == 2


def test_what_lacked_memory_goes_on_with_half_after_a_kill_and_after_a_crash(place):
    place.dispatcher.submit(run())
    lack_memory(place, place.jobs[0])
    place.start().submit(run())
    [job] = place.jobs
    assert (job.attempt, job.settings["micro_batches"]) == (2, 2)
    place.executor.say("lost", job, error="the worker was killed by signal 9")
    place.collect()
    assert (place.jobs[1].attempt, place.jobs[1].settings["micro_batches"]) == (3, 2)
    place.executor.finish(place.jobs[1])
    assert place.collect()[0][1].state == "complete"


def test_one_attempt_is_one_crash_and_lacking_memory_is_none(place):
    place.start(attempts=1).submit(run())
    lack_memory(place, place.jobs[0])
    place.executor.say("lost", place.jobs[1], error="the worker was killed by signal 9")
    assert place.collect()[0][1].state == "failed"


def test_a_job_s_folder_is_whole_however_the_study_s_is_given(tmp_path, monkeypatch):
    """A worker of another machine has another working folder."""
    monkeypatch.chdir(tmp_path)
    place = Place(Path("runs") / "mine")
    place.start().submit(run())
    assert place.jobs[0].folder == str(tmp_path / "runs/mine/trials/0000/attempt-1")
