"""The door without its imports: a process that has imported all forks each study for tests.

A study's process takes seconds to import what it needs and its workers' server more, and tests ask
for dozens of studies. Here `search.execution.fork_server` imports both once. What it forks runs a
command of the door, from the first line on, in a process and a session of its own, so that tests
can kill it; the workers' server of that study is forked, too.

The server imports this module; ``Doors`` in conftest.py is its client.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import search.cli.main
import search.execution.training_job
import search.launch.comparison
import search.launch.dry_run_comparison
import search.launch.dry_run_study
import search.launch.study  # noqa: F401
from hybrid_swin.profiling import timing
from search.execution import fork_server, forked_workers, worker

DOOR = Path(__file__).parents[2] / "search.py"
os.fsync = lambda descriptor: None  # no test cuts the power
timing._LEAST_SECONDS = 0.001  # of a sample of a latency: nobody compares latencies here
ARGUMENTS = "ARGUMENTS_OF_THE_DOOR"


def open_door(pipe):
    """In the forked process, in the place of a worker's work: run the command."""
    os.close(pipe)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores all three
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [place for place in added if place and place not in sys.path]
    sys.argv = [str(DOOR), *json.loads(os.environ.pop(ARGUMENTS))]
    sys.stdout.reconfigure(line_buffering=True)
    forked_workers.subprocess = SimpleNamespace(**vars(subprocess) | {"Popen": ForkedServer})
    from search.cli.door import main

    code = main()
    atexit._run_exitfuncs()  # the server's children end without
    raise SystemExit(code)


class ForkedServer:
    """The workers' server of such a study, as `subprocess.Popen` shows it."""

    def __init__(self, command, *, pass_fds, env, **_):
        self.returncode = None
        self.pid = os.fork()
        if self.pid:
            return
        code = 1
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            Path("/proc/self/comm").write_text("fork_server")
            os.environ.clear()
            os.environ.update(env)
            worker.main = workers_work
            code = fork_server.main([str(pass_fds[0]), str(os.getppid())])
        finally:
            os._exit(code)

    def poll(self):
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self):
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


workers_work, worker.main = worker.main, open_door
