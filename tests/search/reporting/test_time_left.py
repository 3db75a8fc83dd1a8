import io

import pytest

from hybrid_swin.system.console import Console
from hybrid_swin.system.files import write_json_atomically
from search.records.runs import read_result, read_spec
from search.reporting.status.status import Watcher
from search.reporting.terminal import Terminal
from search.reporting.time_left import TimeTaken


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
    terminal = Terminal(Console(file=io.StringIO()), 18, "val/accuracy", "max", 3)
    terminal.expect(18, counts)
    for key in ("baselines/00", *(f"trials/{n:04d}" for n in range(3))):
        terminal.finished(read_spec(study.folder, key), read_result(study.folder, key), "")
    seconds = Watcher(study.folder).look().seconds_left
    assert seconds == pytest.approx((5 * 120 + 9 * (120 + 220 + 21.8) / 3) / 3)
    assert terminal._left() == "about 9 min left"
