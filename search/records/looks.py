"""Looks at growing evidence: each time that conclusions were drawn from new seeds.

Who looks at 3 seeds, then adds some and looks again, has several chances of a false alarm. So a
look is written down (one JSON line in ``looks.jsonl``, in the folder of the study or comparison),
said, and paid for by the level at which the next one is tested. The same seeds looked at again are
not a further look.
"""

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import json_lines
from hybrid_swin.system.schema import SchemaError, build

LOOKS = "looks.jsonl"
_LEAST = {"seeds": 0, "planned": 0}


@dataclass(frozen=True)
class Look:
    """Conclusions drawn from what had been trained by then."""

    seeds: int  # most that a row (or arm) had completed: tells two looks apart
    planned: int  # seeds that were asked for at the time
    command: str = ""  # what looked: run, leaderboard or compare
    time: str = ""  # when, in UTC; empty before it is written
    plan: tuple[int, ...] = ()  # numbers of seeds of planned looks; empty: ``planned`` alone


def read_looks(folder: Path, notes: list[str] | None = None) -> list[Look]:
    """All looks at a study or comparison, in their order; lines that are none are left out.

    ``notes`` collects a sentence on these: a look that is forgotten is not paid for.
    """
    try:
        looks, others = _looks((folder / LOOKS).read_bytes())
    except FileNotFoundError:
        return []
    except OSError:
        looks, others = [], 1
    if others and notes is not None:
        notes.append(
            f"{LOOKS} cannot be read in {others} line(s): if one of them was a look at fewer "
            "seeds, the tests here are held to too high a level, and their intervals are too "
            "narrow; put the file back if you have a copy."
        )
    return looks


def with_current(looks: Sequence[Look], current: Look) -> list[Look]:
    """The looks up to now: those known, and the current one where its seeds are new.

    Seeds are only added, so looks at more of them (at a folder that was put back) are left out.
    """
    before = [look for look in looks if look.seeds < current.seeds]
    known = next((look for look in looks if look.seeds == current.seeds), current)
    return [*before, known]


def record_look(folder: Path, look: Look) -> bool:
    """Write a look down, once for the same seeds; says whether that was possible.

    Not to be able to is not a reason to show nothing: a finished study may lie on a read-only disk.
    """
    try:
        with (folder / LOOKS).open("ab+") as file:  # O_APPEND: nothing is overwritten
            fcntl.flock(file, fcntl.LOCK_EX)  # ends with the process
            file.seek(0)
            content = file.read()
            if look.seeds in {known.seeds for known in _looks(content)[0]}:
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


def _looks(content: bytes) -> tuple[list[Look], int]:
    """The looks, and how many lines are none."""
    lines, others = json_lines(content)
    looks = []
    for data in lines:
        try:
            looks.append(_look(data))
        except SchemaError:
            others += 1
    return looks, others


def _look(data: Mapping[str, Any]) -> Look:
    """A look from its line. Raises SchemaError, also for plans of no rising numbers of seeds."""
    fields = {name: value for name, value in data.items() if value is not None}  # of older lines
    look = build(Look, fields, least=_LEAST)
    if list(look.plan) != sorted({*look.plan}) or any(seeds < 1 for seeds in look.plan):
        raise SchemaError(f"plan is {look.plan}, no rising numbers of seeds")
    return look
