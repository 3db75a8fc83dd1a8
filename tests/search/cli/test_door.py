"""The door starts the workers' server for commands that train, and for no others."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.cli import door
from search.execution import forked_workers


@pytest.mark.parametrize(
    ("words", "trains"),
    [
        ("", True),
        ("--trials 3", True),
        ("run --config study.yaml", True),
        ("compare --dry-run", True),  # which trains one network to time it
        ("--help", False),
        ("run -h", False),
        ("leaderboard runs/digits", False),
        ("status", False),
    ],
)
def test_what_trains_has_its_server_before_anything_is_read(monkeypatch, words, trains):
    began = []
    monkeypatch.setattr("sys.argv", ["search.py", *words.split()])
    monkeypatch.setattr(door, "arrange_imports", lambda: None)
    monkeypatch.setattr(door, "end_if_interrupted", lambda: None)
    monkeypatch.setattr(forked_workers, "server", lambda: began.append("server"))
    monkeypatch.setattr("search.cli.main.main", lambda: began.append("command"))
    door.main()
    assert began == ["server", "command"][0 if trains else 1 :]


ROOT = Path(__file__).parents[3]
IMPORTING = """
import runpy, sys, time
class Long:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print("importing", flush=True)
            time.sleep(1000)
sys.meta_path.insert(0, Long())
sys.path.insert(0, {root!r})
sys.argv[1:] = ["status"]
{run}
"""
DOORS = {
    "search.cli.main": f"runpy.run_path({str(ROOT / 'search.py')!r}, run_name='__main__')",
    "hybrid_swin.training.options": "runpy.run_module('hybrid_swin', run_name='__main__')",
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("module", DOORS)
def test_an_interruption_of_the_first_moments_ends_as_later_ones(number, module):
    script = IMPORTING.format(module=module, root=str(ROOT), run=DOORS[module])
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, errors) == (130, "interrupted\n")


NOTHING_HEAVY = """
import runpy, sys
class Heavy:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "lightning", "optuna", "scipy", "sklearn"):
            raise SystemExit(f"imports {{name}}")
sys.meta_path.insert(0, Heavy())
sys.path.insert(0, {root!r})
sys.argv[1:] = {words!r}
{run}
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--trails", "5"], "error: unknown option '--trails'; did you mean '--trials'?"),
        (["compare", "--config", "mine.yaml"], "error: unknown setting of mine.yaml 'trails'"),
        (["run", "--trials", "many"], "error: trials must be a whole number; got 'many'"),
        (["run", "--dry-run"], "runs/digits: loading PyTorch ...\nimports "),
    ],
)
def test_words_and_files_are_checked_and_a_line_is_said_before_heavy_imports(tmp_path, words, said):
    (tmp_path / "mine.yaml").write_text("name: mine\nseeds: 3\ntrails: 5\n")
    run = DOORS["search.cli.main"]
    script = NOTHING_HEAVY.format(root=str(ROOT), words=words, run=run)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.startswith(said)
    assert done.stdout == ""


RAY_IS_INSTALLED = """
import importlib.machinery, types
sys.modules["ray"] = types.ModuleType("ray")
sys.modules["ray"].__spec__ = importlib.machinery.ModuleSpec("ray", None)
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--executor.name ray --executor.address 127.0.0.1:1", "error: executor.address '127.0.0."),
        ("--executor.name slurm", "error: sbatch: invalid partition specified: nope"),
        (
            "--executor.name slurm --executor.max_jobs 2",
            "error: executor slurm: there is no sbatch",
        ),
        (
            "--storage sqlite:////nowhere/a.db",
            "error: the Optuna storage 'sqlite:////nowhere/a.db'",
        ),
    ],
)
def test_what_executor_and_database_refuse_is_said_before_pytorch(
    tmp_path, monkeypatch, words, said
):
    sbatch = tmp_path / "sbatch"
    if "max_jobs" not in words:
        sbatch.write_text(
            "#!/bin/sh\necho 'sbatch: error: invalid partition specified: nope' >&2\nexit 1"
        )
        sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    heavy = NOTHING_HEAVY.replace('"optuna", ', "")
    run = f"{RAY_IS_INSTALLED}\n{DOORS['search.cli.main']}"
    script = heavy.format(root=str(ROOT), words=["run", *words.split()], run=run)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.startswith(said) and done.returncode == 2
    assert not (tmp_path / "runs").exists()
