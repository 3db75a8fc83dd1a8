"""A worker process: imports once, then does one job after another until its pipe closes.

It is forked by a server that has imported all (``fork_server``), or started as
``python -m search.execution.worker FD``, with the file descriptor of a duplex pipe. A further word,
``rank``, says that its coordinator is a worker (``ranks``). Jobs come in
and events go out as JSON. What a job achieves it writes into its attempt's folder; the event only
says that it is there.
"""

import gc
import json
import os
import queue
import signal
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hybrid_swin.system.forks import close_in_children
from search.execution.job import Job
from search.execution.ranks import LOST_ANOTHER, Ranks, die_with_parent

_LONGEST_TRACEBACK = 2**16  # characters that are kept; a message may hold a whole tensor


class Channel:
    """The worker's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._pipe: Connection[Any, Any] = Connection(descriptor)
        close_in_children(self._pipe)  # those that load images
        self._one_at_a_time = threading.Lock()
        self.jobs: queue.Queue[Job] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, kind: str, job: Job | None = None, **data: Any) -> None:
        """Send an event. Ends the worker where the coordinator is gone."""
        about = {} if job is None else {"key": job.key, "attempt": job.attempt, "data": data}
        try:
            with self._one_at_a_time:
                self._pipe.send_bytes(json.dumps({"kind": kind, **about}).encode())
        except OSError:
            os._exit(0)

    def _listen(self) -> None:
        code = 1  # whatever else ends this thread, a worker that cannot hear must not stay
        try:
            while True:
                self.jobs.put(Job(**json.loads(self._pipe.recv_bytes())))
        except (EOFError, OSError):
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            # At once, also from the middle of a training: nobody waits for it any more, and what
            # it has written so far is whole.
            sys.stderr.flush()
            os._exit(code)


def main(descriptor: int) -> None:
    """Serve jobs for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator
    # So are SIGTERM, which schedulers send to all, and the end of its terminal; what a job starts
    # in turn shall end by them.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    channel = Channel(descriptor)
    gc.disable()  # imports are faster by a sixth without it
    try:
        import search.execution.training_job  # noqa: F401  # seconds, which the first job shall not wait for
    except Exception as error:
        traceback.print_exc()
        from hybrid_swin.errors.failed_imports import explained_import
        from hybrid_swin.errors.plain_text import described

        explained = explained_import(error)
        message = f"{type(error).__name__}: {explained}" if explained else described(error)
        raise SystemExit(message) from None
    gc.enable()
    channel.say("ready")
    ranks = Ranks()
    while True:
        serve(channel, channel.jobs.get(), ranks)


def serve(channel: Channel, job: Job, ranks: Ranks | None = None) -> None:
    """Do one job, and say what came of it. ``ranks`` are kept from job to job."""
    from hybrid_swin.errors import InputError
    from hybrid_swin.errors.plain_text import (
        LONGEST_ERROR,
        described,
        message_of,
        one_line,
        shortened,
    )
    from hybrid_swin.training.memory import OutOfMemoryError
    from hybrid_swin.training.processes import LostDeviceError
    from search.execution.run_folder import DeletedFolderError, UnfitMachineError
    from search.execution.training_job import do_job

    def other_failed(data: dict[str, Any]) -> None:
        channel.say("failed", job, **data)
        os._exit(1)  # the training waits for that rank, deep in a library

    channel.say("started", job)
    ranks = ranks or Ranks()
    try:
        processes = ranks.begin(job, other_failed)
        do_job(job, lambda data: channel.say("epoch", job, **data), processes)
        ranks.finish()
    except UnfitMachineError as error:
        ranks.give_up()
        channel.say("failed", job, error=message_of(error), unfit_machine=True)
    except InputError as error:
        ranks.give_up()
        channel.say("failed", job, error=message_of(error), input_error=True)
    except BaseException as error:  # also sys.exit() in a plug-in
        cause = error.__context__
        if isinstance(error, SystemExit) and isinstance(cause, KeyboardInterrupt):
            error = cause  # by which Lightning exits
        lost_another = isinstance(error, LostDeviceError)
        ranks.give_up(lost_another)
        report = shortened(traceback.format_exc(), _LONGEST_TRACEBACK)
        report = report.encode(errors="backslashreplace").decode()  # halves of surrogate pairs
        print(report, file=sys.stderr, flush=True)
        with suppress(OSError):  # a full disk
            (Path(job.folder) / "traceback.txt").write_text(report, encoding="utf-8")
        lacks_memory = isinstance(error, OutOfMemoryError)
        is_told = lacks_memory or lost_another or isinstance(error, DeletedFolderError)
        message = message_of(error) if is_told else described(error)
        if isinstance(error, SystemExit):
            message += " (something called sys.exit)"
        about = {"out_of_memory": True} if lacks_memory else {}
        if lost_another:
            about[LOST_ANOTHER] = True
        channel.say("failed", job, error=one_line(message, LONGEST_ERROR), **about)
    else:
        channel.say("done", job)


if __name__ == "__main__":
    if sys.argv[2:] == ["rank"]:
        die_with_parent()
    main(int(sys.argv[1]))
