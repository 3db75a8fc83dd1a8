"""What a person sees, on a recorded terminal and elsewhere."""

import dataclasses
import io
from types import SimpleNamespace

import pytest

from hybrid_swin.system.console import Console
from search.records.runs import RunResult, RunSpec
from search.reporting import terminal as progress
from search.reporting.terminal import Terminal


def run(number=0, label="w_msa", stage="search"):
    key = f"trials/{number:04d}"
    return RunSpec("s", key, "trial", stage, label, {}, {}, "v", "c", 7)


def ended(score=0.5, state="complete", **changes):
    result = RunResult("k", 1, state, score, epochs=3, seconds={"total": 2.0})
    return dataclasses.replace(result, **changes)


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


class Screen:
    """A view and what it has written."""

    def __init__(self, is_terminal, total=10, mode="max", slots=2, width=100):
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, force_terminal=is_terminal, width=width, color_system=None
        )
        self.view = Terminal(self.console, total, "val/accuracy", mode, lambda: slots)

    @property
    def lines(self):
        return self.file.getvalue().splitlines()

    def shown(self):
        """What stands on the terminal now."""
        console = Console(file=io.StringIO(), width=100, record=True)
        console.print(self.view._live.get_renderable())
        return console.export_text()


@pytest.fixture
def plain(clock):
    return Screen(is_terminal=False)


@pytest.fixture
def terminal(clock):
    return Screen(is_terminal=True)


# Elsewhere than on a terminal


def test_one_line_each_few_seconds_however_many_runs_end(plain, clock):
    with plain.view as view:
        for number in range(8):
            view.started(run(number), "worker-0")
            clock.now += 2.0
            view.finished(run(number), ended(0.5 + 0.05 * number), "worker-0")
    assert plain.lines == [
        "[3/10], best so far 60.0% w_msa (trials/0002), about 7 s left",
        "[6/10], best so far 75.0% w_msa (trials/0005), about 4 s left",
        "[8/10], best so far 85.0% w_msa (trials/0007), about 2 s left",
    ]
    assert "\x1b" not in plain.file.getvalue()


def test_long_trainings_are_heard_of_too(plain, clock):
    plain.view.started(run(), "worker-0")
    for epoch in range(9):
        clock.now += 4.0
        data = {"epoch": epoch + 1, "epochs": 9, "score": 0.25}
        plain.view.epoch(run(), "worker-0", data)
    # after half a minute, since no run has ended
    assert plain.lines == ["[0/10], trials/0000 at epoch 8/9"]


def test_lines_say_what_is_new(plain, clock):
    """The best once, and how far the trainings at work are where none has ended."""
    for worker in range(3):
        plain.view.started(run(worker), f"worker-{worker}")
    clock.now = 6.0
    plain.view.finished(run(2), ended(0.5), "worker-2")
    for epoch in (1, 2):
        clock.now += 40.0
        plain.view.epoch(run(0), "worker-0", {"epoch": epoch, "epochs": 9, "score": 0.25})
    clock.now += 6.0
    plain.view.finished(run(0), ended(0.25), "worker-0")
    assert plain.lines == [
        "[1/10], best so far 50.0% w_msa (trials/0002)",
        "[1/10], trials/0000 at epoch 1/9, trials/0001 starting",
        "[1/10], trials/0000 at epoch 2/9, trials/0001 starting",
        "[2/10], about 7 s left",
    ]


def test_time_that_passes_without_news_gives_lines_too(plain, clock):
    for _ in range(60):
        clock.now += 1.0
        plain.view.tick()
    assert plain.lines == ["[0/10]"] * 2  # one in half a minute


def test_a_run_that_goes_on_elsewhere_is_shown_there_alone(terminal):
    terminal.view.started(run(), "alpha-worker-0")
    terminal.view.started(run(1), "beta-worker-0")
    terminal.view.started(run(), "beta-worker-1")
    assert "alpha-worker-0" not in terminal.shown()
    assert terminal.shown().count("trials/") == 2


