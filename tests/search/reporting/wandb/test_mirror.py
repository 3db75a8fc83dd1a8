"""The mirror for real: offline W&B files, written by its process, read back with W&B's reader."""

import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from search.comparison.report.files import write_report
from search.comparison.results.conclusions import conclusions
from search.leaderboard.board import COLUMNS, Leaderboard
from search.records.runs import iter_runs, read_run
from search.reporting.wandb import board as wandb_board
from search.reporting.wandb.board import WandbBoard
from search.settings.wandb import WandbSettings

ROOT = Path(__file__).parents[4]
SECRET_DATA = {
    "source": "npz",
    "options": {"file": "/private/place/scans.npz", "api_key": "hunter2"},
}


@pytest.fixture(scope="module", autouse=True)
def no_account(tmp_path_factory):
    """Neither the machine's W&B account nor its settings take part."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        yield


def records(run_file):
    """As ``wandb leet inspect`` reads them, by the program that it starts."""
    program = Path(importlib.util.find_spec("wandb").origin).parent / "bin" / "wandb-core"
    options = ["--no-observability", "--json", "--run-file", run_file, run_file.parent]
    command = [program, "leet", "inspect", *options]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in lines.splitlines()]


def run_files(folder):
    """The file of each run, by its id without the study's mark: ``digits-trials-0007-1``."""
    files = sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))
    return {file.stem.removeprefix("run-").rpartition("-")[0]: file for file in files}


def read_back(folder, run):
    """The ``run`` record, and all records."""
    read = records(run_files(folder)[run])
    return next(record["run"] for record in read if record["type"] == "run"), read


def mirror(folder, keys=()):
    board = WandbBoard(folder)
    for key in keys:
        board.notify(key)
    board.close(timeout=120)


@pytest.fixture(scope="module")
def mirrored(studies, tmp_path_factory):
    study = studies.whole_study(tmp_path_factory.mktemp("runs") / "digits", 2, data=SECRET_DATA)
    study.trial(12, 0.5, ended=False)
    mirror(study.folder, ["trials/0000", "trials/0000", "trials/0012"])
    return study.folder


def test_every_ended_run_is_mirrored_once(mirrored):
    ended = [spec.key for spec, result in iter_runs(mirrored) if result is not None]
    expected = {f"digits-{key}-1".replace("/", "-").replace(" ", "-") for key in [*ended, "study"]}
    assert set(run_files(mirrored)) == expected
    assert len(list(mirrored.glob("wandb/offline-run-*"))) == len(expected) == len(ended) + 1


def test_a_mirrored_run_says_what_the_folder_says(mirrored):
    spec, result = read_run(mirrored, "finalists/cand-mdta/1")
    told, read = read_back(mirrored, "digits-finalists-cand-mdta-1-1")
    assert told["display_name"] == "w_msa+mdta finalists/cand-mdta/1"
    assert (told["project"], told["run_group"], told["job_type"]) == (
        "fabricated",
        "digits",
        "finalist",
    )
    told_config = told["config"]["update"]
    assert told_config["variant.stages.0.width"] == spec.variant["stages"][0]["width"]
    assert told_config["recipe.learning_rate"] == spec.recipe["learning_rate"]
    assert (told_config["seed"], told_config["candidate_id"]) == (1001, "cand-mdta")
    logged = [record["history"]["item"] for record in read if record["type"] == "history"]
    logged = [{k: v for k, v in item.items() if not k.startswith("_")} for item in logged]
    assert logged == list(result.history)
    assert len(logged) == 20
    summary = {}
    for record in read:
        summary |= record.get("summary", {}).get("update", {})
    assert summary["objective"] == result.score
    assert summary["test/accuracy"] == result.test["test/accuracy"]
    assert (summary["state"], summary["macs"]) == ("complete", 1_210_000)


def test_the_study_run_holds_table_and_artifact(mirrored):
    told, read = read_back(mirrored, "digits-study-1")
    board = Leaderboard.from_folder(mirrored)
    (table_file,) = run_files(mirrored)["digits-study-1"].parent.glob(
        "files/media/table/*.table.json"
    )
    table = json.loads(table_file.read_text())
    assert table["columns"] == list(COLUMNS)
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in table["data"]]
    assert rows == [{name: getattr(row, name) for name in COLUMNS} for row in board.rows]
    artifacts = [record["artifact"] for record in read if record["type"] == "artifact"]
    (artifact,) = [a for a in artifacts if a["type"] == "leaderboard"]
    assert (artifact["name"], artifact["aliases"]) == ("leaderboard", ["latest"])
    files = {entry["path"]: Path(entry["local_path"]) for entry in artifact["manifest"]["contents"]}
    assert files["leaderboard.csv"].read_text() == board.to_csv()
    assert json.loads(files["leaderboard.json"].read_text())["digest"] == board.digest()
    assert "Best by validation: w_msa+mdta" in told["notes"]


