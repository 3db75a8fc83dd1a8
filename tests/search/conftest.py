import atexit
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from search.execution import forked_workers

HERE = Path(__file__).parent


def load(file):
    """A module by its path: tests are not a package, and a package "tests" may be installed."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Doors:
    """Opens the door in processes that are forked, not started (see door_server.py)."""

    def __init__(self):
        self._server = None

    @property
    def server(self):
        """The process that forks them."""
        if self._server is None:
            sys.path.append(str(HERE))
            self._server = forked_workers.Server(("door_server",))
            sys.path.remove(str(HERE))
            assert self._server.wait_until_ready() is None
            atexit.register(self._server.close)
        return self._server

    def open(self, *arguments, **environment):
        """Run a command of the door, such as ``run --config mine.yaml``."""
        output, theirs = os.pipe()
        nothing = os.open(os.devnull, os.O_RDWR)
        environment["ARGUMENTS_OF_THE_DOOR"] = json.dumps(arguments)
        forked = self.server.fork(nothing, theirs, environment)
        os.close(theirs)
        os.close(nothing)
        return ForkedStudy(forked, open(output, encoding="utf-8", errors="replace"))


class ForkedStudy:
    """A study's process, as `subprocess.Popen` shows it."""

    def __init__(self, forked, output):
        self._forked, self.stdout, self.pid = forked, output, forked.pid

    @property
    def returncode(self):
        return self._forked.returncode

    def poll(self):
        with suppress(subprocess.TimeoutExpired):
            self._forked.wait(0)
        return self.returncode

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def kill(self):
        self._forked.kill()

    def communicate(self, timeout=300):
        alarm = threading.Timer(timeout, self.kill)
        alarm.start()
        with self.stdout:
            output = self.stdout.read()
        self._forked.wait(timeout)
        alarm.cancel()
        return output, None


DOORS = Doors()


@pytest.fixture(scope="session")
def doors():
    """Opens the door in processes of their own."""
    return DOORS


study_factory = load(HERE / "study_factory.py")
slurm_cluster = load(HERE / "slurm_cluster.py")
ray_cluster = load(HERE / "ray_cluster.py")
comparison_factory = load(HERE / "comparison" / "comparison_factory.py")


@pytest.fixture
def make_study(tmp_path):
    """An empty study folder and the factory that fills it."""
    return lambda name="digits", **settings: study_factory.StudyFactory(tmp_path / name, **settings)


@pytest.fixture
def whole_study(tmp_path):
    """A finished study with finalists, ties, a baseline, stopped and failed trials."""
    return lambda name="digits", **settings: study_factory.whole_study(tmp_path / name, **settings)


@pytest.fixture(scope="session")
def studies():
    """The factory's module, for fixtures that live longer than one test."""
    return study_factory


@pytest.fixture(scope="session")
def fake():
    """What makes comparisons without training: runs of a real plan, or results by hand."""
    return comparison_factory


@pytest.fixture
def tiny(tmp_path):
    """A study of seconds on real data: its settings, and a way to run it as a user does."""
    return TinyStudy(tmp_path)


@pytest.fixture(scope="session")
def finished(made_once):
    """A tiny study, run to its end by one worker; tests only read it."""
    root = made_once("finished", lambda root: save_output(TinyStudy(root)))
    return with_output(TinyStudy(root))


def save_output(made):
    """Run a study or a comparison, and leave what it printed beside it."""
    (made.root / "output.txt").write_text(made.run())


def with_output(made):
    """What another process has run, as if this one had."""
    made.output = (made.root / "output.txt").read_text()
    return made


@pytest.fixture(scope="session")
def slurm():
    """A Slurm of this test process's own, with two nodes that seem to have four GPUs each."""
    if reason := slurm_cluster.why_not():
        pytest.skip(reason)
    # not in pytest's folder, which only its owner may enter
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = slurm_cluster.SlurmCluster(folder, gpus=4)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="session")
def ray_clusters():
    """The module that makes Ray clusters of several nodes."""
    if reason := ray_cluster.why_not():
        pytest.skip(reason)
    return ray_cluster


SETTINGS = {
    "name": "tiny",
    "data": {"source": "digits", "train_images": 128},
    "variant": {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "mlp_ratio": {"choose": [1.0, 2.0]},
        "stages": [
            {
                "width": {"choose": [8, 16]},
                "depth": 1,
                "num_heads": 2,
                "blocks": {"choose": [["w_msa"], ["sw_msa"], ["w_msa+mdta"], ["conv+w_msa"]]},
            }
        ],
    },
    "recipe": {"epochs": 3, "batch_size": 128, "learning_rate": 0.01, "shift": 1, "drop_path": 0.1},
    "baselines": [{"label": "plain", "blocks": ["w_msa"]}],
    "trials": 7,
    "sampler": {"lookahead": 4, "startup_trials": 3},
    "rungs": {"first": 1, "factor": 2, "audit": 1},
    "finalists": {"top": 1, "seeds": 2, "random": 1},
    "wandb": {"mode": "disabled"},
    "workers": {"count": 1, "checkpoint_seconds": 0.001},
}


class TinyStudy:
    """A study in a folder of its own, started as ``python search.py run`` in a process."""

    def __init__(self, root, **changes):
        self.root = root
        self.config = root / "study.yaml"
        self.write(**changes)

    def write(self, **changes):
        self.config.write_text(yaml.safe_dump({**SETTINGS, **changes}))
        return self

    @property
    def folder(self):
        return self.root / "runs" / "tiny"

    def command(self, *more, config=None):
        given = ["--config", str(config or self.config), "--folder", str(self.root / "runs")]
        return ["run", *given, *more]

    def start(self, *more):
        """Start in a process group of its own, as a shell does."""
        return DOORS.open(*self.command(*more))

    def run(self, *more, code=0):
        process = self.start(*more)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == code, output
        assert "Traceback" not in output
        return output

    def copy_of(self, other):
        """The folder of a study that has run already, as if it had run here."""
        shutil.copytree(other.folder, self.folder)
        return self

    def digest(self):
        return json.loads((self.folder / "leaderboard.json").read_text())["digest"]

    def results(self):
        """Every run's result by its key."""
        return {
            str(f.parent.relative_to(self.folder)): json.loads(f.read_text())
            for f in self.folder.glob("*/**/result.json")
            if not f.parent.name.startswith("attempt-")
        }

    def wait_for(self, condition, process, seconds=120):
        """Wait until something is so; fails where the process ends before."""
        end = time.monotonic() + seconds
        while not condition():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)


def workers_of(process):
    """Process ids of a coordinator's workers: those of its server, or its own."""
    found = []
    for child in children_of(process.pid):
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if Path(f"/proc/{child}/comm").read_text() == "fork_server\n":
            found += children_of(child)
        elif b"search.execution.worker" in command:
            found.append(child)
    return found


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid):
    """Whether a process has ended and been reaped."""
    return not Path(f"/proc/{pid}").exists()


@pytest.fixture(name="workers_of")
def _workers_of():
    return workers_of


@pytest.fixture(name="is_gone")
def _is_gone():
    return is_gone
