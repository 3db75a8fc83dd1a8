"""Trainings over two processes of this machine: same results, and nothing is left of them."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from hybrid_swin.spec.registry import source_hash
from hybrid_swin.system.files import read_json
from search.execution import ranks as module
from search.execution.executors.local import LocalExecutor
from search.execution.job import Job
from search.execution.ranks import Ranks
from search.execution.training_job import do_job

PATIENCE = 120  # seconds after which a test has waited in vain
# Says which process uses it, and what that has imported; waits where it is told to.
PLUGIN = '''
import json, os, sys, time
from pathlib import Path
from torch import nn, distributed
from hybrid_swin.cost import linear
from hybrid_swin.network.branches import Branch

HERE = Path(__file__).parent

class Spy(Branch):
    """Writes down who uses it."""

    def __init__(self, dim, num_heads, window_size, grid_size):
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def mix(self, x, value_gate=None):
        if distributed.is_initialized() and self.training:
            rank = distributed.get_rank()
            names = ["optuna", "wandb", "search.study"]
            about = {"pid": os.getpid(), "loaded": [n for n in names if n in sys.modules]}
            (HERE / f"rank-{rank}.json").write_text(json.dumps(about))
            what = HERE / f"do-{rank}"
            if what.exists():
                {"wait": lambda: time.sleep(1000), "exit": sys.exit}[what.read_text()]()
        return x

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size):
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''
RECIPE = {"epochs": 2, "batch_size": 256, "drop_path": 0.2, "shift": 1, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    executor = LocalExecutor(1, 1, tmp_path_factory.mktemp("logs"))
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def spy_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("spy") / "spy.py"  # workers know it by its first place
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def spy(spy_file, clean_registry):
    for file in (*spy_file.parent.glob("rank-*"), *spy_file.parent.glob("do-*")):
        file.unlink()
    return spy_file


def job(folder, spy, devices=2, key="trials/0000", **changes):
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["spy+conv"]}
    variant = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 4}
    spec = {
        **{"schema_version": 1, "study": "s", "key": key, "kind": "trial", "stage": "search"},
        **{"label": "spy", "variant_id": "v", "candidate_id": "c", "seed": 3, "recipe": RECIPE},
        "variant": {**variant, "window_size": 2, "stages": [stage]},
        **changes,
    }
    settings = {
        "plugins": {str(spy): source_hash(spy)},
        "data": {"source": "digits"},
        "precision": "32-true",
        "objective": {"monitor": "val/accuracy", "mode": "max"},
        "accelerator": "cpu",
        "devices": devices,
        "checkpoint_seconds": 10.0,
        "code_hash": "c0",
        "cache": str(folder / "cache"),
        "spec": spec,
    }
    attempt = folder / key / "attempt-1"
    attempt.mkdir(parents=True, exist_ok=True)
    return Job(key, 1, "train", str(attempt), settings)


def end_of(worker, asked):
    """How a job ends: the event."""
    worker.submit(asked)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in worker.events(0.2):
            if event.kind not in ("started", "epoch"):
                return event
    raise AssertionError("it did not end")


def wait_until(true, about=lambda: ""):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, about()
        time.sleep(0.05)


def pids(spy):
    return [read_json(spy.parent / f"rank-{rank}.json")["pid"] for rank in (0, 1)]


def state_of(pid):
    """Of a process, as the system names it, and its parent; none if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None


def lives(pid):
    state = state_of(pid)
    return state is not None and state[0] not in "ZX"


