"""Faults that strike a study while it runs, and after which the same command must mend all."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.chaos_doors import Process
from benchmarks.chaos_places import Place
from benchmarks.chaos_study import PATIENCE, Scene

# Says what was struck; empty if nothing was there to be struck.
Strike = Callable[[Scene, Place, Process, random.Random], str]

# Files of a study by what they are; a pattern may fit many, of which one is drawn.
FILES = {
    "a result": "*/*/result.json",
    "a finalist's result": "finalists/*/*/result.json",
    "an attempt's result": "*/**/attempt-*/result.json",
    "a run file": "*/**/run.json",
    "predictions": "finalists/*/*/predictions.npz",
    "answers on validation": "*/**/validation.npz",
    "finalists.json": "finalists.json",
    "optuna.journal": "optuna.journal",
    "a checkpoint": "*/**/*.ckpt",
    "the ledger": "test_reads.jsonl",
    "the ledger beside": "../test_reads.jsonl",
    "the ledger of intents": "test_reads.begun.jsonl",
    "study.json": "study.json",
    "the copy of study.json": "study.copy.json",
    "settings.yaml": "settings.yaml",
    "progress.json": "progress.json",
}
_TIMES_DELETED = 3
AT_END = {"looks.jsonl": "looks.jsonl", "receipt.json": "receipt.json"}
MAILBOX = {
    "what is said to an agent": "agents/*/to_agent.jsonl",
    "what an agent says": "agents/*/to_coordinator.jsonl",
    "an agent's beat": "agents/*/agent.beat",
    "the coordinator's beat": "agents/coordinator.beat",
    "who the agent is": "agents/*/agent.json",
    "an agent's folder": "agents/*",
    "all agents' folders": "agents",
}
UNDER_WAY = "the folder of an attempt under way"


def as_it_is(scene: Scene) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Args:
        name: what it is.
        strike: does it.
        point: what of a place it strikes; empty if nothing in particular.
        without: a point that its places do not have, which it would strike as well.
        setting: what it needs around the study, such as a small disk.
        changes: of the study's settings, in this folder.
        calm_changes: of the undisturbed study's settings.
        prepare: what both need in their folders.
        arguments: of the command.
        odd: the label of a row that must fail.
        why: what that row may say of it; any word if empty.
        late: it strikes in the second half of the study.
        waits: for a moment; or it lies in the study itself.
        patience: seconds that the study may take.
    """

    name: str
    strike: Strike
    point: str = ""
    without: str = ""
    setting: Callable[[Scene], AbstractContextManager[None]] | None = None
    changes: Callable[[Path], dict[str, Any]] = lambda root: {}
    calm_changes: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Scene], None] = as_it_is
    arguments: tuple[str, ...] = ()
    odd: str = ""
    why: tuple[str, ...] = ()
    late: bool = False
    waits: bool = True
    patience: float = PATIENCE

    @property
    def is_plain(self) -> bool:
        """Whether it can strike a study that was begun for another fault."""
        own = self.setting or self.arguments or self.calm_changes or self.odd
        return self.waits and not own and self.prepare is as_it_is

    def happens_in(self, place: Place) -> bool:
        """Whether a place has what it strikes."""
        has = not self.point or self.point in place.points
        return has and self.without not in place.points


