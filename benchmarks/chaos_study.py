"""The study that faults strike, and what must be so at its end."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.chaos_doors import Doors, Process, marked, session_of

PATIENCE = 240.0  # seconds after which a study is said not to come to its end
_GONE = 20.0  # seconds in which processes may end after a study has
_MOST_STARTS = 4
_FLOAT_ERROR = 1e-4
_LONGEST = 400  # characters of a message
_LEDGERS = ("test_reads.jsonl", "test_reads.begun.jsonl")

SETTINGS: dict[str, Any] = {
    "name": "tiny",
    "data": {"source": "digits", "train_images": 256},
    "variant": {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "mlp_ratio": {"choose": [1.0, 2.0]},
        "stages": [
            {
                "width": {"choose": [8, 16]},
                "depth": 1,
                "num_heads": 2,
                "blocks": {"choose": [["w_msa"], ["sw_msa"], ["w_msa+mdta"], ["conv+w_msa"]]},
            }
        ],
    },
    "recipe": {"epochs": 8, "batch_size": 128, "learning_rate": 0.01, "shift": 1, "drop_path": 0.1},
    "baselines": [{"label": "plain", "blocks": ["w_msa"]}],
    "trials": 7,
    "sampler": {"lookahead": 4, "startup_trials": 3},
    "rungs": {"first": 1, "factor": 2, "audit": 1},
    "finalists": {"top": 1, "seeds": 2, "random": 1},
    "wandb": {"mode": "disabled"},
    "workers": {"count": 1, "checkpoint_seconds": 0.001},
}


@dataclass(frozen=True)
class Calm:
    """What an undisturbed study came to."""

    digest: str
    results: dict[str, Any]  # what runs achieved, by their keys
    trials: list[tuple[int, str]]  # of Optuna: number and state
    draws: dict[str, int]
    reads: list[str]


@dataclass
class Scene:
    """A study in a folder of its own, in which one fault happens."""

    root: Path
    doors: Doors
    settings: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.root / "runs").mkdir(parents=True)
        self.config = self.root / "study.yaml"
        self.config.write_text(yaml.safe_dump(self.settings))

    @property
    def runs(self) -> Path:
        """The folder of the study's folder."""
        return self.root / "runs"

    @property
    def folder(self) -> Path:
        """The study's."""
        return self.runs / str(self.settings["name"])

    def open(self, *arguments: str) -> Process:
        """A command of the door, in the environment of this study."""
        output = self.root / f"output-{len(self.processes)}.txt"
        process = self.doors.open(output, list(arguments), self.environment)
        self.processes.append(process)
        return process

    def run(self, *more: str) -> Process:
        """The study's command."""
        given = ["--config", str(self.config), "--folder", str(self.runs)]
        return self.open("run", *given, *more)

    @property
    def finished(self) -> int:
        """Runs that have ended."""
        return len(results(self.folder))

    def wait_for(self, runs: int, epochs: int, process: Process) -> bool:
        """Wait for so many runs, and then so many checkpoints; False if the process ends first."""
        end = time.monotonic() + PATIENCE
        seen: set[tuple[str, int]] = set()
        while time.monotonic() < end:
            if (self.folder / "lock").exists() and self.finished >= runs:
                for file in self.folder.glob("*/**/attempt-*/last.ckpt"):
                    try:
                        seen.add((str(file), file.stat().st_mtime_ns))
                    except OSError:
                        continue
                if len(seen) >= epochs:
                    return process.code is None
            if process.code is not None:
                return False
            time.sleep(0.003)
        return False

    @property
    def said(self) -> str:
        """All that the study's processes printed, without blanks: lines are wrapped."""
        return "".join("".join(process.text.split()) for process in self.processes)

    def left_behind(self) -> list[int]:
        """Processes that are still there."""
        found = {pid for process in self.processes for pid in session_of(process.pid)}
        return sorted(found | set(marked(self.root)))

    def close(self) -> None:
        """End everything."""
        for process in self.processes:
            process.kill()


