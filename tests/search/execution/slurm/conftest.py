import importlib.util
import time
from pathlib import Path

import pytest

FILE = Path(__file__).parent / "fake_slurm.py"


@pytest.fixture
def fake_slurm(tmp_path, monkeypatch):
    """Slurm's commands, faked, first on the PATH."""
    spec = importlib.util.spec_from_file_location(FILE.stem, FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path / "slurm commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return module.FakeSlurm(folder)


@pytest.fixture
def wait_until():
    """Wait until something is so."""

    def wait(condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    return wait
