"""An installed package that cannot be imported is named, and nothing but it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.errors.failed_imports import explained_import, is_installed

ROOT = Path(__file__).parents[3]
MESSAGE = "operator torchvision::nms does not exist"


@pytest.mark.parametrize("error", [ValueError("x"), InputError("too large")])
def test_an_error_of_our_own_is_not_explained_away(error):
    try:
        raise error
    except ValueError as raised:
        assert explained_import(raised) is None


@pytest.fixture
def environment(tmp_path):
    """One with a Lightning that needs a torchvision, which is of another torch."""
    for name, text in (
        ("torchvision", "from torchvision import _meta\n"),
        ("lightning", "import torchmetrics\n"),
        ("torchmetrics", "import torchvision\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    (tmp_path / "torchvision" / "_meta.py").write_text(f"raise RuntimeError({MESSAGE!r})\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "hybrid_swin", "validate", "nowhere"],
        ["-c", "import os; from search.execution.worker import main; main(os.pipe()[0])"],
    ],
    ids=["command", "worker"],
)
def test_the_package_is_named_in_one_line(environment, command):
    line = [sys.executable, "-P", *command]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode in (1, 2)
    last = done.stderr.strip().splitlines()[-1]
    assert f"the package 'torchvision' cannot be imported here: RuntimeError: {MESSAGE}" in last


@pytest.mark.parametrize("door", [["search.py"], ["-m", "hybrid_swin", "fit"]], ids=" ".join)
def test_a_python_without_our_packages_is_named(door):
    bare = [sys.executable, "-S", *door]
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(bare, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert f"the Python that runs this, {sys.executable}, does not have the package" in last
    assert "pip install -c constraints.txt -e ." in last


def test_a_folder_is_not_a_package_though_python_takes_it_for_one(tmp_path, monkeypatch):
    (tmp_path / "onnx_of_mine").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert [is_installed(name) for name in ("mine", "onnx_of_mine", "nowhere")] == [
        True,
        False,
        False,
    ]
    assert is_installed("numpy")