Points = dict[str, Callable[[Scene], list[int]]]  # processes of a study, by what they are


def results(folder: Path) -> dict[str, Path]:
    """Files of the runs that have ended, by their keys."""
    return {
        str(file.parent.relative_to(folder)): file
        for file in folder.glob("*/**/result.json")
        if not file.parent.name.startswith("attempt-")
    }


def achieved(folder: Path) -> dict[str, Any]:
    """What runs came to, without what a clock or a memory gauge measured."""
    names = ("state", "score", "epochs", "history", "rungs", "metrics", "test", "micro_batch")
    found = {}
    for key, file in results(folder).items():
        result = json.loads(file.read_text())
        found[key] = {name: _untimed(result.get(name)) for name in names}
    return found


def calm(scene: Scene) -> Calm:
    """Run a study undisturbed. Raises RuntimeError if it does not end well."""
    process = scene.run()
    if process.wait(PATIENCE) != 0:
        raise RuntimeError(process.text[-2000:])
    folder = scene.folder
    receipt = json.loads((folder / "receipt.json").read_text())
    board = json.loads((folder / "leaderboard.json").read_text())
    return Calm(
        board["digest"], achieved(folder), optuna_trials(scene), receipt["draws"], reads(folder)
    )


def complaints(scene: Scene, expected: Calm, odd: str = "", why: tuple[str, ...] = ()) -> list[str]:
    """What is not as it must be at the end; ``odd`` is a row that must have failed, and say why."""
    folder, found = scene.folder, []
    board = json.loads((folder / "leaderboard.json").read_text())
    if not odd and board["digest"] != expected.digest:
        found.append(f"digest {board['digest'][:8]}, not {expected.digest[:8]}")
    found += _other_results(scene, expected, odd)
    if odd:
        found += _odd_results(folder, odd, why)
    receipt = json.loads((folder / "receipt.json").read_text())
    if receipt["draws"] != expected.draws:
        found.append(f"draws {receipt['draws']}, not {expected.draws}")
    trials = optuna_trials(scene)
    if trials != expected.trials:
        found.append(f"Optuna's trials are {trials}, not {expected.trials}")
    found += _readings(scene, expected, odd)
    found += [f"left: {file.relative_to(scene.root)}" for file in scene.root.rglob(".*.tmp")]
    said = scene.said
    found += [
        f"{file.relative_to(folder)} was not said"
        for file in folder.rglob("*.torn")
        if file.name not in said
        and not ("(*.torn)" in said and f"{_run_of(file, folder)}/" in said)
    ]
    return found + messages(scene)


def messages(scene: Scene) -> list[str]:
    """What is wrong with how processes ended, and what they said then."""
    found = []
    for number, process in enumerate(scene.processes):
        text, code = process.text, process.code
        where = f"start {number} ({process.command})"
        if "Traceback" in text:
            found.append(f"{where}: a traceback: {text.strip().splitlines()[-1][:200]}")
        if not process.struck and code not in (0, 2, 130):
            found.append(f"{where}: exit code {code}")
        errors = [line for line in text.splitlines() if line.startswith("error: ")]
        if code == 2 and len(errors) != 1:
            found.append(f"{where}: {len(errors)} messages at exit code 2")
        if any(len(line) > _LONGEST for line in errors):
            found.append(f"{where}: a message of {max(map(len, errors))} characters")
        if code == 130 and not any("interrupted" in line for line in text.splitlines()):
            found.append(f"{where}: exit code 130 without a word")
    return found


def wait_until_gone(scene: Scene) -> list[str]:
    """What is wrong with processes that stay."""
    end = time.monotonic() + _GONE
    while (left := scene.left_behind()) and time.monotonic() < end:
        time.sleep(0.1)
    return [f"processes were left: {left}"] if left else []


