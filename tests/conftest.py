import copy
import fcntl
import gc
import os
import shutil
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.spec import registry

BRANCH = '''
from hybrid_swin import Branch, Cost, linear
from torch import nn


class {name}(Branch):
    """{summary}"""

    def __init__(self, dim, num_heads, window_size, grid_size{options}):
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def mix(self, x, value_gate=None):
        return x.mean(dim=(1, 2), keepdim=True).expand_as(x)

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size{options}):
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''


@pytest.fixture(autouse=True)
def clean_registry():
    """Plug-ins are known to the whole process: forget those that the test makes known."""
    plugins, modules = dict(registry._plugins), set(sys.modules)
    yield registry
    registry._unasked.clear()
    if registry._plugins == plugins:
        return
    registry._plugins.clear()
    registry._plugins.update(plugins)
    registry._describe.cache_clear()
    for name in set(sys.modules) - modules:
        if name.startswith("hybrid_swin_plugins."):
            del sys.modules[name]


@pytest.fixture
def write_plugin(tmp_path, clean_registry):
    """Write a file of the user's own; a branch that averages the map unless a text is given."""

    def write(name, text=None, *, options="", summary="Average of the map.", folder=""):
        path = tmp_path / folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        if text is None:
            text = BRANCH.format(name=name.title(), options=options, summary=summary)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of images by class, as a reader's own."""
    folder = tmp_path_factory.mktemp("own") / "photos"
    rng = np.random.default_rng(0)
    for number in range(10):
        (folder / f"class{number}").mkdir(parents=True)
        for index in range(12):
            pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"class{number}" / f"{index}.png")
    return folder


@pytest.fixture
def spoil():
    """Replace, delete, double or rename something somewhere in nested data, by a seeded chance."""

    def places(node, path=()):
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield (*path, key)
            if isinstance(item, dict | list):
                yield from places(item, (*path, key))

    def spoiled(data, rng, garbage):
        *parents, last = rng.choice(list(places(data)) or [(0,)])
        node = data
        for key in parents:
            node = node[key]
        how = rng.choice(["replace", "replace", "replace", "delete", "double", "rename"])
        if how == "replace" or not data:
            node[last] = copy.deepcopy(rng.choice(garbage)) if rng.random() < 0.9 else rng.random()
        elif how == "delete":
            del node[last]
        elif how == "rename" and isinstance(node, dict):
            node[rng.choice(["widht", 3, None, "recipe", "a.b", "class_path"])] = node.pop(last)
        elif isinstance(node, list):
            node.insert(rng.randrange(len(node) + 1), copy.deepcopy(node[last]))

    return spoiled


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """A folder that all of pytest's processes share: the first that needs it fills it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def get(name, fill):
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one that failed
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return get


def pytest_configure():
    """Ctrl-C reaches what tests start, also where they are run in the background.

    A shell lets background jobs ignore it, and children would inherit that. And no test cuts the
    power: none waits until what it writes has reached the disk. And only tests of W&B start its
    mirror, which costs as much as a study: they set the mode themselves. And what one process has
    compiled no other compiles again, of hundreds.
    """
    os.environ["WANDB_MODE"] = "disabled"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    os.fsync = lambda descriptor: None
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """What lives as long as all tests is not looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
