"""The coordinator's side of the W&B mirror: starts its process and tells it what has ended."""

import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.processes import python_command, python_environment
from search.execution.bounded_log import BoundedLog, Pump
from search.records.settings import read_study
from search.settings.wandb import place

LOG_FILE = "wandb_mirror.log"

_MOMENT, _LOOK_AGAIN = 1.5, 0.1  # seconds

_log = logging.getLogger(__name__)


class WandbBoard:
    """Starts the mirror of one study and tells it what has ended; never blocks, never raises.

    Args:
        study_folder: a folder with its ``settings.yaml``; mode ``disabled`` there starts nothing.
    """

    def __init__(self, study_folder: Path) -> None:
        self._folder = study_folder
        self._process: subprocess.Popen[bytes] | None = None
        self._warned = self._told_to_finish = self._closing = False
        try:
            settings = read_study(study_folder)
            if place(settings.wandb, settings.name, study_folder).mode != "disabled":
                self._process = _start(study_folder)
        except (OSError, InputError) as error:
            self._warn(f"it did not start ({error})")

    def notify(self, key: str) -> None:
        """Say that the run of this key has ended.

        This is a hint only: at the end the mirror reads the whole folder, so that a full pipe may
        drop it.
        """
        self._send({"run": key})

    def finish(self) -> None:
        """Let the mirror begin to write what is left; `close` waits for it."""
        self._told_to_finish = self._told_to_finish or self._send({"finish": True})

    def close(self, timeout: float = 60.0, say: Callable[[str], None] = lambda text: None) -> None:
        """Let the mirror write what is left, at most ``timeout`` seconds, then stop it.

        ``say`` is told what is waited for, where it takes longer than a moment.
        Ctrl-C ends the waiting: the study is complete, and its mirror is so at the next start.
        """
        process, self._closing = self._process, True
        if process is None:
            return
        try:
            self._wait(process, timeout, say)
        except KeyboardInterrupt:
            self._warn("waiting for it was interrupted")
        _stop(process)
        self._process = None

    def _wait(
        self, process: "subprocess.Popen[bytes]", timeout: float, say: Callable[[str], None]
    ) -> None:
        begin = time.monotonic()
        quiet = timeout < _MOMENT
        while True:
            self.finish()  # a full pipe means that the mirror is behind
            waited = time.monotonic() - begin
            if not quiet and waited > _MOMENT:
                quiet = True
                say(
                    f"waiting for W&B, at most {timeout:g} s; all results are saved, and Ctrl-C "
                    "ends the waiting"
                )
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(min(_LOOK_AGAIN, max(0.0, timeout - waited)))
                if code != 0:
                    self._warn(f"it ended with code {code}")
                return
            if waited >= timeout:
                self._warn(f"it was stopped after {timeout:g} s")
                return

    def _send(self, message: dict[str, Any]) -> bool:
        if self._process is None or self._process.stdin is None:
            return False
        try:
            # one line is far below PIPE_BUF: it is written whole or not at all
            os.write(self._process.stdin.fileno(), json.dumps(message).encode() + b"\n")
        except BlockingIOError:
            return False
        except OSError:
            self._warn("it died")
            return False
        return True

    def _warn(self, what: str) -> None:
        if not self._warned:
            log = self._folder / LOG_FILE
            _log.warning(
                "W&B mirror: %s; %s, and what W&B lacks is mirrored when the study is started "
                "again%s",
                what,
                "every result is saved" if self._closing else "the study goes on without it",
                f"; its output: {log}" if log.is_file() else "",
            )
        self._warned = True


def _start(study_folder: Path) -> subprocess.Popen[bytes]:
    # a user's resume or run id is meant for one run, and would make all of ours that one
    own = ("WANDB_RUN_ID", "WANDB_RESUME", "WANDB_NAME", "WANDB_NOTES", "WANDB_JOB_TYPE")
    environment = python_environment(OMP_NUM_THREADS="1")
    environment = {name: value for name, value in environment.items() if name not in own}
    output = Pump(BoundedLog(study_folder / LOG_FILE))
    try:
        process = subprocess.Popen(
            python_command("search.reporting.wandb.mirror", str(study_folder)),
            stdin=subprocess.PIPE,
            stdout=output.writer,
            stderr=output.writer,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the search: the mirror is told by its pipe
        )
    finally:
        os.close(output.writer)
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and W&B's own, which share a session."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(OSError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(2.0)
                break
