"""A study in a real PostgreSQL, killed and continued."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path

import optuna
import pytest

from hybrid_swin.errors import InputError
from search.study.sampling.database import Database


def server_programs():
    for folder in [*os.get_exec_path(), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]:
        if shutil.which("initdb", path=folder):
            return Path(folder)
    return None


PROGRAMS = server_programs()
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL's server is not installed"),
]


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

    def restart(self):
        """As after a crash: nothing is told to those that are connected."""
        data = self.folder / "data"
        self._run(
            "pg_ctl", "-D", data, "-m", "immediate", "-w", "-l", self.folder / "log", "restart"
        )

    def cut_all(self):
        """End every connection to a study's database, as an administrator may."""
        with self.connect("postgres") as opened:
            opened.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'study%'"
            )

    def connect(self, name, **more):
        import psycopg

        place = f"postgresql://me@127.0.0.1:{self.port}/{name}"
        return psycopg.connect(place, autocommit=True, **more)

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
    name = f"study_{uuid.uuid4().hex[:8]}"
    with server.connect("postgres") as opened:
        opened.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://me@127.0.0.1:{server.port}/{name}"


@pytest.fixture
def pooled(server, database):
    """The address of the same database behind pgbouncer, which shares one connection by turns."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = server.folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port} user=me\n"
        f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\n"
        "auth_type=any\npool_mode=transaction\ndefault_pool_size=2\nserver_login_retry=1\n"
    )
    settings.chmod(0o644)
    pooler = subprocess.Popen([*server.user, program, "-q", str(settings)], stdout=-3, stderr=-3)
    end = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                break
        assert pooler.poll() is None and time.monotonic() < end, "pgbouncer did not start"
        time.sleep(0.05)
    yield database.replace(f":{server.port}/", f":{port}/")
    pooler.terminate()
    pooler.wait(20)


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
    assert_whole(database)
    assert not (tiny.folder / "optuna.journal").exists()


def assert_whole(database):
    """The study's trials are in the database, each once and ended."""
    storage = optuna.storages.RDBStorage(database)
    trials = optuna.load_study(study_name="tiny", storage=storage).get_trials()
    storage.remove_session()
    storage.engine.dispose()
    assert len([t for t in trials if t.state.name == "RUNNING"]) == 0
    assert len([t for t in trials if "refused" not in t.user_attrs]) == 7


@pytest.mark.parametrize("way", ["straight", "pooled"])
def test_connections_that_are_cut_again_and_again_change_nothing(
    tiny, finished, server, database, request, way
):
    """Also where the server crashes, and behind a pooler in transaction mode."""
    address = request.getfixturevalue("pooled") if way == "pooled" else database
    process = tiny.start("--storage", address)
    cuts, known = 0, 0
    while process.poll() is None:
        if len(tiny.results()) > known:  # another one each time, so that all moments are met
            known = len(tiny.results())
            server.restart() if known == 3 else server.cut_all()
            cuts += 1
        time.sleep(0.01)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert cuts > 4 and "Traceback" not in output
    assert tiny.digest() == finished.digest()
    assert_whole(database)
    receipt = json.loads((tiny.folder / "receipt.json").read_text())
    undisturbed = json.loads((finished.folder / "receipt.json").read_text())
    assert receipt["draws"] == undisturbed["draws"]


@pytest.fixture
def opened(database):
    opened = Database(database)
    yield opened
    opened.close()


def test_a_call_to_a_server_that_hangs_can_be_cut(server, database, opened):
    """Of a server that is stopped (SIGSTOP), the system still takes what is sent."""
    study = optuna.create_study(storage=opened.storage)
    with server.connect(database.rpartition("/")[2]) as other:
        [[backend]] = other.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        ).fetchall()
    mark = lambda: opened.storage.set_study_user_attr(study._study_id, "mark", 1)  # noqa: E731
    os.kill(backend, signal.SIGSTOP)
    try:
        call = threading.Thread(target=mark)
        call.start()
        call.join(0.5)
        assert call.is_alive()
        opened.cut()
        call.join(20)
        assert not call.is_alive()  # by a connection of its own
    finally:
        os.kill(backend, signal.SIGCONT)
    assert study.user_attrs == {"mark": 1}


def test_studies_that_begin_at_once_in_an_empty_database_share_its_tables(server, database):
    opened, failed = [], []

    def begin():
        try:
            opened.append(Database(database))
        except InputError as error:
            failed.append(error)

    threads = [threading.Thread(target=begin) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in opened:
        one.close()
    assert failed == []


def test_a_write_that_was_cut_off_is_waited_for(server, database, opened):
    """Its transaction may still be under way at the server when we look whether it took effect."""
    study = optuna.create_study(storage=opened.storage)
    name = database.rpartition("/")[2]
    with server.connect(name) as other, other.transaction():
        other.execute("SELECT * FROM studies FOR UPDATE")
        waiting = threading.Thread(target=opened.wait_for_writes, args=[study._study_id])
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join(20)
    assert not waiting.is_alive()


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


def test_what_is_wrong_with_an_address_is_said_before_work(tiny, server):
    with server.connect("postgres") as opened:
        opened.execute("CREATE ROLE you LOGIN PASSWORD 'right'")
    rules = server.folder / "data" / "pg_hba.conf"
    rules.write_text("host all you all scram-sha-256\n" + rules.read_text())
    server.restart()
    passwords = tiny.root / "passwords"
    passwords.write_text("*:*:*:you:wr0ng")
    passwords.chmod(0o600)
    place = f"127.0.0.1:{server.port}"
    psycopg = "postgresql+psycopg://"
    cases = {
        f"{psycopg}you@{place}/postgres": ["no password supplied", "set PGPASSWORD"],
        f"{psycopg}you@{place}/postgres?passfile={passwords}": ["failed for user", "correct the"],
        f"{psycopg}me@{place}/nosuch": ['"nosuch" does not exist', "create it first"],
        f"{psycopg}nobody@{place}/postgres": ['role "nobody" does not exist', "the user's name"],
        f"{psycopg}me@127.0.0.1:9/none": ["refused", "start the server"],
        "postgresql+psycopg2://me@127.0.0.1/none": ["'psycopg2' is not installed", "pip install"],
        f"{psycopg}you:hunter2@{place}/postgres": ["holds a password", "set PGPASSWORD"],
    }
    for address, words in cases.items():
        output = tiny.run("--storage", address, code=2)  # no traceback
        [line] = output.strip().splitlines()
        assert all(word in line for word in words), line
        assert line.startswith("error: ") and len(line) < 400
        assert "hunter2" not in output and "wr0ng" not in output
        assert not tiny.folder.exists()
