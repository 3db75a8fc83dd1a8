"""A study in a real PostgreSQL, killed and continued."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import optuna
import pytest


def server_programs():
    for folder in [*os.get_exec_path(), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]:
        if shutil.which("initdb", path=folder):
            return Path(folder)
    return None


PROGRAMS = server_programs()
pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL's server is not installed")


class Server:
    """A PostgreSQL of its own, on a port of its own."""

    def __init__(self, folder):
        self.folder = folder
        # PostgreSQL refuses to run as root.
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(folder, "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "-D", folder / "data", "-U", "me", "-A", "trust")

    def start(self):
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = self.folder / "log"
        self._run("pg_ctl", "-D", self.folder / "data", "-o", options, "-l", log, "-w", "start")

    def stop(self):
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")

    def _run(self, program, *rest):
        command = [*self.user, str(PROGRAMS / program), *map(str, rest)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)


@pytest.fixture(scope="module")
def server():
    # not in pytest's folder, which only its owner may enter
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = Server(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def database(server):
    """The address of a database of its own."""
    import psycopg

    name, place = f"study_{uuid.uuid4().hex[:8]}", f"127.0.0.1:{server.port}"
    with psycopg.connect(f"postgresql://me@{place}/postgres", autocommit=True) as opened:
        opened.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://me@{place}/{name}"


def wait_for_line(process, words):
    """The output up to a line that holds these words."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


def test_a_study_lives_in_postgres_and_survives_a_kill(tiny, finished, database):
    process = tiny.start("--storage", database)
    tiny.wait_for(lambda: len(tiny.results()) >= 4, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    tiny.run("--storage", database)
    assert tiny.digest() == finished.digest()
    storage = optuna.storages.RDBStorage(database)
    trials = optuna.load_study(study_name="tiny", storage=storage).get_trials()
    storage.remove_session()
    storage.engine.dispose()
    assert len([t for t in trials if t.state.name == "RUNNING"]) == 0
    assert len([t for t in trials if "refused" not in t.user_attrs]) == 7
    assert not (tiny.folder / "optuna.journal").exists()


def test_a_server_that_is_restarted_is_waited_for(tiny, finished, server, database):
    process = tiny.start("--storage", database)
    tiny.wait_for(lambda: len(tiny.results()) >= 2, process)
    server.stop()
    try:
        before = wait_for_line(process, "does not answer")
    finally:
        server.start()
    after, _ = process.communicate(timeout=300)
    output = "".join(before) + after
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert "answers again" in after
    assert tiny.digest() == finished.digest()
    receipt = json.loads((tiny.folder / "receipt.json").read_text())
    undisturbed = json.loads((finished.folder / "receipt.json").read_text())
    assert receipt["draws"] == undisturbed["draws"]


def test_a_server_that_stays_away_ends_the_study_until_it_is_back(tiny, finished, server, database):
    process = tiny.start("--storage", database, "--storage_wait_seconds", "0.5")
    tiny.wait_for(lambda: len(tiny.results()) >= 2, process)
    server.stop()
    try:
        output, _ = process.communicate(timeout=300)
    finally:
        server.start()
    assert process.returncode == 2, output
    assert "Traceback" not in output
    last = output.strip().splitlines()[-1]
    assert last.startswith("error: the Optuna storage")
    assert "has not answered for" in last
    assert "the same command again" in last
    tiny.run("--storage", database)
    assert tiny.digest() == finished.digest()


def test_a_server_that_does_not_answer(tiny):
    output = tiny.run("--storage", "postgresql+psycopg://me@127.0.0.1:9/none", code=2)
    assert "cannot be opened" in output
    assert "PGPASSWORD" in output
