"""Looks at growing evidence: each time that conclusions were drawn from new seeds.

Who looks at 3 seeds, then adds some and looks again, has several chances of a false alarm. So a
look is written down (one JSON line in ``looks.jsonl``, in the folder of the study or comparison),
said, and paid for by the level at which the next one is tested. The same seeds looked at again are
no further look.
"""

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOOKS = "looks.jsonl"


@dataclass(frozen=True)
class Look:
    """Conclusions drawn from what had been trained by then.

    Args:
        seeds: that a row (or arm) had completed, the most of all: this tells two looks apart.
        planned: seeds that were asked for at the time.
        plan: numbers of seeds at which looks were planned at the time; empty: ``planned`` alone.
        command: what looked: run, leaderboard or compare.
        time: when, in UTC; empty before it is written.
    """

    seeds: int
    planned: int
    command: str = ""
    time: str = ""
    plan: tuple[int, ...] = ()


def read_looks(folder: Path) -> list[Look]:
    """All looks at a study or comparison, in their order; torn lines are left out."""
    try:
        return _looks((folder / LOOKS).read_bytes())
    except OSError:
        return []  # none that we could know of


def with_current(looks: Sequence[Look], current: Look) -> list[Look]:
    """The looks up to now: those known, and the current one where its seeds are new.

    Seeds are only added, so looks at more of them (at a folder that was put back) are left out.
    """
    before = [look for look in looks if look.seeds < current.seeds]
    known = next((look for look in looks if look.seeds == current.seeds), current)
    return [*before, known]


def record_look(folder: Path, look: Look) -> bool:
    """Write a look down, once for the same seeds; says whether that was possible.

    Not to be able to is no reason to show nothing: a finished study may lie on a read-only disk.
    """
    try:
        with (folder / LOOKS).open("ab+") as file:  # O_APPEND: nothing is overwritten
            fcntl.flock(file, fcntl.LOCK_EX)  # ends with the process
            file.seek(0)
            content = file.read()
            if look.seeds in {known.seeds for known in _looks(content)}:
                return True
            torn = bool(content) and not content.endswith(b"\n")  # a kill left it without its end
            now = datetime.now(UTC).isoformat(timespec="seconds")
            line = json.dumps(asdict(look) | {"time": now})
            file.write(b"\n" * torn + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def _looks(content: bytes) -> list[Look]:
    numbers = ("seeds", "planned")
    found = []
    for line in content.splitlines():
        try:
            data = json.loads(line)
        except ValueError:
            continue
        if isinstance(data, dict) and all(type(data.get(name)) is int for name in numbers):
            command, time = (str(data.get(name) or "") for name in ("command", "time"))
            found.append(Look(data["seeds"], data["planned"], command, time, _plan(data)))
    return found


def _plan(data: Mapping[str, Any]) -> tuple[int, ...]:
    """The planned looks of a line; none where they are no rising numbers of seeds."""
    plan = data.get("plan")
    if not isinstance(plan, list) or not all(type(seeds) is int and seeds > 0 for seeds in plan):
        return ()
    return tuple(plan) if plan == sorted(set(plan)) else ()
