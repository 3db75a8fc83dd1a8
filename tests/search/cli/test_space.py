"""The command `space`, through the door."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from search.cli.main import main

ROOT = Path(__file__).parents[3]
WORD = {
    "word": "{mixer}:{fusion}",
    "mixer": {"choose": ["w_msa", "w_msa+mdta"]},
    "fusion": {"choose": ["sum", "gate"]},
}
STAGE = {
    "width": {"choose": [16, 24]},
    "depth": 2,
    "num_heads": {"times": ["stages.0.width", 0.125]},
    "blocks": [WORD, {"choose": ["conv", "mdta"]}],
}


@pytest.fixture
def config(tmp_path):
    """Write a study's file: one stage with words, less or more."""

    def write(recipe=None, budget=None, stage=None, **variant):
        shell = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2}
        stages = [{**STAGE, **(stage or {})}]
        settings = {
            "name": "mine",
            "folder": str(tmp_path / "runs"),
            "variant": {
                **shell,
                "window_size": 2,
                **variant,
                "stages": stages,
            },
            "recipe": {"epochs": 1, **(recipe or {})},
            "budget": budget or {},
        }
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        return str(path)

    return write


@pytest.fixture
def told(capsys):
    """Run the command for its JSON."""

    def run(*arguments):
        assert main(["space", *arguments, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def shown(capsys, monkeypatch):
    """Run the command for its table, on a terminal of so many columns."""

    def run(*arguments, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["space", *arguments]) == 0
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines())) <= columns
        return " ".join(out.split())

    return run


