"""What lies in the working folder takes the place of nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_swin.system.processes import python_command, python_environment

ROOT = Path(__file__).parents[3]
TRAPS = (
    *("search", "hybrid_swin", "json", "yaml", "torch", "runpy", "pickle", "socket", "typing"),
    *(
        "multiprocessing",
        "sitecustomize",
        "usercustomize",
        "argparse",
        "jsonargparse",
        "torchvision",
    ),
)


@pytest.fixture
def traps(tmp_path, monkeypatch):
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text(f"print('trap {name}')\nraise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def output(command, **changes):
    done = subprocess.run(
        command, capture_output=True, text=True, env=python_environment(**changes)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trap" not in done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("pythonpath", [None, "", ".", f"{os.pathsep}/nowhere"])
def test_a_process_of_ours_takes_nothing_from_the_working_folder(traps, monkeypatch, pythonpath):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if pythonpath is not None:
        monkeypatch.setenv("PYTHONPATH", pythonpath)
    command = python_command("hybrid_swin.__main__", "fit", "--help")
    assert "--variant" in output(command)


def test_the_environment_keeps_what_else_is_on_the_path(traps, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", str(traps), "/else/where", "."]))
    environment = python_environment(OMP_NUM_THREADS="1")
    assert environment["PYTHONPATH"] == "/else/where"
    assert environment["PYTHONSAFEPATH"] == environment["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("PYTHONPATH", os.pathsep)
    assert "PYTHONPATH" not in python_environment()


CODE = """
import sys
sys.path[:] = [*{before!r}, *sys.path]
from hybrid_swin.system.processes import arrange_imports, import_from_working_folder
arrange_imports()
import json, search
print(search.__file__, "")
try:
    import torchvision_of_mine
except ModuleNotFoundError:
    print("not yet")
import_from_working_folder()
import_from_working_folder()
import torchvision_of_mine, yaml
print(torchvision_of_mine.WHAT, sum(type(f).__name__ == "_Last" for f in sys.meta_path))
"""


def test_a_door_finds_ours_and_the_working_folder_last(traps):
    (traps / "torchvision_of_mine.py").write_text("WHAT = 'mine'\n")
    other = traps / "other"
    (other / "search").mkdir(parents=True)
    (other / "search" / "__init__.py").write_text("raise SystemExit(9)\n")
    (traps / "hybrid_swin.py").unlink()  # until it is imported, Python alone decides
    # as `python -c` begins, with the working folder first; and another package named search
    code = CODE.format(before=["", str(other)])
    said = output([sys.executable, "-P", "-c", f"import sys; sys.path += [{str(ROOT)!r}]\n" + code])
    assert said.splitlines()[0].strip() == str(ROOT / "search" / "__init__.py")
    assert said.splitlines()[1:] == ["not yet", "mine 1"]


@pytest.mark.parametrize(
    "command",
    [
        [str(ROOT / "search.py"), "run", "--help"],
        [
            "-c",
            f"import sys; sys.path[:1] = [{str(ROOT)!r}]; from search.cli.door import main; main()",
        ],
    ],
    ids=["script", "console script"],
)
def test_the_doors_open_in_any_folder(traps, command):
    end = [] if "--help" in command else ["run", "--help"]
    done = subprocess.run([sys.executable, *command, *end], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--finalists.seeds" in done.stdout


def test_the_module_opens_where_python_lets_it(traps):
    """Python itself imports a little from the working folder before any code of ours."""
    for name in ("runpy", "typing", "sitecustomize", "usercustomize", "hybrid_swin", "pickle"):
        (traps / f"{name}.py").unlink()
    command = [sys.executable, "-m", "hybrid_swin", "fit", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--variant" in done.stdout
