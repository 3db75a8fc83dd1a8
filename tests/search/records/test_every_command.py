"""Every command over damaged folders: one line and exit 2, or all is as it was; never a traceback.

What can be made again is set aside, made again and said; digits that change are said. The messages'
advice is followed: the command that began the folder ends where it had ended.
"""

import itertools
import json
import os
import shutil
from types import SimpleNamespace

import pytest

from hybrid_swin.__main__ import main as train
from hybrid_swin.errors import InputError
from search.cli.main import main
from search.comparison.report import figures as report
from search.launch import dry_run_comparison as rehearsal
from search.launch import dry_run_study as dry_run
from search.launch import study as launch
from search.reporting.wandb.summary import summary_of
from tests.search.records import instant_folders

# On lines of their own, for PyYAML looks back along a line for each bracket of it.
BRACKETS = b'{"schema_version": 1, "variant": ' + b"[\n" * 9000 + b"]\n" * 9000 + b"}"
DAMAGE = {
    "cut": None,
    "nothing in it": b"{}",
    "brackets": BRACKETS,
    "not text": b"\xff\xfe\x00\x81",
    "a folder": None,
}
# Each kind of file; {trial} and {final} are runs, and BESIDE is what lies beside the folder.
FILES = [
    "settings.yaml",
    "study.json",
    "receipt.json",
    "progress.json",
    "looks.jsonl",
    "test_reads.jsonl",
    "{trial}/run.json",
    "{trial}/result.json",
    "{trial}",
    "{final}/run.json",
    "{final}/result.json",
    "{final}/predictions.npz",
    "{final}/validation.npz",
    "{final}/attempt-1/final.ckpt",
    "{final}/attempt-1",
    "{trial}/attempt-foo",
]
OWN = {
    "study": ["finalists.json", "optuna.journal", "leaderboard.json"],
    "comparison": ["plan.json", "comparison.json", "comparison.csv"],
}
# Where what the bytes say makes no difference: an archive, and a file in a folder's place.
ARCHIVES, FOLDERS = (".npz", ".ckpt"), ("{trial}", "{final}/attempt-1", "{trial}/attempt-foo")
APPENDED = ("looks.jsonl", "test_reads.jsonl")  # what they lose is said, not made again
CASES = [(kind, file) for kind in OWN for file in [*FILES, *OWN[kind]]]


def damages(kind, file):
    """Kinds of damage to a kind of file; both kinds of folders read FILES by the same readers."""
    if file in FOLDERS:
        return ["cut", "a folder"]
    if file.endswith(ARCHIVES):
        return ["cut", "not text", "a folder"]
    if kind == "comparison" and file in FILES:
        return ["cut", "nothing in it", "a folder"]
    return list(DAMAGE)


WORDS = {"study": "run", "comparison": "compare"}
BOARDS = {"study": "leaderboard.json", "comparison": "comparison.json"}


class Untrained(Exception):
    """Everything was read, and a training would begin."""


@pytest.fixture(autouse=True)
def instant(monkeypatch):
    """No trainings, no figures, no rehearsals; gives the keys that were trained."""

    def stop(*args, **named):
        raise Untrained

    monkeypatch.setattr(launch, "_draw", lambda *_: None)
    monkeypatch.setattr(report, "save_figures", lambda *_: None)
    monkeypatch.setattr(dry_run, "dry_run", lambda *_: None)
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    monkeypatch.setattr("hybrid_swin.training.fit.fit", stop)
    return instant_folders.use_instant_workers(monkeypatch)


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """A finished study and a finished comparison; each test works on a copy."""
    root = tmp_path_factory.mktemp("every")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_draw", lambda *_: None)
        patch.setattr(report, "save_figures", lambda *_: None)
        instant_folders.use_instant_workers(patch)
        for kind, content in instant_folders.CONTENT.items():
            instant_folders.write_config(root / f"{kind}.yaml", content)
            assert begin(root, kind) == 0
    return SimpleNamespace(root=root, boards={})


def begin(root, kind):
    """The command that begins a folder, or goes on with it."""
    config = str(root / f"{kind}.yaml")
    return main([WORDS[kind], "--config", config, "--folder", str(root / "runs")])