def optuna_trials(scene: Scene) -> list[tuple[int, str]]:
    """Number and state of each of Optuna's trials."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage: Any = scene.settings.get("storage")
    if storage is None:
        backend = JournalFileBackend(str(scene.folder / "optuna.journal"))
        storage = optuna.storages.JournalStorage(backend)
    trials = optuna.load_study(study_name=str(scene.settings["name"]), storage=storage).trials
    return [(trial.number, trial.state.name) for trial in trials]


def reads(folder: Path) -> list[str]:
    """Keys of the readings of the test split, of the study's own ledger and of that beside it."""
    found = set()
    for ledger in (folder / _LEDGERS[0], folder.parent / _LEDGERS[0]):
        found |= set(_keys(ledger))
    return sorted(found)


def _run_of(file: Path, folder: Path) -> str:
    """The run to which a file in its folder, or in an attempt's, belongs."""
    place = file.parent
    return str((place.parent if place.name.startswith("attempt-") else place).relative_to(folder))


def _keys(ledger: Path) -> list[str]:
    if not ledger.exists():
        return []
    keys = []
    for line in ledger.read_text(errors="replace").splitlines():
        try:
            keys.append(str(json.loads(line)["key"]))
        except (ValueError, TypeError, KeyError):
            continue
    return keys


def _readings(scene: Scene, expected: Calm, odd: str) -> list[str]:
    found = []
    for ledger in (scene.folder / _LEDGERS[0], scene.runs / _LEDGERS[0]):
        twice = [key for key, times in Counter(_keys(ledger)).items() if times > 1]
        if twice:
            found.append(f"readings twice in {ledger.name}: {twice}")
    known = reads(scene.folder)
    known = [key for key in known if key in expected.reads] if odd else known
    if known != expected.reads:
        lost = sorted(set(expected.reads) - set(known))
        found.append(f"readings lost: {lost}; too many: {sorted(set(known) - set(expected.reads))}")
    return found


def _other_results(scene: Scene, expected: Calm, odd: str) -> list[str]:
    found, known = [], achieved(scene.folder)
    for key in sorted(known.keys() | expected.results.keys()):
        if key not in known:
            found.append(f"{key} is lost")
        elif key not in expected.results:
            run = json.loads((scene.folder / key / "run.json").read_text())
            if not odd or run["label"] != odd:
                found.append(f"{key} is one too many")
        elif not _same(known[key], expected.results[key]):
            found.append(f"{key} is another result ({known[key]['state']})")
    return found


def _same(result: Any, expected: Any) -> bool:
    """Equal; within float error where memory was short, and batches were taken in parts."""
    if result["micro_batch"] == expected["micro_batch"]:
        return bool(result == expected)
    names = result.keys() - {"micro_batch"}
    return all(_close(result[name], expected[name]) for name in names)


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, abs_tol=_FLOAT_ERROR)
    return bool(one == other)


def _odd_results(folder: Path, odd: str, why: tuple[str, ...]) -> list[str]:
    """What is wrong with the runs that had to fail."""
    found, seen = [], False
    for key, file in results(folder).items():
        if json.loads((folder / key / "run.json").read_text())["label"] != odd:
            continue
        result, seen = json.loads(file.read_text()), True
        error = str(result["error"] or "")
        if result["state"] not in ("failed", "diverged"):
            found.append(f"{key} has {result['state']}")
        if not error or (why and not any(word in error for word in why)):
            found.append(f"{key} says {error[:200]!r}, not {why}")
    return found if seen else [f"no run of {odd}"]


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _untimed(v) for name, v in value.items() if "seconds" not in name}
    return [_untimed(item) for item in value] if isinstance(value, list) else value


def go_on(scene: Scene, start: Any) -> list[str]:
    """Give the same command until it ends well, once more at least."""
    for _ in range(_MOST_STARTS):
        process: Process = start()
        code = process.wait(PATIENCE)
        if code is None:
            stuck = f"did not end within {PATIENCE:.0f} s: {process.text.strip()[-300:]}"
            process.struck = True
            process.kill()
            process.wait(5)
            return [stuck]
        if code == 0:
            return []
    return [f"still exit code {code} after {_MOST_STARTS} starts: {process.text.strip()[-300:]}"]
