"""The command `status`: look once, or again and again."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from search.cli.options import StatusOptions
from search.records.nearby import studies_in
from search.reporting.status.status import Status, Watcher, is_study
from search.reporting.status.table import render, render_list, what_it_found

_SECONDS = Range(0, 86_400, open_below=True)


def run(options: StatusOptions) -> int:
    """Print how a study stands; returns the exit code.

    Raises InputError if there is no study, or for a pause that cannot be.
    """
    pause = options.watch
    if pause is not None:
        check_ranges({"--watch": (pause, _SECONDS)})
    folder, console = Path(options.study), Console.for_tables()
    if not is_study(folder) and (names := studies_in(folder)):
        if pause is not None:
            one = shlex.quote(str(folder / names[0]))
            raise InputError(f"--watch looks at one study; give one of {folder}, such as {one}")
        _list([Watcher(folder / name).look() for name in names], options.format, console)
        return 0
    watcher = Watcher(folder)
    status = watcher.look()
    _show(status, options.format, console, again=pause is not None)
    try:
        while pause is not None and status.activity in ("running", "unknown"):
            time.sleep(pause)
            status = watcher.look()
            _show(status, options.format, console, again=True)
    except KeyboardInterrupt:
        pass  # of the looking, not of the study
    return 0


def _list(statuses: Sequence[Status], form: str, console: Console) -> None:
    """All studies of a folder, a line each."""
    if form == "json":
        print_json({"studies": [asdict(status) for status in statuses]})
    else:
        console.print(render_list(statuses))


def _show(status: Status, form: str, console: Console, again: bool) -> None:
    if form == "json":
        print_json(asdict(status), one_line=again)
        return
    if again:
        console.clear()  # nothing where the output is not a terminal
    console.print(render(status), soft_wrap=False)
    if sentence := what_it_found(status):
        console.say(sentence)
    if again and not console.is_terminal:
        console.print()
