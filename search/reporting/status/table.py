"""How a study stands, for a terminal."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group as Lines
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors.plain_text import unbroken
from hybrid_swin.system.program import door
from search.reporting.status.run_scan import Failure
from search.reporting.status.status import Status, Training
from search.statistics.formatting import counted, score_text, score_unit, seconds_text

_STATES = ("complete", "stopped", "diverged", "infeasible", "failed")
_FAILURES, _REASONS, _NODES, _RUNS = 5, 4, 32, 40  # shown
_ESTIMATED = ("audits", "random", "finalists")  # which the search decides


def render(status: Status) -> Lines:
    """Everything, top to bottom."""
    parts: list[Table | Text] = [Text(f"{status.name}: {_activity(status)}", "bold"), _sums(status)]
    if status.groups:
        parts += [Text(), _groups(status)]
    if status.training or status.nodes:
        parts += [Text(), *_at_work(status)]
    if status.why_waiting and status.activity != "not running":
        what = f"{counted(len(status.waiting), 'run')} waiting" if status.waiting else "waiting"
        parts.append(Text(f"{what}: {status.why_waiting}"))
    parts += [Text(line, "red") for line in status.damaged]
    if status.failures or status.unreadable:
        parts += [Text(), *_failures(status)]
    if status.last:
        parts += [Text(), Text("last results", "bold"), _last(status)]
    if status.best is not None:
        parts += [Text(), _best(status)]
    return Lines(*parts)


def render_list(statuses: Sequence[Status]) -> Table:
    """Several studies, a line each."""
    table = _grid(columns=6)
    for status in statuses:
        of = "" if status.total is None else f"/{'about ' * status.about}{status.total}"
        left = status.seconds_left if status.activity == "running" else None
        table.add_row(
            Path(status.folder).name,
            status.kind,
            status.activity,
            f"{status.ended}{of} runs",
            "" if left is None else f"about {seconds_text(left)} left",
            "" if status.best is None else f"best run {_score(status.best.score, status)}",
        )
    return table


def what_it_found(status: Status) -> str:
    """The command that shows it, for a line that is not wrapped; empty while there is nothing."""
    if status.activity != "finished":
        return ""
    return f"\nwhat it found:\n{door()} leaderboard {shlex.quote(status.folder)}"


def _activity(status: Status) -> str:
    where = f" on host {status.host}" if status.host else ""
    who = "" if status.process is None else f" by process {status.process}{where}"
    if status.activity == "running":
        waits = status.total is not None and status.ended >= status.total
        return f"running{who}" + (", which writes the results" if waits else "")
    if status.activity == "unknown":
        return f"unknown whether it is running (last{who})" if who else "unknown if it is running"
    if status.activity == "not running":
        return "not running on this machine; the same command continues it"
    return status.activity


def _sums(status: Status) -> Text:
    of = "" if status.total is None else f" of {'about ' * status.about}{status.total}"
    text = f"{status.ended}{of} runs ended"
    if status.training_seconds:
        text += f" in {seconds_text(status.training_seconds)} of training, summed over workers"
    if status.total is not None and status.ended < status.total:
        text += f"; {'about ' * status.about}{status.total - status.ended} left"
        if status.seconds_left is not None:
            text += f", about {seconds_text(status.seconds_left)}"
        text += f" ({status.basis})"
    return Text(text)


def _groups(status: Status) -> Table:
    table = _grid()
    rare = any("infeasible" in group.states for group in status.groups.values())
    states = [state for state in _STATES if rare or state != "infeasible"]
    table.add_row("", *(Text(word, "dim") for word in ("ended", *states)))
    for kind, group in status.groups.items():
        about = "about " * (status.about and kind in _ESTIMATED)
        of = "" if group.expected is None else f"/{about}{group.expected}"
        counts = [str(group.states[state]) if state in group.states else "-" for state in states]
        table.add_row(kind, f"{group.ended}{of}", *counts)
    return table


def _at_work(status: Status) -> list[Table | Text]:
    """Each machine with its slots, and what is trained there; then what is trained elsewhere."""
    title = "being trained" if status.activity == "running" else "were being trained"
    runs = {run.key: run for run in status.training}
    if len(runs) > _RUNS:
        title += f": {counted(len(runs), 'run')}; --format json lists them"
        runs = {}
    parts: list[Table | Text] = [Text(title, "bold")] if status.training else []
    for node in status.nodes[:_NODES]:
        slots = f"{node.busy} of {counted(node.slots, 'slot')} busy, {node.idle} idle"
        parts.append(Text.assemble((unbroken(node.name), "bold"), f"  {slots}"))
        parts += _training(status, [runs.pop(key) for key in node.running if key in runs])
    if left := status.nodes[_NODES:]:
        more, busy = counted(len(left), "more machine"), sum(node.busy for node in left)
        room = counted(sum(node.slots for node in left), "slot")
        parts.append(Text(f"{more}: {busy} of {room} busy"))
    return parts + _training(status, list(runs.values()))


def _training(status: Status, runs: Sequence[Training]) -> list[Table | Text]:
    if not runs:
        return []
    table = _grid([run.key for run in runs], columns=6)
    for run in runs:
        epoch = "starting" if run.epoch is None else f"epoch {run.epoch}/{run.epochs}"
        score = "" if run.score is None else f"{status.monitor} {_score(run.score, status)}"
        since = f"for {seconds_text(run.seconds)}" if status.activity == "running" else ""
        where = run.worker if status.nodes or not run.node else f"{run.worker} on {run.node}"
        place = Text(unbroken(where), "dim")
        table.add_row(run.key, _plain(run.label), epoch, score, since, place)
    return [table]


def _last(status: Status) -> Table:
    table = _grid([run.key for run in status.last], columns=6)
    for run in status.last:
        score = _score(run.score, status)
        ago = f"{seconds_text(run.ago)} ago"
        table.add_row(run.key, _plain(run.label), score, f"{run.epochs} epochs", run.state, ago)
    return table


def _failures(status: Status) -> list[Text]:
    lines = [
        Text(f"{failure.key}, attempt {failure.attempt}{_on(failure)}: {failure.error}", "yellow")
        for failure in status.failures[-_FAILURES:]
    ]
    count = len(status.failures)
    reasons = [f"{number} {reason}" for reason, number in status.lost.items()]
    if len(reasons) > _REASONS:
        others = sum(list(status.lost.values())[_REASONS:])
        reasons = [*reasons[:_REASONS], f"{others} for other reasons"]
    more = f"; the last {_FAILURES}:" if count > _FAILURES else ""
    head = f"{counted(count, 'attempt')} lost: {', '.join(reasons)}{more}"
    unread = [Text(f"{key}: result.json unreadable", "red") for key in status.unreadable]
    return [Text(head, "bold")] * (count > 0) + lines + unread


def _on(failure: Failure) -> str:
    return f" on {unbroken(failure.node)}" if failure.node else ""


def _best(status: Status) -> Text:
    best = status.best
    if best is None or best.score is None:
        return Text()
    score = _score(best.score, status)
    head = f"best of {status.best_of} single runs so far: {status.monitor} {score}"
    warning = "One run's score flatters, the best of many most: only rows retrained tell."
    return Text.assemble((head, "green"), f" {best.label} ({best.key}). {warning}")


def _score(value: float | None, status: Status) -> str:
    unit = "" if value is None else score_unit(status.monitor)
    return score_text(value, status.monitor) + unit


def _plain(text: str) -> Text:
    """A user's words: no markup, no control codes."""
    return Text(unbroken(text), "cyan")


def _grid(keys: Sequence[str] = (), columns: int = 1) -> Table:
    """Columns of which nothing is cut: where room is short, texts are broken.

    Only ``keys`` in the first column, which are to be copied, stand whole.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    for place in range(columns):
        table.add_column(no_wrap=not place and bool(keys), overflow="fold")
    table.columns[0].min_width = max(map(len, keys), default=None)
    return table
