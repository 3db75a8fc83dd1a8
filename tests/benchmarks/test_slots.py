"""Slots that sleep, and the same on paper; small."""

import json

import pytest

from benchmarks import slots
from benchmarks.slots_model import busy_share, halved


@pytest.mark.parametrize(
    ("service", "seconds", "share"),
    [(0.0, 10.0, 1.0), (1.0, 10.0, 1.0), (2.0, 10.0, 0.625), (5.0, 10.0, 0.25)],
)
def test_equal_jobs_keep_all_busy_until_the_coordinator_is_too_slow(service, seconds, share):
    """8 slots need a job each 1.25 s: what is handed out each 2 s keeps 10 / 2 of them busy."""
    assert busy_share(8, 16, service, [seconds] * 4000) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("lookahead", "cycle"), [(2, 14), (4, 13), (9, 10)])
def test_a_long_job_holds_up_what_is_asked_for(lookahead, cycle):
    """Two slots; each tenth job takes 10 s, the others 1 s: 19 s of work in a cycle.

    Beside the long one, lookahead - 1 others may begin; the rest is done on both slots after it.
    """
    jobs = ([10.0] + [1.0] * 9) * 600
    assert busy_share(2, lookahead, 0.0, jobs) == pytest.approx(19 / (2 * cycle), abs=0.001)


def test_halved_trials():
    jobs = halved(90_000, 9.0, 3, 2)
    shares = {seconds: jobs.count(seconds) / len(jobs) for seconds in set(jobs)}
    assert shares == pytest.approx({1.0: 2 / 3, 3.0: 2 / 9, 9.0: 1 / 9}, abs=0.01)


def test_a_study_of_sleeping_slots(tmp_path, capsys):
    out = tmp_path / "slots"
    slots.main(["--slots", "4", "--seconds", "0.2", "--out", str(out)])
    [row] = json.loads(out.with_suffix(".json").read_text())["rows"]
    assert row["trials"] == 20 and row["cpu"] > 0
    assert 0 < row["busy"] <= 1 and 0 < row["rate"] <= 30
    assert "| 4 | 0.2 | 20 | 20.0 |" in capsys.readouterr().out
