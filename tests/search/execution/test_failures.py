"""Failures of attempts, by their folders."""

import pytest

from search.execution.failures import Failures
from search.records.runs import FailureRecord, write_failure


@pytest.fixture
def judged(tmp_path):
    """The verdict on a run with such attempts; None: one that did not fail."""

    def judge(*records, allowed=3):
        attempts = [tmp_path / f"attempt-{number}" for number in range(1, len(records) + 1)]
        for attempt, record in zip(attempts, records, strict=True):
            attempt.mkdir()
            if record is not None:
                write_failure(attempt, record)
        failures = Failures(allowed, print)
        verdict = failures.verdict("trials/0000", attempts)
        return failures.micro_batches(attempts), verdict and (verdict.state, verdict.error)

    return judge


CRASH, SHORT = FailureRecord("it crashed"), FailureRecord("no room", out_of_memory=True)
LESS = FailureRecord("no room for half", out_of_memory=True)
HUNG = FailureRecord("it hung", hung=True)


@pytest.mark.parametrize(
    ("records", "parts", "verdict"),
    [
        ((), 1, None),
        ((CRASH, None, CRASH), 1, None),
        ((CRASH, CRASH, CRASH), 1, ("failed", "it crashed")),
        ((SHORT, CRASH, CRASH), 2, None),  # lack of memory is counted by itself
        ((SHORT, SHORT), 4, ("infeasible", "no room")),
        ((SHORT, LESS), 4, ("infeasible", "no room; then no room for half")),
        ((HUNG, HUNG), 1, ("failed", "it hung; it has hung 2 times and is not tried again")),
    ],
)
def test_a_run_is_given_up_by_what_its_attempts_left(judged, records, parts, verdict):
    assert judged(*records) == (parts, verdict)


def test_a_damaged_failure_counts(tmp_path):
    attempt, said = tmp_path / "attempt-1", []
    attempt.mkdir()
    (attempt / "failure.json").write_text("{")
    verdict = Failures(1, said.append).verdict("trials/0000", [attempt])
    assert verdict.state == "failed" and "the attempt counts as failed" in said[0]
