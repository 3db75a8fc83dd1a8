"""Commands that read a study say in one line what is damaged in it, and never fail over it."""

import shutil

import pytest

from hybrid_swin.errors import InputError
from search.cli.main import main
from search.comparison.design.latency_match import LATENCY_FILE, LatencyMatch
from search.leaderboard.board import Leaderboard
from search.records.settings import read_settings
from search.records.study_file import read_fixed, write_study_file
from search.records.torn import set_aside
from search.settings.comparison import ComparisonSettings
from search.settings.study import StudySettings

DAMAGE = {  # and what test_every_command.py does
    "empty": b"",
    "zeros": b"\0" * 64,
    "a list": b"[1, 2]",
    "deep, cut": b'{"schema_version": 1, "variant": ' + b"[\n" * 9000,
    "NaN": b'{"schema_version": NaN}',
    "huge": b'{"schema_version": 1, "seed": ' + b"9" * 400 + b"}",
    "of the future": b'{"schema_version": 99}',
}
FILES = [
    "settings.yaml",
    "study.json",
    "finalists.json",
    "progress.json",
    "trials/0001/run.json",
    "trials/0001/result.json",
    "finalists/cand-mdta/0/run.json",
    "finalists/cand-mdta/0/result.json",
    "finalists/cand-mdta/0/predictions.npz",
]
COMMANDS = ["leaderboard", "status"]


@pytest.fixture(scope="module")
def template(studies, tmp_path_factory):
    study = studies.whole_study(tmp_path_factory.mktemp("damage") / "study", seeds=2)
    write_study_file(study.folder, {"schema_version": 1, "owner": "mine"})
    for name in ("finalists.json", "progress.json"):
        (study.folder / name).write_text("{}")
    return study.folder


@pytest.mark.parametrize("file", FILES)
def test_no_damage_ends_in_a_traceback(template, tmp_path, capsys, file):
    """Any exception but the messages of the program would fail this test."""
    for kind, content in [*DAMAGE.items(), ("missing", None)]:
        folder = tmp_path / kind.replace(" ", "-")
        shutil.copytree(template, folder)
        (folder / file).unlink()
        if content is not None:
            (folder / file).write_bytes(content)
        before = sorted(str(path) for path in folder.rglob("*"))
        for command in COMMANDS:
            assert main([command, str(folder)]) in (0, 2), (kind, command)
            said = capsys.readouterr()
            assert "Traceback" not in said.err
            assert len(said.err) < 700
        after = sorted(str(path) for path in folder.rglob("*") if "looks" not in path.name)
        assert [path for path in before if path not in after] == []  # reading renames nothing
        assert not list(folder.rglob("*.torn"))


def test_a_damaged_result_counts_as_not_ended_and_is_said(whole_study):
    study = whole_study()
    (study.folder / "trials/0001/result.json").write_text('{"torn": ')
    board = Leaderboard.from_folder(study.folder)
    assert board.pending == 1
    assert any("trials/0001/result.json is damaged" in note for note in board.notes)


@pytest.mark.parametrize("cut", [True, False])
def test_lost_predictions_are_said(whole_study, cut):
    study = whole_study()
    path = study.folder / "finalists/cand-mdta/0/predictions.npz"
    content = path.read_bytes()
    path.unlink()
    if cut:
        path.write_bytes(content[: len(content) // 2])
    notes = Leaderboard.from_folder(study.folder).notes
    assert any("cand-mdta/0/predictions.npz cannot be read: intervals" in note for note in notes)


def test_the_future_is_refused_and_never_set_aside(whole_study):
    study = whole_study()
    (study.folder / "trials/0001/result.json").write_text('{"schema_version": 99}')
    with pytest.raises(InputError, match="99 is of a later program"):
        Leaderboard.from_folder(study.folder)


def test_a_cut_study_file_is_read_from_its_copy(tmp_path):
    write_study_file(tmp_path, {"schema_version": 1, "owner": "mine", "precision": "32-true"})
    for damage in (lambda p: p.write_text("{"), lambda p: p.unlink()):
        damage(tmp_path / "study.json")
        assert read_fixed(tmp_path).owner == "mine"


def test_what_is_set_aside_is_numbered(tmp_path):
    for name in ("x.json.torn", "x.json.2.torn"):
        (tmp_path / "x.json").write_text(name)
        assert set_aside(tmp_path / "x.json").name == name


def test_old_settings_mean_what_they_meant(make_study):
    settings = read_settings(make_study().folder, StudySettings)
    assert (settings.rungs.first, settings.finalists.random) == (0, 0)
    assert settings.sampler.name == "auto"


@pytest.mark.parametrize(
    "content", [*DAMAGE.values(), b'{"schema_version": 1, "found": {"a as quick as b": {}}}']
)
def test_a_damaged_latency_file_is_one_line_and_its_advice_works(tmp_path, content):
    settings = ComparisonSettings(folder=str(tmp_path))
    (tmp_path / LATENCY_FILE).write_bytes(content)
    with pytest.raises(InputError, match=r"latency\.json"):
        LatencyMatch(settings, tmp_path)
    (tmp_path / LATENCY_FILE).unlink()
    clock = LatencyMatch(settings, tmp_path)
    clock.save(tmp_path)
    LatencyMatch(settings, tmp_path)
