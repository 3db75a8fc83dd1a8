"""Faults that lie in a user's own code, in the clock, or in the database."""

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.chaos_doors import Process
from benchmarks.chaos_faults import Fault, nothing
from benchmarks.chaos_places import Place
from benchmarks.chaos_study import SETTINGS, Scene

# Patience of studies in which something hangs.
_IMPATIENT = ("--workers.silence_minutes", "0.15", "--workers.silence_factor", "3")
_BRANCH = '''
import ctypes
import os
import signal
import sys
import time

from torch import nn

from hybrid_swin import Branch, Cost, linear


class Odd(Branch):
    """It misbehaves."""

    def __init__(self, dim, num_heads, window_size, grid_size):
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def mix(self, x, value_gate=None):
        {deed}
        return x

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size):
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''
# What it does, and what its row must say of it.
_DEEDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "raises": ('raise ZeroDivisionError("odd")', ("ZeroDivisionError: odd",)),
    "hangs": ("time.sleep(1000)", ("it hung",)),
    "hangs without the interpreter": ("ctypes.PyDLL(None).sleep(1000)", ("it hung",)),
    "returns NaN": ('x = x * float("nan")', ("nan", "NaN", "diverged", "finite")),
    "calls sys.exit": ("sys.exit(3)", ("exit code 3", "SystemExit")),
    "calls sys.exit(0)": ("sys.exit()", ("exit code 0", "SystemExit")),
    "calls os._exit(0)": ("os._exit(0)", ("exit code 0",)),
    "segfaults": ("ctypes.string_at(0)", ("signal 11",)),
    "aborts": ("os.abort()", ("signal 6",)),
    "interrupts itself": ("os.kill(os.getpid(), signal.SIGINT); raise KeyboardInterrupt", ()),
    "prints without end": ('while True: print("odd" * 1000)', ("it hung",)),
    "prints a gigabyte to no line": (
        'sys.stdout.write("odd" * 10_000_000); raise ZeroDivisionError("odd")',
        ("ZeroDivisionError: odd",),
    ),
    "eats memory": ('raise MemoryError("odd")', ("MemoryError", "memory")),
    "raises what has no text": (
        'raise type("Odd", (Exception,), {"__str__": lambda self: 1 / 0})()',
        (),
    ),
}
_MODULE = '''
import threading
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

FLAG = Path(__file__).with_name("deadlock")


class Loader(DataLoader):
    """It waits for ever where a file says so; once."""

    def __iter__(self):
        try:
            FLAG.unlink()
        except FileNotFoundError:
            return super().__iter__()
        threading.Event().wait()


class Squares(LightningDataModule):
    def __init__(self, batch_size: int = 8):
        super().__init__()
        self.batch_size = batch_size

    def _loader(self, seed):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(120) % 10
        images = torch.randn(120, 1, 8, 8, generator=generator)
        images += labels[:, None, None, None]
        return Loader(TensorDataset(images, labels), batch_size=self.batch_size)

    def train_dataloader(self):
        return self._loader(0)

    def val_dataloader(self):
        return self._loader(1)

    def test_dataloader(self):
        return self._loader(2)
