"""The W&B mirror of a study: written from its folder, by a process of its own.

The coordinator holds a `WandbBoard` and tells it which runs are finished. The process behind it,
``python -m search.reporting.wandb.mirror STUDY_FOLDER``, reads JSON lines,
``{"run": "trials/0007"}`` and at the end ``{"finish": true}``. It writes one W&B run for each, then
one ``study`` run with the ranked table and the ``leaderboard`` artifact. It can be late, fail or be
killed: the search never waits for it, and what it missed is mirrored at the end or the next time.
``wandb_mirrored.txt`` remembers what is written; it and the ``wandb`` folder may be deleted at any
time.

Besides ``inspection.py`` this is the only file that imports wandb, and only that process does so.
"""

import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import DamagedFileError
from hybrid_swin.system.processes import python_command, python_environment
from search.execution.bounded_log import BoundedLog, Pump
from search.records.runs import RunResult, RunSpec, iter_runs, read_run
from search.records.settings import read_study
from search.settings.experiment import ExperimentSettings
from search.settings.wandb import WandbPlace, place

MIRRORED_FILE = "wandb_mirrored.txt"
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
        self._warned = self._told_to_finish = False
        try:
            settings = read_study(study_folder)
            if _place(settings, study_folder).mode != "disabled":
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

        Ctrl-C ends the waiting: the study is complete, and its mirror is so at the next start.

        Args:
            timeout: seconds to wait.
            say: is told what is waited for, where it takes longer than a moment.
        """
        process = self._process
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
        told = timeout < _MOMENT
        while True:
            self.finish()  # a full pipe means that the mirror is behind
            waited = time.monotonic() - begin
            if not told and waited > _MOMENT:
                told = True
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
            _log.warning(
                "W&B mirror: %s; the study goes on and loses nothing (%s says more); what is "
                "missing is mirrored when the study is started again",
                what,
                self._folder / LOG_FILE,
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


class _Mirror:
    """Writes W&B runs from a study's folder; lives in the process of its own."""

    def __init__(self, study_folder: Path) -> None:
        self.folder = study_folder
        self.settings = read_study(study_folder)
        self.study = self.settings.name
        self.place = _place(self.settings, study_folder)
        path = study_folder / MIRRORED_FILE
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        self.done = set(text.splitlines())
        marks = [line for line in text.splitlines() if line.startswith("mark ")]
        if not marks:
            marks = [f"mark {secrets.token_hex(2)}"]
            self._remember(marks[0])
        self.mark = marks[0].removeprefix("mark ")

    def mirror(self, key: str) -> None:
        """Mirror one run, if it has ended and is not mirrored yet."""
        try:
            spec, result = read_run(self.folder, key)
        except InputError as error:
            print(f"{key} is left out: {error}", file=sys.stderr)
            return
        if result is not None and f"{key} {result.attempt}" not in self.done:
            self._mirror(spec, result)
            self._remember(f"{key} {result.attempt}")

    def finish(self) -> None:
        """Mirror what was missed, then the study: ranked table and leaderboard artifact."""
        damaged: list[DamagedFileError] = []
        for spec, _ in iter_runs(self.folder, damaged):
            self.mirror(spec.key)
        for error in damaged:
            print(f"left out: {error}", file=sys.stderr)
        self._mirror_study()

    def _mirror(self, spec: RunSpec, result: RunResult) -> None:
        from search.reporting.wandb.content import config, history, run_id, summary

        run = self._init(
            id=run_id(self.study, spec.key, result.attempt, self.mark),
            name=f"{spec.label} {spec.key}",
            job_type=spec.kind,
            config=config(spec, self.settings.data.to_dict()),
        )
        run.define_metric("epoch", hidden=True)
        run.define_metric("*", step_metric="epoch")
        for epoch in history(result):
            run.log(epoch)
        # written by hand: define_metric(summary=...) would nest the names
        run.summary.update(summary(spec, result))
        run.finish(exit_code=1 if result.state == "failed" else 0)

    def _mirror_study(self) -> None:
        """One run for the whole: its table, its sentences, and its files as an artifact."""
        from search.reporting.wandb.content import harmless, run_id
        from search.reporting.wandb.summary import summary_of

        found = summary_of(self.folder)
        invocation = 1 + sum(line.startswith("study ") for line in self.done)
        local = ("wandb", "storage", "folder", "workers", "objective")
        asked = {
            name: value for name, value in self.settings.to_dict().items() if name not in local
        }
        run = self._init(
            id=run_id(self.study, "study", invocation, self.mark),
            name=f"study {self.study}",
            job_type="study",
            notes="\n".join(found.sentences),
            config={**found.objective, **harmless(asked)},
        )
        import wandb

        table = wandb.Table(list(found.columns), found.rows, allow_mixed_types=True)
        run.log({found.name: table})
        run.summary.update(found.told)
        artifact = wandb.Artifact(found.name, type=found.name, metadata={"study": self.study})
        with tempfile.TemporaryDirectory() as folder:
            found.write(Path(folder))
            for file in sorted(Path(folder).iterdir()):
                artifact.add_file(str(file))
        run.log_artifact(artifact, aliases=["latest"])
        run.finish()
        self._remember(f"study {invocation}")

    def _init(self, **told: Any) -> Any:
        """`wandb.init`, quiet, and sending nothing of this machine."""
        import wandb

        where = self.place
        mode: Any = where.mode  # `WANDB_MODE` may hold anything: wandb says what it takes
        where.dir.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(  # a new one each time: init writes the run's name into it
            console="off",
            silent=True,
            host="",
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        return wandb.init(
            mode=mode,
            entity=where.entity,
            project=where.project,
            group=where.group,
            tags=list(where.tags),
            dir=str(where.dir),
            settings=settings,
            reinit="finish_previous",
            **told,
        )

    def _remember(self, line: str) -> None:
        path = self.folder / MIRRORED_FILE
        # a line that a kill has torn must not swallow the next one
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + line + "\n")
        self.done.add(line)


def _place(settings: ExperimentSettings, study_folder: Path) -> WandbPlace:
    return place(settings.wandb, settings.name, study_folder)


def main(arguments: Sequence[str]) -> int:
    """Read messages until ``finish`` or the end of the input, and mirror."""
    if len(arguments) != 1:
        print(f"usage: echo '{{\"finish\": true}}' | python -m {__spec__.name} STUDY_FOLDER")
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(AttributeError, OSError):
        os.nice(10)  # trainings come first
    folder = Path(arguments[0])
    # W&B's own process would inherit the pipe and keep it open after our death
    messages = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    try:
        return _serve(folder, messages)
    except InputError as error:  # damage in the folder: one line in the log
        print(f"the mirror ends: {error}", file=sys.stderr)
        return 2


def _serve(folder: Path, messages: Iterable[str]) -> int:
    mirror = _Mirror(folder)
    # W&B keeps copies of artifacts; with the study they are found again by `wandb sync`
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        os.environ.setdefault(name, str(mirror.place.dir / "wandb" / name.split("_")[1].lower()))
    for line in messages:
        message = json.loads(line)
        if message.get("finish"):
            mirror.finish()
            break
        mirror.mirror(message["run"])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