def test_nothing_private_is_sent(mirrored):
    told, _ = read_back(mirrored, "digits-trials-0000-1")
    assert told["config"]["update"]["data.options.file"] == "scans.npz"
    assert not told.get("host")
    sent = [*mirrored.glob("wandb/*/*.wandb"), *mirrored.glob("wandb/*/files/**/*")]
    assert len(sent) > 20
    # no list of packages, no description of the machine
    kinds = {file.name.partition("_")[0] for file in sent if "files" in file.parts}
    assert kinds == {"media", "table", "leaderboard"}
    for file in sent:
        if file.is_file():
            content = file.read_bytes()
            for private in (b"hunter2", b"/private/place", b"out of memory"):
                assert private not in content, file


def test_w_and_b_keeps_all_its_files_in_its_folder(mirrored):
    assert not list(Path.home().rglob("*wandb*"))


def test_a_study_that_goes_on_is_not_mirrored_twice_and_a_later_attempt_is_again(make_study):
    """And a run that cannot be read does not stop the others."""
    study = make_study()
    study.trial(0, 0.8)
    study.trial(1, None, state="failed")
    study.trial(2, 0.7)
    (study.folder / "trials/0002/result.json").write_text("{")
    mirror(study.folder)
    assert "trials/0002 is left out" in (study.folder / "wandb_mirror.log").read_text()
    with (study.folder / "wandb_mirrored.txt").open("a") as file:
        file.write("trials/00")  # torn by a kill
    study.trial(1, 0.9, attempt=2)
    study.trial(3, 0.9)
    mirror(study.folder, ["trials/0002", "trials/0003"])
    assert sorted(run_files(study.folder)) == [
        "digits-study-1",
        "digits-study-2",
        "digits-trials-0000-1",
        "digits-trials-0001-1",
        "digits-trials-0001-2",
        "digits-trials-0003-1",
    ]
    first, second = ["trials/0000 1", "trials/0001 1"], ["trials/0003 1", "trials/0001 2"]
    lines = (study.folder / "wandb_mirrored.txt").read_text().splitlines()
    assert lines[1:] == [*first, "study 1", "trials/00", *second, "study 2"]


def test_a_killed_mirror_is_one_warning(make_study, caplog):
    study = make_study()
    study.trial(0, 0.8)
    before = (study.folder / "trials/0000/result.json").read_bytes()
    board = WandbBoard(study.folder)
    os.kill(board._process.pid, signal.SIGKILL)
    board._process.wait()
    for _ in range(100):
        board.notify("trials/0000")
    board.close(timeout=60)
    board.close(timeout=60)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "W&B mirror" in caplog.text
    assert (study.folder / "trials/0000/result.json").read_bytes() == before


def test_a_stuck_mirror_never_blocks_and_is_stopped(make_study, caplog):
    study = make_study()
    board = WandbBoard(study.folder)
    process = board._process
    os.kill(process.pid, signal.SIGSTOP)
    for number in range(20_000):  # ten times what the pipe holds
        board.notify(f"trials/{number:04d}")
    board.close(timeout=0.2)
    assert process.poll() is not None
    assert "it was stopped after 0.2 s" in caplog.text
    assert len(caplog.records) == 1


class Slow:
    """A mirror that does not answer; time passes while it is waited for."""

    stdin, returncode = None, None

    def __init__(self, clock, ends_after=None, interrupted=False):
        self.clock, self.ends_after, self.interrupted = clock, ends_after, interrupted

    def poll(self):
        return 0  # for the stopping, which finds it ended

    def wait(self, timeout=None):
        self.clock.now += timeout
        if self.interrupted and self.clock.now > 5:
            raise KeyboardInterrupt
        if self.ends_after is not None and self.clock.now > self.ends_after:
            return 0
        raise subprocess.TimeoutExpired("mirror", timeout)