class Folder:
    """A copy of a template, with all that reads it."""

    def __init__(self, templates, root, kind):
        self.root, self.kind, self.path = root, kind, root / "runs" / kind
        shutil.copytree(templates.root / "runs" / kind, self.path)
        for name in ("test_reads.jsonl", "test_reads.begun.jsonl"):
            shutil.copy(templates.root / "runs" / name, root / "runs" / name)
        shutil.copy(templates.root / f"{kind}.yaml", root / f"{kind}.yaml")
        self.other = templates.root / "runs" / kind
        self.runs = {
            "trial": f"trials/{sorted(p.name for p in self.path.glob('trials/*'))[1]}",
            "final": min(map(str, self.path.glob("finalists/*/0")))[len(str(self.path)) + 1 :],
        }

    def damage(self, file, how):
        path = self.path / file
        content = path.read_bytes() if path.is_file() else b""
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if how == "a folder":
            path.mkdir()
        elif how != "missing":
            path.write_bytes(content[: len(content) // 2] if how == "cut" else DAMAGE[how])

    def commands(self, file):
        """Those that read such a file, by name."""
        folder, final = str(self.path), str(self.path / self.runs["final"])
        out, name = str(self.root / "out"), file.rpartition("/")[2]
        found = {
            "status": lambda: main(["status", folder]),
            "mirror": lambda: summary_of(self.path) and 0,
        }
        if name in ("result.json", "run.json", "looks.jsonl"):
            found["attribution"] = lambda: main(["attribution", folder, "--out", out])
        if file == f"{self.runs['final']}/run.json" or name in ("settings.yaml", "final.ckpt"):
            inspect = ["inspect", final, "--images", "2", "--only", "attention_distance"]
            export = ["export", final, "--format", "safetensors", "--output", f"{out}.safetensors"]
            found |= {
                "inspect": lambda: main([*inspect, "--out", out]),
                "export": lambda: main(export),
                "cost": lambda: main(["cost", final]),
                "fit": lambda: train(["fit", "--run", final, "--folder", out]),
                "predict": lambda: train(["predict", final, "--output", f"{out}.csv"]),
            }
        if name in ("settings.yaml", "receipt.json"):
            config = ["--config", str(self.path / file), "--name", "again", "--folder", out]
            found["repeat"] = lambda: main([WORDS[self.kind], *config, "--dry-run"])
        if self.kind == "study" and name in ("settings.yaml", "result.json"):
            found["joint"] = lambda: main(["leaderboard", folder, str(self.other)])
        if self.kind == "study" and name in ("settings.yaml", "receipt.json"):
            found["space"] = lambda: main(["space", str(self.path / file)])
        return found


@pytest.fixture
def folder(templates, tmp_path):
    def make(kind, name="one"):
        return Folder(templates, tmp_path / name, kind)

    return make


def code_of(command):
    try:
        return command()
    except (Untrained, InputError):  # before a training; of what is not a command
        return 0


def check_said(code, capsys, what):
    """What was printed; where a command refused, that it did so in one line."""
    said = capsys.readouterr()
    assert code in (0, 2), what
    if code == 2:
        assert len(said.err.strip().splitlines()) == 1, (what, said.err)
        assert len(said.err) < 420 or "`python " in said.err, (what, said.err)
    return said.err if code else said.out


def board_of(folder, capsys):
    """Digest and doubts of the leaderboard; no digest where it is refused."""
    capsys.readouterr()
    code = main(["leaderboard", str(folder.path), "--format", "json"])
    said = check_said(code, capsys, folder.path)
    if code:
        return None, said
    told = json.loads(said)
    return told["digest"], [told.get("notes"), told.get("damaged"), told["pending"]]


@pytest.fixture
def whole(templates, folder, capsys):
    """What the leaderboard says of an undamaged folder: digest and doubts."""

    def find(kind):
        if kind not in templates.boards:
            templates.boards[kind] = board_of(folder(kind, "whole"), capsys)
        return templates.boards[kind]

    return find


@pytest.mark.parametrize(("kind", "file"), CASES)
def test_damage_is_one_line_and_changes_nothing_in_silence(whole, folder, capsys, kind, file):
    """An exception that is none of the program's messages fails this test."""
    known, undoubted = whole(kind)
    for how in damages(kind, file):
        made = folder(kind, how.replace(" ", "-"))
        place = file.format(**made.runs)
        made.damage(place, how)
        before = sorted(str(path) for path in made.path.rglob("*"))
        digest, doubts = board_of(made, capsys)
        empty_run = (file, how) == ("{trial}", "a folder")  # as before its first file
        assert digest in (known, None) or doubts != undoubted or empty_run, how
        for name, command in made.commands(place).items():
            check_said(code_of(command), capsys, (how, name))
        after = [str(path) for path in made.path.rglob("*") if "torn" not in path.name]
        assert [path for path in before if path not in after] == []  # who reads renames nothing


@pytest.mark.parametrize(("kind", "file"), [case for case in CASES if case[1] not in APPENDED])
def test_the_command_that_began_it_makes_it_again(whole, folder, capsys, kind, file):
    """As messages advise: go on, or delete what they name and go on; then all is as it was."""
    made = folder(kind)
    place = made.path / file.format(**made.runs)
    made.damage(file.format(**made.runs), "a folder" if "npz" in file else "cut")
    if begin(made.root, kind):
        said = check_said(2, capsys, file)
        assert place.name in said and ("delete it" in said or "move it" in said)
        place.rename(made.root / "moved-away")
        assert begin(made.root, kind) == 0
    assert board_of(made, capsys)[0] == whole(kind)[0]


class Killed(BaseException):
    """The process is gone: nothing is put in order."""


@pytest.mark.parametrize("kind", list(WORDS))
@pytest.mark.parametrize("write", [1, 2, 3, 5, 7])
def test_a_start_that_was_killed_between_two_writes(
    whole, folder, capsys, monkeypatch, kind, write
):
    """Whatever the folder holds by then: all commands read it, and the same command goes on."""
    expected, made = whole(kind)[0], folder(kind)
    shutil.rmtree(made.root / "runs")
    real, count = os.replace, itertools.count(1)

    def replace(source, target):
        if next(count) >= write:
            raise Killed
        real(source, target)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("hybrid_swin.system.files.os.replace", replace)
        begin(made.root, kind)
    board_of(made, capsys)
    for name, command in made.commands("{trial}/run.json").items():
        check_said(code_of(command), capsys, name)
    assert begin(made.root, kind) == 0
    assert board_of(made, capsys)[0] == expected
