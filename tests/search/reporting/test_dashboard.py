"""optuna-dashboard, as the README starts it, beside a study."""

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("optuna_dashboard") is None, reason="optuna-dashboard is not installed"
)


@pytest.fixture
def dashboard():
    """Start it on a storage; gives a way to ask its API."""
    servers = []

    def start(storage):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        program = shutil.which("optuna-dashboard", path=Path(sys.executable).parent)
        command = [program, str(storage), "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(
            [*command, "--server", "wsgiref"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        servers.append(server)

        def get(path):
            end = time.monotonic() + 60
            while True:
                try:
                    with urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=10) as answer:
                        return json.load(answer)
                except OSError as error:  # not up yet
                    assert server.poll() is None, server.communicate()[0]
                    assert time.monotonic() < end, error
                    time.sleep(0.1)

        return get

    yield start
    for server in servers:
        server.terminate()
        server.communicate()


def test_it_shows_the_trials_of_a_study_and_writes_nothing(finished, dashboard):
    journal = finished.folder / "optuna.journal"
    before = journal.read_bytes()
    get = dashboard(journal)
    (study,) = get("studies")["study_summaries"]
    assert study["study_name"] == "tiny"
    trials = get(f"studies/{study['study_id']}")["trials"]
    scores = {
        key: result["score"]
        for key, result in finished.results().items()
        if key.startswith("trials/") and result["state"] == "complete"
    }
    shown = [trial["values"] for trial in trials if trial["state"] == "Complete"]
    assert sorted(float(value) for (value,) in shown) == pytest.approx(sorted(scores.values()))
    assert any(trial["intermediate_values"] for trial in trials)
    assert journal.read_bytes() == before
