"""Studies and comparisons from Python: the same as the commands, in one process."""

import inspect
import math
import re
import typing
from dataclasses import replace
from pathlib import Path

import pytest
import rich.console

import search
from hybrid_swin.system.console import Console
from search.cli.main import main
from search.launch import start
from search.launch.outcome import ComparisonStudy, Study
from tests.search.records import instant_folders

STUDY, COMPARISON = instant_folders.STUDY, instant_folders.COMPARISON

HOLDS_ITSELF = {}
HOLDS_ITSELF["data"] = HOLDS_ITSELF


@pytest.fixture
def instant(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return instant_folders.use_instant_workers(monkeypatch)


def test_a_study_is_what_the_command_prints_and_writes(instant, tmp_path, capsys):
    study = search.run_study(STUDY, trials=4)
    said = capsys.readouterr().out
    assert "data       digits, 8 x 8 pixels" in said
    assert "retrained with fresh seeds" not in said  # the report is asked for
    assert len(instant) == 1 + 4 + 1 + 2 * 2
    assert study.folder == Path("runs/study")
    assert study.leaderboard.to_csv() == (study.folder / "leaderboard.csv").read_text()
    assert [row.fidelity for row in study.finalists] == ["final"] * len(study.finalists)
    assert study.best == study.finalists[0]
    config = instant_folders.write_config(tmp_path / "study.yaml", {**STUDY, "trials": 4})
    assert main(["run", "--config", str(config)]) == 0
    assert " ".join(study.report(80).split()) in " ".join(capsys.readouterr().out.split())
    again = search.open_study(study.folder)
    assert again.leaderboard.to_csv() == study.leaderboard.to_csv()
    assert again.report() == study.report()


def test_a_study_of_no_trials_says_so(instant, capsys):
    search.run_study(STUDY, trials=0)
    assert (
        "trials 0: nothing is searched; the baselines alone are trained" in capsys.readouterr().out
    )
    assert not any(key.startswith("trials/") for key in instant)


def test_a_comparison_is_what_the_command_prints_and_writes(instant, tmp_path, capsys):
    found = search.compare(COMPARISON, progress=False)
    assert capsys.readouterr().out == ""
    assert found.leaderboard.to_csv() == (found.folder / "comparison.csv").read_text()
    assert {arm.arm for arm in found.finalists} == {"base", "+mdta"}
    assert found.best in found.finalists
    assert main(["leaderboard", str(found.folder)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed in " ".join(found.report(80).split())
    again = search.open_study(found.folder)
    assert isinstance(again, search.ComparisonStudy)
    assert again.report() == found.report()


def test_one_process_runs_a_plugin_and_its_next_version(instant, write_plugin):
    plugin = write_plugin("pool")
    for version in ("one", "two"):
        plugin.write_text(plugin.read_text() + f"# {version}\n")
        study = search.run_study(
            {**STUDY, "plugins": [str(plugin)]}, name=version, trials=0, progress=False
        )
        assert version in (study.folder / "plugins" / "pool.py").read_text()


def test_settings_that_cannot_be_meant_start_nothing(instant, tmp_path):
    for call in (search.run_study, search.compare):
        with pytest.raises(search.InputError, match="did you mean"):
            call(recipie={"epochs": 1})
    with pytest.raises(search.InputError, match="the folder of a study"):
        search.open_study(tmp_path / "nowhere")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hours": "1"}, "hours must be a number; got '1'"),
        ({"hours": True}, "hours must be a number; got True"),
        ({"hours": math.nan}, "hours must be a number; got nan"),
        ({"trust": "no"}, "trust must be true or false; got 'no'"),
        ({"progress": "no"}, "progress must be true or false; got 'no'"),
        ({"report": 1}, "report must be true or false; got 1"),
        ({"receipt": "receipt.json"}, "receipt must be a mapping by names; got 'receipt.json'"),
        ({"plugins": None}, "plugins is empty; give a value"),
        ({"plugins": 5}, "plugins must be a list; got 5"),
        ({"settings": HOLDS_ITSELF}, "settings are nested more than 50 deep; does one hold itself"),
        ({"recipe": HOLDS_ITSELF}, "settings are nested more than 50 deep; does one hold itself"),
    ],
)
@pytest.mark.parametrize("begin", [search.run_study, search.compare])
def test_arguments_of_other_types_are_refused(begin, arguments, message):
    with pytest.raises(search.InputError) as refusal:
        begin(**arguments)
    assert message in str(refusal.value)


@pytest.mark.parametrize("folder", [None, 3, ["runs/digits"], object()])
def test_what_is_not_a_folders_name_is_not_opened(folder):
    with pytest.raises(search.InputError, match="folder must be the name of a study's folder; got"):
        search.open_study(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": "80"}, "width must be a whole number; got '80'"),
        ({"width": 80.5}, "width must be a whole number; got 80.5"),
        ({"width": True}, "width must be a whole number; got True"),
        ({"width": 0}, "width must be at least 1; got 0"),
        ({"width": -5}, "width must be at least 1; got -5"),
        ({"width": 10**9}, "width must be at most 10,000"),
        ({"full": "no"}, "full must be true or false; got 'no'"),
    ],
)
@pytest.mark.parametrize("kind", [Study, ComparisonStudy])
def test_a_report_of_no_width_is_refused(kind, arguments, message):
    with pytest.raises(search.InputError) as refusal:
        kind(Path("runs/mine"), None).report(**arguments)
    assert message in str(refusal.value)