def test_lines_grow_rare_as_a_study_grows_long(plain, clock):
    for hour in range(48):
        for minute in range(60):
            clock.now = 3600.0 * hour + 60.0 * minute
            plain.view.epoch(run(), "worker-0", {"epoch": 1, "epochs": 9, "score": 0.25})
    assert 100 < len(plain.lines) < 60 * 12 + 48 * 12  # one in five minutes at most, in the end


def test_what_did_not_complete_is_counted_and_each_reason_said_once(plain, clock):
    for number, state in enumerate(("stopped", "failed", "failed", "diverged", "complete")):
        error = "no memory" if state == "failed" else None
        score = None if state in ("failed", "diverged") else 0.5
        plain.view.finished(run(number), ended(score, state, error=error), "worker-0")
    assert plain.lines == ["trials/0001 w_msa failed: no memory"]
    with plain.view:
        pass
    assert plain.lines[1] == (
        "[5/10] 1 stopped, 1 diverged, 2 failed, best so far 50.0% w_msa (trials/0004), "
        "about 5 s left"
    )


def test_runs_that_had_ended_before_are_counted_in_silence(plain, clock):
    ten = ended(seconds={"total": 10.0})
    for number in range(4):
        plain.view.finished(run(number), ten, "")
    assert plain.lines == []
    plain.view.started(run(4), "worker-1")
    clock.now = 10.0
    plain.view.finished(run(4), ten, "worker-1")
    # What is left is five of ten seconds by two workers.
    assert plain.lines[0].startswith("[5/10], best")
    assert plain.lines[0].endswith(", about 25 s left")


def test_after_the_last_run_nothing_is_left(clock):
    screen = Screen(is_terminal=False, total=1)
    screen.view.started(run(), "worker-0")
    clock.now = 5.0
    screen.view.finished(run(), ended(), "worker-0")
    assert screen.lines == ["[1/1], best so far 50.0% w_msa (trials/0000)"]


def test_fewer_runs_than_it_looked_like(plain, clock):
    plain.view.expect(4)
    for number in range(2):
        plain.view.started(run(number), "worker-0")
        clock.now += 6.0
        plain.view.finished(run(number), ended(seconds={"total": 6.0}), "worker-0")
    assert "left" not in plain.lines[0]  # one has ended where two run at once
    assert plain.lines[1].startswith("[2/4]") and plain.lines[1].endswith("about 6 s left")


def test_an_estimated_number_of_runs_is_said_to_be_one(plain, terminal, clock):
    clock.now = 6.0
    for screen in (plain, terminal):
        screen.view.expect(30, {"trials": 30}, about=True)
        screen.view.finished(run(), ended(), "worker-0")
    assert plain.lines[0].startswith("[1/about 30]")
    assert "1/about 30" in terminal.shown()


def test_a_metric_that_is_no_share_is_no_percentage(clock):
    file = io.StringIO()
    view = Terminal(Console(file=file, width=100), 10, "val/loss", "min", lambda: 1)
    clock.now = 6.0
    view.finished(run(), ended(0.25), "worker-0")
    assert "best so far 0.250 w_msa" in file.getvalue()


LABEL = "conv(kernel=7)[/red][bold] :smile:"


def test_words_are_no_markup(plain, terminal, clock):
    clock.now = 6.0
    plain.view.finished(run(label=LABEL), ended(), "worker-0")
    plain.view.note(f"{LABEL} failed: index [0] of [/x]")
    assert LABEL in plain.lines[0]
    assert plain.lines[1] == f"{LABEL} failed: index [0] of [/x]"
    terminal.view.started(run(label=LABEL), "worker-0")
    terminal.view.finished(run(1, label=LABEL), ended(), "worker-1")
    shown = terminal.shown()
    assert shown.count(LABEL) == 2


def test_long_lines_are_not_broken(plain):
    plain.view.note("word " * 60)
    assert len(plain.lines) == 1