def kill(point: str) -> Fault:
    """Kill -9 of one process."""

    def strike(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
        pids = place.points[point](scene)
        if not pids:
            return ""
        pid = draw.choice(pids)
        _expect(scene, pid)
        if point == "script":  # with it Slurm ends the whole job, and the coordinator in it
            coordinator.struck = True
        os.kill(pid, signal.SIGKILL)
        return f"{len(pids)} there"

    return Fault(f"kill -9 of the {point}", strike, point=point)


def kill_all(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    """Kill -9 of the coordinator and all that it has started."""
    coordinator.struck = True
    coordinator.kill()
    return "its session"


def pause(point: str, seconds: tuple[float, ...]) -> Fault:
    """SIGSTOP, and SIGCONT some seconds later."""

    def strike(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
        pids = place.points[point](scene)
        if not pids:
            return ""
        pid, length = draw.choice(pids), draw.choice(seconds)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(length)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        return f"{length:g} s"

    return Fault(f"SIGSTOP of the {point}", strike, point=point)


def send(point: str, number: int, times: int = 1) -> Fault:
    """One signal, or several at once."""

    def strike(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
        pids = place.points[point](scene)
        for pid in pids[:1]:
            for _ in range(times):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        return "sent" if pids else ""

    count = {1: "", 2: "two times "}[times]
    return Fault(f"{count}{signal.Signals(number).name} to the {point}", strike, point=point)


def second_coordinator(
    scene: Scene, place: Place, coordinator: Process, draw: random.Random
) -> str:
    """A second one is refused, and the first is not disturbed."""
    second = scene.run()
    code = second.wait(PATIENCE)
    if coordinator.code is not None and code == 0:
        return ""  # the first had ended
    refused = f"already being run by process {coordinator.pid}"
    if code != 2 or "".join(refused.split()) not in "".join(second.text.split()):
        raise AssertionError(f"the second: exit code {code}: {second.text.strip()[-300:]}")
    return "refused"


def damage(name: str, pattern: str, while_running: bool, point: str = "") -> Fault:
    """A file that is truncated, emptied or deleted."""

    def strike(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
        base = scene.runs if pattern.startswith("../") else scene.folder
        while not _matching(name, base, pattern) and coordinator.code is None:
            time.sleep(0.005)
        if not while_running and coordinator.code is None:
            how = draw.choice([signal.SIGTERM, signal.SIGKILL])
            coordinator.struck = how == signal.SIGKILL
            os.kill(coordinator.pid, how)
            coordinator.wait(PATIENCE)
        files = _matching(name, base, pattern)
        return spoil(draw.choice(files), draw) if files else ""

    when = "while it runs" if while_running else "while it is stopped"
    return Fault(f"{name} damaged {when}", strike, point=point, late="finalist" in pattern)


def _matching(name: str, base: Path, pattern: str) -> list[Path]:
    files = sorted(base.glob(pattern.removeprefix("../")))
    if name == UNDER_WAY:
        return [f for f in files if not (f.parent / "result.json").exists()]
    return [f for f in files if f.name != "coordinator.beat" or name.endswith("beat")]


def spoil(path: Path, draw: random.Random) -> str:
    """Truncate, empty or delete a file or all of a folder; says what was done."""
    if path.is_dir():
        for _ in range(_TIMES_DELETED):  # others write there meanwhile
            shutil.rmtree(path, ignore_errors=True)
        return f"{path.name} deleted"
    with suppress(FileNotFoundError):
        size = path.stat().st_size
        length = draw.choice([None, 0, draw.randrange(size) if size else 0])
        if length is None:
            path.unlink()
            return f"{path.parent.name}/{path.name} deleted"
        os.truncate(path, length)
        return f"{path.parent.name}/{path.name} cut to {length} of {size} bytes"
    return ""


def limit(point: str, what: int, name: str, more: int) -> Fault:
    """A process that reaches a limit of the system."""

    def strike(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
        pids = place.points[point](scene)
        if not pids:
            return ""
        pid = draw.choice(pids)
        used = _used(pid, what)
        with suppress(ProcessLookupError):
            resource.prlimit(pid, what, (used + more, used + more))
        return f"at {used}{more:+}"

    return Fault(f"{name} limited, of the {point}", strike, point=point)


@contextmanager
def small_disk(scene: Scene) -> Iterator[None]:
    """A disk of its own for the study's folder."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(scene.runs)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(scene.runs)], check=False)  # noqa: S607


def can_mount(folder: Path) -> bool:
    """Whether this user may mount a small disk."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        return False
    return not subprocess.run(["umount", "-l", str(folder)], check=False).returncode  # noqa: S607


def fill_disk(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    """The disk is full until the study has ended."""
    space = os.statvfs(scene.runs)
    used = (space.f_blocks - space.f_bfree) * space.f_frsize // 1024
    free = draw.choice([0, 4, 16, 64])
    _remount(scene, f"{used + free}k")
    coordinator.wait(PATIENCE)
    _remount(scene, "64m")
    return f"{free} KiB left"


def nothing(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    """The fault lies in the study itself."""
    coordinator.wait(PATIENCE)
    return "in the study"


def faults(long: bool, disk: bool) -> list[Fault]:
    """All kinds that strike from outside."""
    pauses = (3.0, 30.0) if long else (2.0,)
    away = (*pauses, 45.0) if long else pauses  # an agent that is silent for 40 s is given up
    found = [
        *map(kill, ("coordinator", "worker", "fork server")),
        Fault("kill -9 of all", kill_all),
        *map(kill, ("agent", "agent's worker", "agent's fork server")),
        *map(kill, ("driver", "actor", "raylet", "head")),
        *map(kill, ("job's agent", "step", "node", "controller", "script", "srun")),
        *(pause(point, pauses) for point in ("coordinator", "worker", "fork server")),
        *(pause(point, pauses) for point in ("driver", "actor", "raylet", "head")),
        *(pause(point, pauses) for point in ("step", "node", "controller", "srun")),
        *(pause(point, away) for point in ("agent", "agent's worker", "job's agent")),
        send("coordinator", signal.SIGHUP),
        send("coordinator", signal.SIGTERM),
        send("coordinator", signal.SIGINT, 2),
        send("agent", signal.SIGTERM),
        send("agent", signal.SIGHUP),
        send("agent", signal.SIGINT, 2),
        send("job's agent", signal.SIGTERM),
        send("job's agent", signal.SIGHUP),
        Fault("a second coordinator", second_coordinator),
        limit("job's agent", resource.RLIMIT_NOFILE, "open files", 1),
        limit("worker", resource.RLIMIT_AS, "memory", -(2**20)),
        limit("coordinator", resource.RLIMIT_AS, "memory", -(2**20)),
        limit("coordinator", resource.RLIMIT_NOFILE, "open files", 1),
        limit("agent", resource.RLIMIT_NOFILE, "open files", 1),
        *(damage(n, pattern, r) for n, pattern in FILES.items() for r in (False, True)),
        *(damage(n, pattern, False) for n, pattern in AT_END.items()),
        *(damage(n, pattern, True, "mailbox") for n, pattern in MAILBOX.items()),
        damage(UNDER_WAY, "*/**/attempt-*", True),
    ]
    if disk:
        found.append(Fault("full disk", fill_disk, setting=small_disk))
    return found


def _expect(scene: Scene, pid: int) -> None:
    for process in scene.processes:
        if process.pid == pid:
            process.struck = True


def _used(pid: int, what: int) -> int:
    if what == resource.RLIMIT_NOFILE:
        return max(int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()) + 1
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _remount(scene: Scene, size: str) -> None:
    command = ["mount", "-o", f"remount,size={size}", str(scene.runs)]
    subprocess.run(command, check=True, capture_output=True)