'''
_CLOCK = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long *offset;
__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("CHAOS_CLOCK");
    int file = name ? open(name, O_RDONLY) : -1;
    void *place = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (place != MAP_FAILED) offset = place;
    if (file >= 0) close(file);
}
int clock_gettime(clockid_t id, struct timespec *now) {
    int code = syscall(SYS_clock_gettime, id, now);
    if (!code && id == CLOCK_REALTIME && offset) now->tv_sec += *offset;
    return code;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec t;
    int code = clock_gettime(CLOCK_REALTIME, &t);
    now->tv_sec = t.tv_sec;
    now->tv_usec = t.tv_nsec / 1000;
    return code;
}
time_t time(time_t *where) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (where) *where = t.tv_sec;
    return t.tv_sec;
}
"""


def plugin_faults() -> list[Fault]:
    """All of them that can be had here."""
    found = [_plugin(name, *about) for name, about in _DEEDS.items()]
    found.append(
        Fault(
            "a data module that deadlocks",
            _deadlock,
            changes=lambda root: {"data": {"class_path": "chaos_data.Squares"}},
            calm_changes={"data": {"class_path": "chaos_data.Squares"}},
            prepare=_write_module,
            arguments=_IMPATIENT,
            patience=600.0,
        )
    )
    if shutil.which("gcc"):
        found.append(
            Fault("the clock set back a day", _set_back, without="controller", prepare=_write_clock)
        )
    if _postgres() is not None:
        found.append(
            Fault(
                "PostgreSQL restarted",
                _restart,
                setting=database,
                changes=lambda root: {"storage": _url(root)},
            )
        )
    return found


def _plugin(name: str, deed: str, why: tuple[str, ...]) -> Fault:
    def changes(root: Path) -> dict[str, Any]:
        file = root / "odd.py"
        file.write_text(_BRANCH.format(deed=deed))
        odd = {"label": "odd", "blocks": ["odd"]}
        return {"plugins": [str(file)], "baselines": [*SETTINGS["baselines"], odd]}

    return Fault(
        f"a plug-in that {name}",
        nothing,
        changes=changes,
        arguments=_IMPATIENT,
        odd="odd",
        why=why,
        waits=False,
        patience=600.0,
    )


def _write_module(scene: Scene) -> None:
    (scene.root / "chaos_data.py").write_text(_MODULE)
    scene.environment["PYTHONPATH"] = str(scene.root)


def _deadlock(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    flag = scene.root / "deadlock"
    flag.touch()
    coordinator.wait(300)
    if flag.exists():
        flag.unlink()
        return ""
    return "at the next loader"


def _write_clock(scene: Scene) -> None:
    (scene.root / "clock.c").write_text(_CLOCK)
    library = scene.root / "clock.so"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(scene.root / "clock.c")]
    subprocess.run(command, check=True)
    (scene.root / "clock").write_bytes(bytes(8))
    scene.environment |= {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(scene.root / "clock")}


def _set_back(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    with (scene.root / "clock").open("r+b") as file:
        file.write((-86_400).to_bytes(8, "little", signed=True))
    return "seen by all processes"


def _postgres() -> Path | None:
    for folder in [*os.get_exec_path(), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]:
        if shutil.which("initdb", path=folder):
            return Path(folder)
    return None


def _free_port(root: Path) -> int:
    file = root / "port"
    if not file.exists():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            file.write_text(str(probe.getsockname()[1]))
    return int(file.read_text())


def _url(root: Path) -> str:
    return f"postgresql+psycopg://me@127.0.0.1:{_free_port(root)}/postgres"


def _control(scene: Scene, program: str, *arguments: str) -> None:
    """A program of PostgreSQL, which refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [*user, str((_postgres() or Path()) / program), "-D", str(_cluster(scene))]
    subprocess.run([*command, *arguments], check=True, capture_output=True, cwd="/")


def _cluster(scene: Scene) -> Path:
    return Path("/tmp") / f"chaos-postgres-{_free_port(scene.root)}"  # noqa: S108  # short, for its socket


@contextmanager
def database(scene: Scene) -> Iterator[None]:
    """A PostgreSQL of its own."""
    folder = _cluster(scene)
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    try:
        _control(scene, "initdb", "-U", "me", "-A", "trust")
        _control(scene, "pg_ctl", *_options(scene), "-w", "start")
        yield
        _control(scene, "pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options(scene: Scene) -> list[str]:
    port, folder = _free_port(scene.root), _cluster(scene)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    return ["-o", options, "-l", str(folder / "log")]


def _restart(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    how = draw.choice(["immediate", "fast"])
    _control(scene, "pg_ctl", "-m", how, *_options(scene), "-w", "restart")
    return how
