"""Python processes of our own, and where they and we look for modules.

The rule, in every process: the standard library and installed packages come as Python finds them;
``hybrid_swin`` and ``search`` come from the folder that holds this file, whatever else has these
names; the working folder and the script's folder are not searched at all, until a data module of
the user's own (``data.class_path``) is imported, and then behind everything else.

A new process runs this file as a script, ``python -P processes.py PLACES MODULE ARGUMENTS``. So
at the top it imports only what Python itself has loaded by then.
"""

import os
import sys

TYPE_CHECKING = False  # that of typing is imported with a dozen modules
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_PACKAGES = ("hybrid_swin", "search")
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_last: list[str] = []  # the folders that come last, as they were when the door was opened


def arrange_imports() -> None:
    """Put the rule into force in this process. A door calls it before it imports anything else."""
    path, last = _sorted_out()
    sys.path[:], _last[:] = path, last
    sys.meta_path.insert(0, _Ours())


def end_if_interrupted() -> None:
    """Until `exit_code` runs a command, Ctrl-C, SIGTERM and SIGHUP end it with one line."""
    import signal

    for number, unset in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == unset:  # nohup, and a shell's &, have them ignored
            signal.signal(number, end_interrupted)


def end_interrupted(*_: object) -> None:
    """End this process, in which nothing has begun; a traceback through imports helps nobody."""
    try:
        os.write(2, b"interrupted\n")
    except OSError:
        pass  # its terminal has gone
    finally:
        os._exit(130)


def import_from_working_folder() -> None:
    """From now on also find modules in the working folder, behind all others."""
    if any(isinstance(finder, _Last) for finder in sys.meta_path):
        return
    sys.meta_path.append(_Last())
    import multiprocessing

    if multiprocessing.get_all_start_methods()[0] != "fork":
        sys.path.extend(_folders_behind())  # all that a spawned process takes over


def finders_with_working_folder() -> "list[Any]":
    """What would find modules after `import_from_working_folder`, without doing that."""
    there = any(isinstance(finder, _Last) for finder in sys.meta_path)
    return [*sys.meta_path, *([] if there else [_Last()])]


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours as ``__main__`` in a new process."""
    import json

    places = json.dumps(import_places())
    return [sys.executable, "-P", os.path.abspath(__file__), places, module, *arguments]


def import_places() -> "dict[str, list[str]]":
    """Where a new process looks for modules by the rule: first, and last."""
    path, last = _sorted_out()
    return {"path": path, "last": _last or last}


def take_places(places: "dict[str, list[str]]") -> None:
    """Look for modules where another process's `import_places` says."""
    sys.path[:], _last[:] = places["path"], places["last"]


def python_environment(**changes: str) -> dict[str, str]:
    """This process's environment for a new one, in which nothing leads to the working folder.

    An empty entry of PYTHONPATH means the working folder, and would come before the standard
    library. PYTHONSAFEPATH is for the processes that libraries start in turn.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    given = environment.pop("PYTHONPATH", "").split(os.pathsep)
    kept = [os.path.abspath(entry) for entry in given if not _is_working_folder(entry)]
    if kept:
        environment["PYTHONPATH"] = os.pathsep.join(kept)
    return environment | changes


def how_it_ended(code: int) -> str:
    """What became of a process, by its exit code, which is negative for a signal."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


class _Ours:
    """Finds our own packages beside this file."""

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The spec of one of our packages; None for every other module."""
        return _find(name, [_ROOT]) if name in _PACKAGES else None


class _Last:
    """Finds what nothing else has found, in the folders that come last."""

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The spec of a top-level module there; None if there is none."""
        return _find(name, _folders_behind()) if path is None else None


def _find(name: str, folders: list[str]) -> "ModuleSpec | None":
    from importlib.machinery import PathFinder

    return PathFinder.find_spec(name, folders)


def _folders_behind() -> list[str]:
    return _last or _working_folder()


def _working_folder() -> list[str]:
    try:
        return [os.getcwd()]
    except OSError:  # it has been removed
        return []


def _is_working_folder(entry: str) -> bool:
    return not entry or os.path.realpath(entry) in map(os.path.realpath, _working_folder())


def _sorted_out() -> tuple[list[str], list[str]]:
    """``sys.path`` without the working folder and the script's; and these two.

    What Python and ``.pth`` files have put behind the standard library stays.
    """
    library = os.path.dirname(os.path.abspath(os.__file__))
    end = sys.path.index(library) if library in sys.path else len(sys.path)
    path, last = [], _working_folder()
    with_script = not sys.flags.safe_path and not _is_arranged()
    for index, entry in enumerate(sys.path):
        of_script = with_script and index == 0
        if index < end and (of_script or _is_working_folder(entry)):
            if entry and os.path.abspath(entry) not in last:
                last.append(os.path.abspath(entry))
        elif entry:
            path.append(os.path.abspath(entry))
    return path, last


def _is_arranged() -> bool:
    return any(type(finder).__name__ == _Ours.__name__ for finder in sys.meta_path)


def _run() -> None:
    """What the new process does."""
    _, places, module, *arguments = sys.argv
    sys.meta_path.insert(0, _Ours())
    import json
    import runpy

    state = json.loads(places)
    sys.path[:], sys.argv[1:] = state["path"], arguments
    from hybrid_swin.system import processes

    processes._last[:] = state["last"]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _run()
