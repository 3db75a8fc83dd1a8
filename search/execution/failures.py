"""What the failures of its attempts mean for a run: whether it is tried again, and how."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from hybrid_swin.errors.plain_text import LONGEST_ERROR, one_line
from search.execution.run_folder import number_of
from search.records.runs import (
    FAILURE_FILE,
    FailureRecord,
    RunResult,
    State,
    read_failure,
    write_failure,
)
from search.records.torn import read_or_set_aside

_MOST_HANGS = 2  # a run that has hung so often hangs again
_MOST_OUT_OF_MEMORY = 2  # the second time with half the images at once


class Failures:
    """Judges runs by their attempts' folders alone, so that every start judges alike.

    Args:
        attempts: that a run has.
        say: is told of files that are damaged.
    """

    def __init__(self, attempts: int, say: Callable[[str], None]) -> None:
        self._attempts, self._say = attempts, say

    def micro_batches(self, attempts: Sequence[Path]) -> int:
        """In how many parts the next attempt takes its batches: 1 unless memory ran out."""
        return int(2 ** sum(record.out_of_memory for record in self._records(attempts)))

    def verdict(self, key: str, attempts: Sequence[Path]) -> RunResult | None:
        """The end of a run that has failed, hung or lacked memory often enough; None to go on."""
        failed = [attempt for attempt in attempts if _has_failed(attempt)]
        records = self._records(failed)
        hangs = sum(failure.hung for failure in records)
        short = sum(failure.out_of_memory for failure in records)
        crashed_too_often = len(failed) - short >= self._attempts
        too_large = short >= _MOST_OUT_OF_MEMORY
        if not (crashed_too_often or too_large or hangs >= _MOST_HANGS):
            return None
        last = [r.error for r in records if r.out_of_memory] if too_large else [records[-1].error]
        error = one_line("; then ".join(dict.fromkeys(last)), LONGEST_ERROR)
        state: State = "infeasible" if too_large else "failed"
        if not (crashed_too_often or too_large):
            error += f"; it has hung {hangs} times and is not tried again"
        return RunResult(key, number_of(failed[-1]), state, None, error=error)

    def _records(self, attempts: Sequence[Path]) -> list[FailureRecord]:
        return [self._read(attempt) for attempt in attempts if _has_failed(attempt)]

    def _read(self, attempt: Path) -> FailureRecord:
        """Why an attempt failed; one whose file is damaged goes on to count."""
        then = "the attempt counts as failed"
        record = read_or_set_aside(lambda: read_failure(attempt), self._say, then)
        if record is None:
            record = FailureRecord()
            write_failure(attempt, record)
        return record


def _has_failed(attempt: Path) -> bool:
    return os.path.lexists(attempt / FAILURE_FILE)