@pytest.mark.parametrize(
    ("mirror", "told", "warned"),
    [
        ({"ends_after": 1.0}, 0, ""),
        ({"ends_after": 30.0}, 1, ""),
        ({}, 1, "it was stopped after 120 s"),
        ({"interrupted": True}, 1, "waiting for it was interrupted"),
    ],
)
def test_waiting_for_a_slow_server_is_said_bounded_and_ended_by_an_interruption(
    make_study, caplog, monkeypatch, mirror, told, warned
):
    clock, said = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(wandb_board, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(wandb_board, "_start", lambda folder: Slow(clock, **mirror))
    board = WandbBoard(make_study().folder)
    board.close(120.0, said.append)
    assert len(said) == told and all("Ctrl-C" in text and "120 s" in text for text in said)
    assert clock.now < 121
    assert warned in caplog.text and len(caplog.records) == bool(warned)
    assert ("every result is saved" in caplog.text) == bool(warned)
    assert "goes on" not in caplog.text and "wandb_mirror.log" not in caplog.text
    assert board._process is None


@pytest.mark.parametrize("blocked", ["wandb", "wandb_mirrored.txt"])
def test_a_folder_that_cannot_be_written_is_a_warning(make_study, caplog, blocked):
    study = make_study()
    study.trial(0, 0.8)
    path = study.folder / blocked
    if blocked == "wandb":
        path.write_text("a file where a folder should be")
    else:
        path.mkdir()
    mirror(study.folder)
    assert len(caplog.records) == 1
    assert "every result is saved" in caplog.text


def test_a_mirror_that_dies_in_mid_study_is_a_warning_while_the_study_goes_on(
    make_study, caplog, monkeypatch
):
    reader, writer = os.pipe()
    os.close(reader)
    dead = Slow(SimpleNamespace(now=0.0))
    with os.fdopen(writer, "wb", buffering=0) as dead.stdin:
        monkeypatch.setattr(wandb_board, "_start", lambda folder: dead)
        study = make_study()
        (study.folder / "wandb_mirror.log").write_text("why")
        WandbBoard(study.folder).notify("trials/0000")
    assert "it died; the study goes on without it, and what W&B lacks is" in caplog.text
    assert f"; its output: {study.folder / 'wandb_mirror.log'}" in caplog.text


def test_a_folder_that_is_no_study_is_a_warning(tmp_path, caplog):
    board = WandbBoard(tmp_path)
    board.notify("trials/0000")
    board.close()
    assert "it did not start" in caplog.text


def test_disabled_starts_nothing(make_study, caplog):
    study = make_study(wandb={"mode": "disabled"})
    study.trial(0, 0.8)
    mirror(study.folder, ["trials/0000"])
    assert not (study.folder / "wandb_mirror.log").exists()
    assert not (study.folder / "wandb").exists()
    assert not caplog.records


def test_the_search_does_not_import_wandb():
    modules = "search.reporting.wandb.mirror, search.reporting.wandb.board"
    code = f"import sys, {modules}; raise SystemExit('wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    users = [
        file.relative_to(ROOT).as_posix()
        for package in ("search", "hybrid_swin")
        for file in (ROOT / package).rglob("*.py")
        if "import wandb" in file.read_text().replace("no wandb import", "")
    ]
    folder = "search/reporting/wandb"
    assert sorted(users) == [f"{folder}/{name}.py" for name in ("inspection", "mirror", "run")]


def test_a_comparison_is_mirrored_as_a_table_with_its_conclusions(fake, tmp_path, caplog):
    """And a log that cannot be written costs none of it."""
    given = fake.settings(name="arms", seeds=2, learning_rates=(), wandb=WandbSettings("offline"))
    made = fake.Made(tmp_path / "arms", given).fill()
    write_report(made.read(), made.plan, made.folder)
    (made.folder / "wandb_mirror.log").mkdir()
    mirror(made.folder)
    assert caplog.records == []
    told, read = read_back(made.folder, "arms-study-1")
    (file,) = run_files(made.folder)["arms-study-1"].parent.glob("files/media/table/*.table.json")
    table = json.loads(file.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert len(rows) == 4  # a row for each difference, one for the baseline
    by_arm = {r.arm: r for r in made.read().results}
    for row in rows:
        assert row["test_mean"] == pytest.approx(by_arm[row["arm"]].test_mean)
    for sentence in conclusions(made.read()):
        assert sentence in told["notes"]
    assert len(run_files(made.folder)) == 1 + 3 * 2
    artifacts = [record["artifact"] for record in read if record["type"] == "artifact"]
    (artifact,) = [a for a in artifacts if a["name"] == "comparison"]
    assert {e["path"] for e in artifact["manifest"]["contents"]} == {
        "comparison.json",
        "comparison.csv",
        "comparison.md",
    }
