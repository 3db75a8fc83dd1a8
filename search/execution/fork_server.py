"""The workers' server: a process that imports once, and forks a worker for each request.

It is started as ``python -m search.execution.fork_server FD PID MODULE...`` with one end of a
socket pair and the coordinator's process id. A request is JSON with four file descriptors: the
worker's pipe, its output, its working folder, and a socket on which the server says ``{"pid": n}``
and, when the worker has ended, ``{"code": n}``; the end of that socket kills the worker.

A fork is safe in a process that has one thread, and in which no GPU's driver has begun. So nothing
is computed here, libraries are told to use one thread, and before it serves, the server looks.

Why not multiprocessing's forkserver? Each of its children imports ``__main__`` again, which runs a
notebook's or a script's own code where it has no guard. It looks for modules as its command line
says and not by our rule (``hybrid_swin.system.processes``), is one for the whole program, of which
it is not known what that preloads, and gives a child neither an output nor an environment.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from hybrid_swin.system.processes import take_places

LARGEST = 2**17  # bytes of a message
DESCRIPTORS = 4  # that come with a request
_PATIENCE = 2.0  # seconds for a thread that has been told to end


def main(arguments: Sequence[str]) -> int:
    """Import, then serve until the coordinator is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are for the coordinator
    with socket.socket(fileno=int(arguments[0])) as coordinator:
        life = _life_of(int(arguments[1]))
        gc.disable()  # imports make no rubbish, and are slower by a sixth with it
        with _Watch(coordinator, life):
            for module in arguments[2:]:
                importlib.import_module(module)
        refusal = unsafe()
        coordinator.send(json.dumps({"refused": refusal}).encode())
        if refusal:
            return 1
        _Server(coordinator, life).serve()
    return 0


def _life_of(coordinator: int) -> int:
    """A descriptor that tells of the coordinator's end, where the system has such.

    The end of its socket tells, too, unless a child of the coordinator keeps it open.
    """
    try:
        return os.pidfd_open(coordinator)
    except ProcessLookupError:
        os._exit(0)
    except (AttributeError, OSError):
        return os.pipe()[0]  # never tells


def unsafe() -> str | None:
    """Why this process must not fork; None if it may."""
    end = time.monotonic() + _PATIENCE
    while (threads := len(os.listdir("/proc/self/task"))) > 1 and time.monotonic() < end:
        time.sleep(0.01)  # one that has been joined is there for a moment longer
    if threads > 1 or threading.active_count() > 1:
        return f"it has {threads} threads"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA has begun"
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one of this very listing
            if os.readlink(descriptor).startswith("/dev/nvidia"):
                return "a GPU's driver has begun"
    return None


class _Watch:
    """Ends this process if the coordinator goes while it imports; a thread that ends with that."""

    def __init__(self, coordinator: socket.socket, life: int) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._coordinator, self._life = coordinator, life
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._thread.join()
        self._theirs.close()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._coordinator, 0)  # requests wait; only its end counts
        poll.register(self._life, select.POLLIN)
        poll.register(self._theirs, 0)
        if any(descriptor != self._theirs.fileno() for descriptor, _ in poll.poll()):
            os._exit(0)


class _Server:
    def __init__(self, coordinator: socket.socket, life: int) -> None:
        self._coordinator, self._life = coordinator, life
        self._workers: dict[int, socket.socket] = {}  # by process id
        self._may_fork = True
        self._wake, self._signalled = os.pipe()  # tells of workers that have ended

    def serve(self) -> None:
        """Fork, kill and report until the coordinator is gone; then end all workers."""
        for descriptor in (self._wake, self._signalled):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._signalled)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the default would not wake us
        gc.freeze()  # what is shared with the workers stays so
        while True:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            poll.register(self._life, select.POLLIN)
            # without POLLIN only its end is an event
            poll.register(self._coordinator, select.POLLIN if self._may_fork else 0)
            by_descriptor = {one.fileno(): pid for pid, one in self._workers.items()}
            for descriptor in by_descriptor:
                poll.register(descriptor, select.POLLIN)
            events = dict(poll.poll())
            if self._wake in events:
                with suppress(BlockingIOError):
                    os.read(self._wake, LARGEST)
            for descriptor in by_descriptor.keys() & events.keys():
                with suppress(OSError):
                    self._workers[by_descriptor[descriptor]].recv(LARGEST)  # its end
                _kill(by_descriptor[descriptor])
            self._reap()
            if self._life in events:
                break
            if self._coordinator.fileno() in events and not self._take():
                break
        for pid in self._workers:
            _kill(pid)

    def _reap(self) -> None:
        for pid, control in list(self._workers.items()):
            child, status = os.waitpid(pid, os.WNOHANG)
            if child:
                code = os.waitstatus_to_exitcode(status)
                with suppress(OSError):
                    control.send(json.dumps({"code": code}).encode())
                control.close()
                del self._workers[pid]

    def _take(self) -> bool:
        """Do one request; False when there are no more."""
        message, descriptors, _, _ = socket.recv_fds(self._coordinator, LARGEST, DESCRIPTORS)
        if not message:
            return False
        pipe, output, folder, control_descriptor = descriptors
        control = socket.socket(fileno=control_descriptor)
        poll = select.poll()
        poll.register(control, 0)
        if unsafe():  # by now: the coordinator starts workers by themselves
            self._may_fork = False
            self._coordinator.shutdown(socket.SHUT_RD)
        given_up = poll.poll(0)
        pid = os.fork() if self._may_fork and not given_up else -1
        if pid == 0:
            control.close()
            self._become_worker(json.loads(message), pipe, output, folder)
        for descriptor in (pipe, output, folder):
            os.close(descriptor)
        if pid < 0:
            control.close()
            return True
        self._workers[pid] = control
        with suppress(OSError):  # its end comes next
            control.send(json.dumps({"pid": pid}).encode())
        return True

    def _become_worker(
        self, request: dict[str, Any], pipe: int, output: int, folder: int
    ) -> NoReturn:
        """In the forked process: as if it had been started by itself."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for control in (self._coordinator, *self._workers.values()):
                control.close()
            os.fchdir(folder)
            for stream in (1, 2):
                os.dup2(output, stream)
            for descriptor in (folder, output, self._life, self._wake, self._signalled):
                os.close(descriptor)
            gc.enable()
            for name in request["without"]:
                os.environ.pop(name, None)
            os.environ.update(request["environment"])
            take_places(request["places"])
            _use_threads(request["threads"])
            np.random.seed()  # the other generators do so by themselves, or are never random
            from search.execution.worker import main as work

            work(pipe)
        except SystemExit as end:
            code = _exit_code(end)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)  # it is our child until we have waited for it


def _use_threads(count: int) -> None:
    """What the environment would have told libraries before they were imported."""
    if count == 1:
        return
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    torch.set_num_threads(count)
    threadpool_limits(count)


def _exit_code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