@pytest.fixture
def refused(capsys):
    """Run the command where it must refuse; gives its one message."""

    def run(*arguments):
        assert main(["space", *arguments]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        return err

    return run


def test_the_default_study(shown):
    said = shown()
    assert "combinations 100 = 50 networks x 2 recipes" in said
    assert "candidates 100 distinct, all counted" in said
    assert "impossible none of 50 networks" in said
    assert "32 of 50 networks: at most 90,000 parameters and 1,500,000 MACs" in said
    assert "tie 2 x stages.0.width" in said


def test_the_space_of_the_benchmark(told):
    found = told(str(ROOT / "benchmarks" / "tabular" / "space.yaml"))
    assert found["combinations"] == found["candidates"]["value"] == 270
    assert found["candidates"]["standard_error"] == 0
    assert found["lowest_cost"]["macs"] < found["highest_cost"]["macs"]


def test_words_with_gaps_and_ties_are_shown(config, shown, told):
    path = config(recipe={"shift": {"from": 0, "to": 1, "step": 1}})
    said = shown(path)
    for row in (
        "stages.0.blocks.0 word {mixer}:{fusion}",
        "stages.0.blocks.0.mixer choice w_msa, w_msa+mdta 2",
        "stages.0.blocks.0.fusion choice sum, gate 2",
        "stages.0.blocks.1 choice conv, mdta 2",
        "stages.0.num_heads tie 0.125 x stages.0.width",
        "recipe.shift range 0 to 1, in steps of 1 2",
        "combinations 32 = 16 networks x 2 recipes",
        "candidates 24 distinct, all counted",
    ):
        assert row in said
    found = told(path)
    assert [p["kind"] for p in found["parameters"]] == [
        *("choice", "tie", "word", "choice", "choice", "choice", "range")
    ]
    assert found["parts"][0] == {
        "makes": "networks",
        "parameters": [
            "stages.0.width",
            "stages.0.blocks.0.mixer",
            "stages.0.blocks.0.fusion",
            "stages.0.blocks.1",
        ],
        "combinations": 16,
        "looked_at": 16,
        "exact": True,
        "distinct": {"value": 12, "standard_error": 0},
        "makes_none": {
            "share": 0,
            "low": 0,
            "high": 0,
            "count": 0,
            "of": 16,
            "exact": True,
        },
        "refusal": "",
    }


def test_a_large_space_is_drawn_from(config, told, shown):
    many = {"from": 0.5, "to": 3.5, "step": 0.01}
    path = config(mlp_ratio=many, budget={"parameters": "12K"})
    said = shown(path, "--samples", "60", columns=120)
    assert "combinations 4,816" in said
    assert "idle values counted one parameter at a time" in said
    assert "of 60 networks drawn at random: at most 12,000 parameters" in said
    assert "(found by descent)" in said
    found = told(path, "--samples", "60")
    assert abs(found["candidates"]["value"] - 3612) < 4 * found["candidates"]["standard_error"]
    assert found["fits"]["low"] < found["fits"]["share"] < found["fits"]["high"]
    assert found["lowest_cost"]["params"]["stages.0.width"] == 16
    assert found["highest_cost"]["params"] == {
        "mlp_ratio": 3.5,
        "stages.0.width": 24,
        "stages.0.blocks.0.mixer": "w_msa+mdta",
        "stages.0.blocks.0.fusion": "gate",
        "stages.0.blocks.1": "mdta",
    }
    assert found == told(path, "--samples", "60")


def test_a_range_without_steps_has_no_end(config, shown, told):
    path = config(recipe={"learning_rate": {"from": 0.001, "to": 0.01, "log": True}})
    said = shown(path, columns=120)
    assert "recipe.learning_rate range 0.001 to 0.01, logarithmic no end" in said
    assert "combinations no end" in said
    assert "candidates without end" in said
    found = told(path)
    assert (found["combinations"], found["candidates"]) == (None, None)
    assert found["lowest_cost"]["exact"]


def test_values_that_never_fit_are_named(config, told, shown):
    path = config(budget={"parameters": 8000, "macs": "50M"})
    assert told(path)["never_fits"] == {"parameters": {"stages.0.width": [24]}}
    assert "never fits parameters with stages.0.width=24" in shown(path)


def test_settings_are_overridden_as_in_run(config, told):
    found = told(config(), "--budget.macs", "1G", "--recipe.shift", "{choose: [0, 1, 2]}")
    assert found["budget"] == {"macs": 10**9}
    assert found["combinations"] == 48


def test_a_part_of_ones_own_is_counted(config, told, write_plugin):
    plugin = write_plugin("average")
    blocks = {"choose": [["average"], ["average+conv"]]}
    found = told(config(stage={"blocks": blocks}), "--plugins", f"[{plugin}]")
    assert found["candidates"]["value"] == 4


def test_a_part_of_ones_own_that_no_block_uses_is_said(config, shown, write_plugin):
    plugin = str(write_plugin("pool"))
    text = shown(config(), "--plugin", plugin)
    assert "plug-in pool.py: no block uses its word `pool`" in " ".join(text.split())


def test_a_space_without_choices(config, shown):
    said = shown(config(stage={"width": 16, "blocks": ["conv"]}))
    assert "combinations 1 candidates 1 distinct, all counted" in said


def test_where_nothing_fits_the_cheapest_is_named(config, refused):
    message = refused(config(budget={"macs": 1000}))
    assert "no candidate fits the budget: the lowest-cost one (stages.0.width=16, " in message
    assert "above the 1,000" in message


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({"depth": {"same_as": "stages.0.dept"}}, ["stages.0.depth", "did you mean 'stages.0.dep"]),
        (
            {"num_heads": {"times": ["stages.0.widht", 0.125]}},
            ["stages.0.num_heads", "did you mean 'stages.0.width'"],
        ),
        (
            {"blocks": {"choose": [["w_msa+mdta"], ["mdta+w_msa"]]}},
            ["stages.0.blocks: 'w_msa+mdta' and 'mdta+w_msa' are the same candidate"],
        ),
        ({"width": {"choose": [16, 16.0]}}, ["stages.0.width: 16.0 is among the choices twice"]),
        ({"width": {"choose": [16, {"choose": [8]}]}}, ["stages.0.width", "a choice within a"]),
        ({"widht": {"choose": [1, 2]}}, ["field of stages.0 'widht'; did you mean 'width'"]),
        (
            {"blocks": [{"word": "conv(kernel={k})", "k": 3, "other": {"choose": [1, 2]}}]},
            ["stages.0.blocks.0.other", "has no gap {other}"],
        ),
        (
            {"blocks": [{"word": "conv(kernel={k})", "kernel": {"choose": [3, 5]}}]},
            ["stages.0.blocks.0", "gap {k} and no value"],
        ),
        (
            {"blocks": [{"word": "conv(kernl={k})", "k": {"choose": [3, 5]}}]},
            ["stages.0.blocks.0: 'conv(kernl={k})' never makes a block word", "did you mean 'ker"],
        ),
        (
            {"blocks": [{"word": "{a}:{b}", "a": "w_msa", "b": {"choose": ["sum", "gaet"]}}]},
            ["stages.0.blocks.0.b: 'gaet' makes no network", "did you mean 'gate'"],
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_by_its_path(config, refused, stage, words):
    message = refused(config(stage=stage))
    for word in words:
        assert word in message


def test_wrong_options(config, refused):
    assert "--samples must be at least 10; got 3" in refused(config(), "--samples", "3")
    assert "format must be one of table, json" in refused(config(), "--format", "csv")
    assert "did you mean 'digits'" in refused("digts")
    assert "--budgt.macs" in refused(config(), "--budgt.macs", "3")


def test_it_answers_without_torch():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['search.py', 'space']\n"
        "try:\n"
        f"    runpy.run_path({str(ROOT / 'search.py')!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "assert not {'torch', 'optuna', 'numpy', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_words_with_gaps_are_printed_and_read_again(config, capsys, tmp_path, told):
    path = config()
    with pytest.raises(SystemExit) as end:
        main(["run", "--config", path, "--print_config"])
    assert not end.value.code
    printed = tmp_path / "printed.yaml"
    printed.write_text(capsys.readouterr().out)
    assert yaml.safe_load(printed.read_text())["variant"]["stages"][0]["blocks"][0] == WORD
    assert told(str(printed)) == told(path)


def test_matched_widths_are_priced(tmp_path, capsys):
    """Where costs are matched, all candidates cost the same, and what cannot is told."""
    config = tmp_path / "m.yaml"
    stage = {"width": 16, "depth": 1, "num_heads": 2, "blocks": {"choose": [["w_msa"], ["conv"]]}}
    variant = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2}
    variant |= {"window_size": 2, "mlp_ratio": 2, "stages": [stage]}
    budget = {"mode": "match", "macs": 300_000}
    config.write_text(yaml.safe_dump({"name": "m", "variant": variant, "budget": budget}))
    assert main(["space", str(config), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for end in ("lowest_cost", "highest_cost"):
        assert found[end]["macs"] == pytest.approx(300_000, rel=0.02)
    assert main(["space", str(config), "--budget.macs", "90G"]) == 2
    assert "cannot have 90,000,000,000 macs" in capsys.readouterr().err


def test_where_the_first_network_cannot_be_matched_the_others_are_told(config, shown, told):
    """Of these words `w_msa` has no widths that meet the cost."""
    words = {"choose": ["w_msa", "mdta", "conv", "w_msa+conv"]}
    stage = {"width": 16, "num_heads": 2, "blocks": [words]}
    path = config(
        stage=stage,
        mlp_ratio=2.0,
        recipe={"learning_rate": {"choose": [0.003, 0.01]}},
        budget={"mode": "match", "macs": "30K", "tolerance": 0.05},
    )
    assert told(path)["candidates"]["value"] == 6
    assert told(path)["never_made"] == {"stages.0.blocks.0": ["w_msa"]}
    text = shown(path)
    assert "impossible 25.0%, 1 of 4 networks: 'w_msa 2x16' cannot have 30,000 macs" in text
    assert "every network with stages.0.blocks.0=w_msa lowest cost" in text
    assert "of 2 recipes" not in text


@pytest.mark.parametrize(
    "settings",
    [
        {"baselines": '[{blocks: ["w_msa("]}]'},
        {"objective.monitor": "val/acuracy"},
        {"data.source": "digit"},
        {"recipe.shift": "9223372036854775808"},
        {"recipe.shift": "8"},
        {"recipe.warmup_epochs": "1000000"},
        {"sampler.random_search": "true", "sampler.name": "random"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_run_refuses_is_refused_here_too(config, refused, settings):
    refused(config(), *(f"--{name}={value}" for name, value in settings.items()))