# On a terminal


def test_each_worker_has_a_line(terminal):
    view = terminal.view
    for index in (10, 2):
        view.started(run(index), f"worker-{index}")
    view.epoch(run(2), "worker-2", {"epoch": 2, "epochs": 30, "score": 0.125})
    lines = terminal.shown().splitlines()
    assert lines[0].split() == [
        "worker-2",
        "trials/0002",
        "w_msa",
        "epoch",
        "2/30",
        "val/accuracy",
        "12.5%",
    ]
    assert lines[1].split() == ["worker-10", "trials/0010", "w_msa", "starting"]
    assert "0/10" in lines[2]
    view.finished(run(2), ended(), "worker-2")
    shown = terminal.shown()
    assert "worker-2" not in shown and "worker-10" in shown
    assert "1/10" in shown


def test_an_epoch_without_a_score(terminal):
    terminal.view.started(run(), "worker-0")
    terminal.view.epoch(run(), "worker-0", {"epoch": 1, "epochs": 3, "score": float("nan")})
    assert "val/accuracy nan%" in terminal.shown()


@pytest.mark.parametrize(("mode", "best"), [("max", "70.0%"), ("min", "20.0%")])
def test_the_best_so_far_is_of_the_search(clock, mode, best):
    screen = Screen(is_terminal=True, mode=mode)
    assert "best" not in screen.shown()
    for number, score in enumerate((0.4, 0.7, 0.2, 0.5)):
        screen.view.finished(run(number), ended(score), "worker-0")
    extreme = 0.9 if mode == "max" else 0.1
    screen.view.finished(run(4), ended(extreme, "stopped"), "worker-0")
    screen.view.finished(run(5), ended(None, "failed"), "worker-0")
    screen.view.finished(run(6, stage="final"), ended(extreme), "worker-0")
    number = 1 if mode == "max" else 2
    assert f"best so far: {best} w_msa (trials/000{number})" in screen.shown()


def test_the_time_left_is_told(terminal, clock):
    for number in range(2):
        terminal.view.started(run(number), "worker-0")
        clock.now += 600.0
        terminal.view.finished(run(number), ended(seconds={"total": 600.0}), "worker-0")
    assert "about 40 min left" in terminal.shown()
    terminal.view.started(run(2), "worker-0")
    clock.now += 240.0
    terminal.view.epoch(run(2), "worker-0", {"epoch": 2, "epochs": 5, "score": 0.5})
    assert "about 38 min left" in terminal.shown()


def test_no_more_workers_are_drawn_than_have_room(terminal):
    """Hundreds would push the bar off the screen, and be drawn four times a second."""
    terminal.console.height = 10
    for number in range(200):
        terminal.view.started(run(number), f"worker-{number}")
    lines = terminal.shown().strip().splitlines()
    assert [line.split()[0] for line in lines] == [
        *(f"worker-{n}" for n in range(6)),
        "and",
        "runs",
    ]
    assert lines[6].split() == ["and", "194", "more"]
    for number in range(7, 200):
        terminal.view.finished(run(number), ended(), f"worker-{number}")
    assert "more" not in terminal.shown() and "worker-6" in terminal.shown()


def test_the_display_is_live_and_goes_away(clock):
    screen = Screen(is_terminal=True)
    with screen.view as view:
        view.started(run(), "worker-0")
        view._live.refresh()
        view.note("one thing")
        view.finished(run(), ended(), "worker-0")
    written = screen.file.getvalue()
    assert "worker-0" in written and "one thing" in written
    assert written.endswith("\x1b[1A\x1b[2K") or written.rstrip().endswith("\x1b[2K")
    assert "trials/0000 w_msa: " not in written  # that line is for elsewhere


def test_an_error_ends_the_display_too(clock):
    screen = Screen(is_terminal=True)
    with pytest.raises(KeyboardInterrupt), screen.view:
        raise KeyboardInterrupt
    assert not screen.view._live.is_started
