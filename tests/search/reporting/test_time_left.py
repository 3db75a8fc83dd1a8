import io

import pytest

from hybrid_swin.system.console import Console
from hybrid_swin.system.files import write_json_atomically
from search.records.runs import read_result, read_spec
from search.reporting.status.status import Watcher
from search.reporting.terminal import Terminal
from search.reporting.time_left import TimeTaken, UnderWay


def taken(*ended):
    found = TimeTaken()
    for run in ended:
        found.add(*run)
    return found


def test_each_kind_counts_by_its_own_mean():
    found = taken(("trials/0", "complete", 10.0), ("trials/1", "stopped", 4.0))
    left, basis = found.left({"trials": 4, "finalists": 6}, 10, slots=2)
    assert left == pytest.approx((2 * 7 + 6 * 10) / 2)
    assert basis == "trials: 2 of 7 s, finalists: 6 of 10 s as so far, 2 at once"


def test_a_few_long_trainings_take_their_time_whatever_the_slots():
    found = taken(*((f"trials/{n}", "complete", 10.0) for n in range(64)))
    left, basis = found.left({"trials": 64, "finalists": 2}, 66, slots=64)
    assert left == 10
    assert basis == "finalists: 2 of 10 s as so far, 64 at once; the longest takes 10 s more"
    # one has trained a fifth of its epochs in 60 s, the last word 3 s ago; the other begins
    running = [UnderWay("finalists/a/0", 60.0, 3.0, 0.2), UnderWay("finalists/a/1", 4.0)]
    left, _ = found.left({"trials": 64, "finalists": 2}, 66, 64, running)
    assert left == pytest.approx(57 / 0.2 * 0.8 - 3)
    left, _ = found.left({"trials": 64, "finalists": 2}, 66, 64, running[1:])
    assert left == 10  # one has not begun
    left, _ = found.left({"trials": 64, "finalists": 1}, 65, 64, running[1:])
    assert left == 6


def test_what_runs_counts_as_far_as_it_has_come():
    found = taken(("trials/0", "complete", 10.0), ("trials/1", "complete", 10.0))
    running = [UnderWay("trials/2", 4.0), UnderWay("trials/3", 7.0, 1.0, 0.6)]
    left, _ = found.left({"trials": 6}, 6, 2, running)
    assert left == pytest.approx((6 + (6 / 0.6 * 0.4 - 1) + 2 * 10) / 2)


def test_a_rung_may_stop_what_has_not_taken_the_mean():
    found = taken(("trials/0", "complete", 10.0), ("trials/1", "stopped", 2.0))
    assert found.left({"trials": 3}, 3, 1, [UnderWay("trials/2", 2.0, 0.0, 0.1)])[0] == 4
    assert found.left({"trials": 3}, 3, 1, [UnderWay("trials/2", 8.0, 0.0, 0.4)])[0] == 12


def test_nothing_is_told_while_only_the_short_ones_have_ended():
    found = taken(*((f"trials/{n}", "complete", 1.0) for n in range(3)))
    assert found.left({}, 100, 4) == (None, "3 trainings have ended, and 4 run at once")
    assert found.left({}, 100, 3)[0] == pytest.approx(97 / 3)
    assert found.left({}, 6, 64)[0] == 1  # three are left
    assert found.left({}, 100, 0) == (None, "no worker is there")


def test_what_is_of_no_known_kind_counts_as_a_whole_training():
    assert taken(("trials/0", "complete", 10.0)).left({}, 4, slots=1)[0] == 30
    assert taken(("trials/0", "complete", 10.0)).left({"trials": 2}, 4, slots=1)[0] == 30


def test_nothing_is_told_before_a_whole_training_or_after_the_last():
    assert taken(("trials/0", "stopped", 4.0)).left({}, 4, 1)[0] is None
    assert taken(("references/0", "complete", 4.0)).left({}, 4, 1)[0] is None
    assert taken(("trials/0", "complete", 4.0)).left({}, 1, 1) == (None, "")


def test_the_progress_line_tells_what_status_tells(make_study):
    study = make_study(trials=8, finalists={"top": 2, "seeds": 3}, baselines=[{"blocks": ["conv"]}])
    study.baseline(0, 0.6)
    for number in range(3):
        state = "complete" if number else "stopped"
        study.trial(number, 0.9, state=state, seconds={"total": 20.0 + 100 * number})
    counts = {"trials": 8, "baselines": 1, "finalists": 9}
    progress = {"schema_version": 1, "total": 18, "slots": 3, "by_folder": counts}
    write_json_atomically(study.folder / "progress.json", progress)
    terminal = Terminal(Console(file=io.StringIO()), 18, "val/accuracy", "max", lambda: 3)
    terminal.expect(18, counts)
    for key in ("baselines/00", *(f"trials/{n:04d}" for n in range(3))):
        terminal.finished(read_spec(study.folder, key), read_result(study.folder, key), "")
    seconds = Watcher(study.folder).look().seconds_left
    assert seconds == pytest.approx((5 * 120 + 9 * (120 + 220 + 21.8) / 3) / 3)
    assert terminal._left() == "about 9 min left"
