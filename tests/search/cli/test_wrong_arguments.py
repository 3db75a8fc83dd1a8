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
        ("space --trials 3 runs/a/receipt.json", "there is no file 'runs/a/receipt.json'"),
        ("run base", "stray argument 'base'; options are written --name value"),
        ("status a b.yaml", "stray argument 'b.yaml'; options are written --name value"),
        ("status --watch soon", "watch must be a number; got 'soon'"),
        ("status --wtch 2", "unknown option '--wtch'; did you mean '--watch'?"),
        ("leaderboard --format xml", "format must be one of table, csv, json; got 'xml'"),
        ("export there", "export needs --format; --help says more"),
        ("blocks --nothing", "unknown option '--nothing'; --help lists all"),
        ("run --sampler tpe", "settings such as name:, startup_trials:, population:; got 'tpe'"),
        ("run --baselines.0.label x", "give the whole list as --baselines"),
        ("blocks --check=maybe", "check must be true or false; got 'maybe'"),
        ("run --variant.stages.0.width 8", "give the whole list as variant.stages"),
        ("run --finalists.seeds 1.5", "seeds must be a whole number or a list; got 1.5"),
        ("run --config", "--config: expected one argument"),
        ("run --folder=", "folder is empty; give a text, or leave it out"),
        ("run --seed -1e2", "seed must be a whole number; got -100.0"),
        ("run --seed -5", "seed must be at least 0; got -5"),
        ("run --sampler.lookahead -.5", "lookahead must be a whole number; got -0.5"),
        ("run --data.test_share -inf", "data.test_share must be a number; got '-inf'"),
        ("status --watch -1e-3", "--watch"),
        ("run --seed --trials", "--seed: expected one argument"),
        ("run --folder ~nobody-here", "'~nobody-here' begins with an unknown user"),
        ("run --images ~nobody-here/photos", "'~nobody-here/photos' cannot be used"),
        ("run --wandb.dir ~nobody-here", "'~nobody-here' begins with an unknown user"),
        ("leaderboard ~nobody-here", "'~nobody-here' begins with an unknown user"),
        ("inspect ~nobody-here", "unknown network '~nobody-here'"),
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
    assert "unknown setting of baselines.0 'x'" in capsys.readouterr().err
