"""A wrong argument of any command is one message, never a usage text."""

import pytest

from search.cli.main import main


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("leaderbord", "unknown command 'leaderbord'; did you mean 'leaderboard'?"),
        ("status a b", "stray argument 'b'"),
        ("run base.yaml", "stray argument 'base.yaml'; give a file as --config base.yaml"),
        ("compare --seeds 3 my.yml", "give a file as --config my.yml"),
        ("space --trials 3 runs/a/receipt.json", "give a file as --config runs/a/receipt.json"),
        ("run base", "stray argument 'base'; options are written --name value"),
        ("status a b.yaml", "stray argument 'b.yaml'; options are written --name value"),
        ("status --watch soon", "watch must be a number; got 'soon'"),
        ("status --wtch 2", "unknown option '--wtch'; did you mean '--watch'?"),
        ("leaderboard --format xml", "--format must be one of table, csv, json; got 'xml'"),
        ("export there", "search.py export needs format"),
        ("blocks --nothing", "unknown option '--nothing'; --help lists all"),
        ("run --sampler tpe", "such as --sampler.name and --sampler.startup_trials; got 'tpe'"),
        ("run --baselines [{}]", "baselines: an entry without settings"),
        ("run --variant.stages.0.width 8", "give the whole list as --variant.stages"),
        ("run --finalists.seeds 1.5", "seeds must be a whole number or a list; got '1.5'"),
        ("run --config", "--config needs the name of a file"),
    ],
)
def test_a_wrong_argument(capsys, line, words):
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("error: ")
    assert not shown.out


def test_an_unknown_setting_of_a_list_is_named(capsys):
    assert main(["run", "--baselines", "[{label: a, x: 1}]"]) == 2
    assert "baselines: unknown setting 'x'" in capsys.readouterr().err
