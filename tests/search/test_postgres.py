"""A study in a real PostgreSQL, killed and continued."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
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


@pytest.fixture
def database(tmp_path_factory):
    """The address of a server of its own, on a port of its own."""
    folder = tmp_path_factory.mktemp("postgres")
    # PostgreSQL refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shared = Path(tempfile.gettempdir()).resolve()
        for path in [folder, *folder.parents]:  # one more of them where tests run side by side
            if shared in path.parents:
                path.chmod(0o755)
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"

    def run(*command):
        subprocess.run([*user, *map(str, command)], check=True, capture_output=True, cwd=folder)

    run(PROGRAMS / "initdb", "-D", data, "-U", "me", "-A", "trust")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(PROGRAMS / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    yield f"postgresql+psycopg://me@127.0.0.1:{port}/postgres"
    run(PROGRAMS / "pg_ctl", "-D", data, "-m", "immediate", "stop")


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


def test_a_server_that_does_not_answer(tiny):
    output = tiny.run("--storage", "postgresql+psycopg://me@127.0.0.1:9/none", code=2)
    assert "cannot be opened" in output
    assert "PGPASSWORD" in output