def test_two_devices_are_one_but_for_rounding(worker, spy, tmp_path):
    two = job(tmp_path / "two", spy)
    assert end_of(worker, two).kind == "done"
    result = read_json(Path(two.folder) / "result.json")
    one = job(tmp_path / "one", spy, devices=1)
    do_job(one, lambda data: None)
    expected = read_json(Path(one.folder) / "result.json")
    assert (result["devices"], result["micro_batch"]) == (2, 128)
    assert (expected["devices"], expected["micro_batch"]) == (1, 256)
    assert result["device"] == f"2 x {expected['device']}"
    for mine, theirs in zip(result["history"], expected["history"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    answers = [Path(one.folder), Path(two.folder)]
    kept = [{path.name for path in folder.iterdir()} for folder in answers]
    assert kept[0] == kept[1]
    ranks = [json.loads((spy.parent / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    assert [rank["loaded"] for rank in ranks] == [[], []]
    before = pids(spy)
    assert end_of(worker, job(tmp_path / "again", spy)).kind == "done"
    assert pids(spy) == before  # imports cost seconds


def test_a_rung_ends_it_for_all(worker, spy, tmp_path):
    asked = job(tmp_path, spy, cutoffs={"1": 2.0})
    assert end_of(worker, asked).kind == "done"
    result = read_json(Path(asked.folder) / "result.json")
    assert (result["state"], result["epochs"]) == ("stopped", 1)


def test_a_rank_that_calls_sys_exit_says_so(worker, spy, tmp_path):
    (spy.parent / "do-1").write_text("exit")
    event = end_of(worker, job(tmp_path, spy))
    said = {"error": "SystemExit (something called sys.exit)"}
    assert (event.kind, event.data) == ("failed", said)


def test_no_rank_outlives_its_worker(worker, spy, tmp_path):
    """Not even one that is stopped, and so hears of nothing."""
    for rank in (0, 1):
        (spy.parent / f"do-{rank}").write_text("wait")
    worker.submit(job(tmp_path, spy))
    files = [spy.parent / f"rank-{rank}.json" for rank in (0, 1)]
    wait_until(lambda: worker.events(0.1) is None or all(file.exists() for file in files))
    zero, one = pids(spy)
    os.kill(one, signal.SIGSTOP)
    os.kill(zero, signal.SIGKILL)
    states = lambda: {pid: state_of(pid) for pid in (zero, one)}  # noqa: E731
    wait_until(lambda: not lives(zero) and not lives(one), states)
    worker.cancel("trials/0000")


# What the others say, by processes that only talk

STUB = """
import json, os, sys, time
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[1]))
while True:
    job = json.loads(pipe.recv_bytes())
    about = {"key": job["key"], "attempt": 1}
    pipe.send_bytes(json.dumps({"kind": "started", **about, "data": {}}).encode())
    what = job["settings"]["stub"]
    if what == "exit":
        sys.exit(3)
    if what == "kill":
        os.kill(os.getpid(), 9)
    if what == "wait":
        time.sleep(1000)
    if what == "lose":  # the second one dies a little later than the first says that it has
        if job["settings"]["rank"] == 2:
            time.sleep(0.5)
            os.kill(os.getpid(), 9)
        what = {"error": "closed by peer", "lost_another": True}
    kind = "done" if what == "done" else "failed"
    pipe.send_bytes(json.dumps({"kind": kind, **about, "data": what}).encode())
"""


class Stubs:
    """A `Ranks` of processes that do what a job says; ``said`` is what it says of failures."""

    def __init__(self, monkeypatch):
        self.ranks, self.said, self.started = Ranks(), [], []
        monkeypatch.setattr(module, "python_command", lambda _, fd, __: self._command(fd))

    def _command(self, descriptor):
        self.started.append(descriptor)
        return [sys.executable, "-c", STUB, descriptor]

    def begin(self, what, devices=3, **settings):
        asked = Job("k", 1, "train", "f", {"devices": devices, "stub": what} | settings)
        return self.ranks.begin(asked, self.said.append)

    @property
    def pids(self):
        return [other.process.pid for other in self.ranks._others]


@pytest.fixture
def stubs(monkeypatch):
    stubs = Stubs(monkeypatch)
    yield stubs
    stubs.ranks.end()
    assert not any(map(lives, stubs.pids))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"error": "x", "out_of_memory": True}, {"error": "x", "out_of_memory": True}),
        ({"error": "x", "input_error": True}, {"error": "x", "input_error": True}),
        ("exit", {"error": "the process of device 1 ended with exit code 3"}),
        ("kill", {"error": "the process of device 1 was killed by signal 9"}),
    ],
)
def test_what_ends_a_rank_is_said_once(stubs, what, said):
    assert stubs.begin(what, devices=2).count == 2
    stubs.ranks._watch.join(PATIENCE)
    assert stubs.said == [said]


def test_a_rank_that_lost_another_is_not_the_cause(stubs):
    stubs.begin("lose")
    stubs.ranks._watch.join(PATIENCE)
    assert stubs.said == [{"error": "the process of device 2 was killed by signal 9"}]


def test_what_nobody_explains_is_said_in_the_end(stubs, monkeypatch):
    monkeypatch.setattr(module, "_TIME_TO_EXPLAIN", 0.2)
    stubs.begin({"error": "closed by peer", "lost_another": True})
    stubs.ranks._watch.join(PATIENCE)
    assert stubs.said == [{"error": "closed by peer"}]


def test_ranks_are_kept_from_job_to_job_while_they_live(stubs):
    for _ in range(2):
        stubs.begin("done")
        stubs.ranks.finish()
    assert len(stubs.started) == 2
    os.kill(stubs.pids[0], signal.SIGKILL)
    wait_until(lambda: stubs.ranks._others[0].process.poll() is not None)
    stubs.begin("done")
    stubs.ranks.finish()
    assert (len(stubs.started), stubs.said) == (4, [])


def test_after_an_exception_here_the_others_are_ended_silently(stubs, monkeypatch):
    monkeypatch.setattr(module, "_TIME_TO_SAY", 0.1)
    stubs.begin("wait")
    before = stubs.pids
    stubs.ranks.give_up()
    assert not any(map(lives, before)) and stubs.said == []


def test_what_needs_no_other_process_starts_none(stubs):
    assert stubs.begin("done", devices=1) is None
    assert stubs.begin("done", devices=2, rank=1) is None
    asked = Job("k", 1, "reference", "f", {"devices": 2})
    assert stubs.ranks.begin(asked, stubs.said.append) is None
    assert stubs.started == []
