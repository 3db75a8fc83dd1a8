"""The process of the W&B mirror: writes a study's runs from its folder.

``python -m search.reporting.wandb.mirror STUDY_FOLDER`` reads JSON lines, ``{"run":
"trials/0007"}``, and at the end ``{"finish": true}``. It writes one W&B run for each, then one
``study`` run with the ranked table and the ``leaderboard`` artifact. It can be late, fail or be
killed: the search never waits for it, and what it missed is mirrored at the end or the next time.
``wandb_mirrored.txt`` remembers what is written; it and the ``wandb`` folder may be deleted at any
time.
"""

import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import DamagedFileError
from search.records.runs import RunResult, RunSpec, iter_runs, read_run
from search.records.settings import read_study
from search.reporting.wandb.content import config, harmless, history, run_id, summary
from search.reporting.wandb.run import start_run
from search.settings.wandb import place

MIRRORED_FILE = "wandb_mirrored.txt"


class _Mirror:
    """Writes W&B runs from a study's folder; lives in the process of its own."""

    def __init__(self, study_folder: Path) -> None:
        self.folder = study_folder
        self.settings = read_study(study_folder)
        self.study = self.settings.name
        self.place = place(self.settings.wandb, self.study, study_folder)
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
        run = start_run(
            self.place,
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
        run.finish(exit_code=1 if result.state in ("infeasible", "failed") else 0)

    def _mirror_study(self) -> None:
        """One run for the whole: its table, its sentences, and its files as an artifact."""
        from search.reporting.wandb.summary import summary_of  # scipy: not while workers start

        report = summary_of(self.folder)
        invocation = 1 + sum(line.startswith("study ") for line in self.done)
        local = ("wandb", "storage", "folder", "workers", "objective")
        options = {
            name: value for name, value in self.settings.to_dict().items() if name not in local
        }
        run = start_run(
            self.place,
            id=run_id(self.study, "study", invocation, self.mark),
            name=f"study {self.study}",
            job_type="study",
            notes="\n".join(report.sentences),
            config={**report.objective, **harmless(options)},
        )
        import wandb

        table = wandb.Table(list(report.columns), report.rows, allow_mixed_types=True)
        run.log({report.name: table})
        run.summary.update(report.entries)
        artifact = wandb.Artifact(report.name, type=report.name, metadata={"study": self.study})
        with tempfile.TemporaryDirectory() as folder:
            report.write(Path(folder))
            for file in sorted(Path(folder).iterdir()):
                artifact.add_file(str(file))
        run.log_artifact(artifact, aliases=["latest"])
        run.finish()
        self._remember(f"study {invocation}")

    def _remember(self, line: str) -> None:
        path = self.folder / MIRRORED_FILE
        # a line that a kill has torn must not swallow the next one
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + line + "\n")
        self.done.add(line)


def main(arguments: Sequence[str]) -> int:
    """Read messages until ``finish`` or the end of the input, and mirror."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(AttributeError, OSError):
        os.nice(10)  # trainings come first
    folder = Path(arguments[0])
    # W&B's own process would inherit the pipe and keep it open after our death
    messages = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    try:
        mirror = _Mirror(folder)
        for line in messages:
            message = json.loads(line)
            if message.get("finish"):
                mirror.finish()
                break
            mirror.mirror(message["run"])
    except InputError as error:  # damage in the folder: one line in the log
        print(f"the mirror ends: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