def test_hours_are_fitted_by_what_the_commands_fit_them_by(instant, monkeypatch):
    def fit(settings, clock, _):
        fewer = {"trials": 2} if hasattr(settings, "trials") else {"seeds": 2}
        fitted.append((clock.hours, settings.name))
        return replace(settings, **fewer), None

    fitted = []
    monkeypatch.setattr(start, "plan_study", fit)
    monkeypatch.setattr(start, "plan_comparison", fit)
    study = search.run_study(STUDY, hours=0.5, progress=False)
    assert sum(key.startswith("trials/") for key in instant) == 2
    found = search.compare(COMPARISON, hours=2, progress=False)
    assert {arm.seeds_asked for arm in found.finalists} == {2}
    assert fitted == [(0.5, study.folder.name), (2, found.folder.name)]
    with pytest.raises(search.InputError, match="hours must be above 0"):
        search.run_study(STUDY, hours=0)


def test_an_interruption_says_what_is_kept(instant, monkeypatch):
    def interrupt(self, *_):
        raise KeyboardInterrupt

    monkeypatch.setattr(instant_folders.InstantWorkers, "events", interrupt)
    with pytest.raises(KeyboardInterrupt, match="started again, it continues"):
        search.run_study(STUDY, progress=False)
    assert search.open_study("runs/study").board.pending


def test_a_notebook_gets_lines_and_nothing_that_is_drawn_over(monkeypatch, capsys):
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    console = Console()
    assert not console.is_terminal
    console.print("a line", style="yellow")
    assert capsys.readouterr().out == "a line\n"


def test_types_are_seen_by_an_editor():
    """Every name is there for tools that do not run the program, and says what it gives."""
    source = inspect.getsource(search)
    for name in search.__all__:
        assert f"import {name} as {name}\n" in source
        assert inspect.getdoc(getattr(search, name))
    assert typing.get_type_hints(search.run_study)["return"] is search.Study
    assert typing.get_type_hints(search.compare)["return"] is search.ComparisonStudy
    assert set(dir(search)) == set(search.__all__)
    with pytest.raises(AttributeError, match="run_stduy"):
        _ = search.run_stduy


def test_the_page_for_notebooks_runs_as_it_stands(instant, capsys):
    page = Path(__file__).parents[3] / "docs" / "python.md"
    names = {}
    for listing in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(listing, page.name, "exec"), names)  # noqa: S102  # our own page
    assert names["study"].folder == Path("runs/mine")
    assert names["study"].report() in capsys.readouterr().out
