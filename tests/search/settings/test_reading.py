"""Settings from files and the command line, through the parser that the commands use."""

import json

import pytest
import yaml

from hybrid_swin.errors import InputError
from search.cli.commands import COMMANDS
from search.cli.options import RunOptions
from search.settings.given import resolve_settings
from search.settings.reading import parse_settings
from search.settings.study import DEFAULT_CONFIG, BaselineSettings, StudySettings


def read(*arguments):
    """The settings, and the options of `run`, in these arguments."""
    options, settings = parse_settings(
        COMMANDS["run"].parser("run"), arguments, RunOptions, StudySettings, DEFAULT_CONFIG
    )
    return settings, options


@pytest.fixture
def parse(tmp_path):
    """Parse a config's text and further arguments."""

    def run(text, *arguments):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return read("--config", str(path), *arguments)[0]

    return run


def refused(parse, text, *arguments):
    with pytest.raises(InputError) as error:
        parse(text, *arguments)
    return str(error.value)


def test_a_file_becomes_typed_settings(parse):
    settings = parse(
        """
        name: mine
        variant: {patch_size: 2, stages: [{width: {choose: [8, 16]}}]}
        recipe: {learning_rate: {from: 1e-4, to: 1e-2, log: true}}
        budget: {parameters: 2M, macs: 1e6}
        baselines: [{blocks: [w_msa, sw_msa], label: plain}, {set: {recipe.epochs: 3}}]
        sampler: {name: random}
        workers: {count: 2}
        data: {options: {path: 2020-01-01}}
        wandb: {mode: disabled, tags: [a, b]}
        """
    )
    assert isinstance(settings, StudySettings)
    assert settings.variant == {"patch_size": 2, "stages": [{"width": {"choose": [8, 16]}}]}
    assert settings.recipe == {"learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}}
    assert (settings.budget.parameters, settings.budget.macs) == ("2M", 1_000_000)
    assert settings.baselines == (
        BaselineSettings(("w_msa", "sw_msa"), "plain", {}),
        BaselineSettings((), "", {"recipe.epochs": 3}),
    )
    assert (settings.sampler.name, settings.workers.count) == ("random", 2)
    assert settings.sampler.startup_trials == StudySettings().sampler.startup_trials
    assert settings.data.options == {"path": "2020-01-01"}
    assert settings.wandb.tags == ("a", "b")


def test_a_datamodule_of_the_users_own_is_kept_as_written(parse):
    data = parse("data: {class_path: my.package.Module, init_args: {a: 1, b: [2]}}").data
    assert (data.class_path, data.init_args) == ("my.package.Module", {"a": 1, "b": [2]})


def test_nothing_that_a_file_names_is_called(parse, tmp_path):
    trace = tmp_path / "was_called"
    spec = {"class_path": "os.system", "init_args": {"command": f"touch {trace}"}}
    content = {
        "variant": {"a": spec, "b": [spec], "c": {"choose": [spec]}},
        "recipe": {"epochs": spec},
        "baselines": [{"set": {"recipe.epochs": spec}}],
        "data": {"class_path": "os.system", "init_args": {"inner": spec}},
    }
    settings = parse(yaml.safe_dump(content))
    assert not trace.exists()
    assert settings.to_dict()["variant"] == content["variant"]  # a dict all through
    assert settings.recipe == content["recipe"]
    assert settings.baselines[0].set == content["baselines"][0]["set"]
    assert (settings.data.class_path, settings.data.init_args) == ("os.system", {"inner": spec})


def test_numbers_and_text_are_told_apart_as_in_yaml_1_2(parse):
    settings = parse("recipe: {a: 1e-4, c: 2e3, d: 2024-05-01, e: true, f: .5e1}\nname: '7'")
    assert settings.recipe == {"a": 1e-4, "c": 2000.0, "d": "2024-05-01", "e": True, "f": 5.0}
    assert settings.name == "7"


TEXTS = ["010", "1e3", "no", "null", "[1]", "a: b", "~nobody/x", "7", "2024-05-01", "=", "ü\n"]


@pytest.mark.parametrize("text", TEXTS)
def test_quoted_text_stays_text_wherever_it_stands(parse, text):
    quoted = json.dumps(text)
    content = {
        "data": {"options": {"path": text}},
        "recipe": {"flip": {"choose": [text, "horizontal"]}},
        "baselines": [{"set": {"recipe.flip": text}}],
    }
    settings = parse(json.dumps(content))
    assert settings.data.options == {"path": text}
    assert settings.recipe == {"flip": {"choose": [text, "horizontal"]}}
    assert settings.baselines[0].set == {"recipe.flip": text}
    settings = parse("name: a", "--data.options.path", quoted, f"--recipe.x=[{quoted}, 3]")
    assert settings.data.options == {"path": text}
    assert settings.recipe == {"x": [text, 3]}


def test_a_printed_config_is_read_back_as_the_same_text(parse, capsys):
    others = {text: text for text in (*TEXTS, "1e-3", "0o17", "008", "0x1F", "1:30", ".inf")}
    content = {"data": {"options": {"path": "010", "other": "w_msa+mdta:gate", **others}}}
    with pytest.raises(SystemExit):
        parse(json.dumps(content), "--print_config", "--name", "a")
    printed = capsys.readouterr().out
    assert "other: w_msa+mdta:gate\n" in printed
    assert parse(printed).data.options == content["data"]["options"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--seed", "010", "--seed: programs read '010' differently; write 10"),
        ("--trials", "1:30", "or 90 for that number"),
        ("--seed", "0x1F", "write 31"),
        ("--recipe.epochs", "1_0", "write 10"),
        ("--recipe.flip", "off", "write false, or 'off' in quotes for the word"),
        ("--workers.time_limit_minutes", ".inf", "write a finite number"),
        ("--recipe", "{epochs: 010}", "write 10"),
        ("--budget.macs", "010", "write 10"),
        ("--data.options.path", "007", "write 7, or '007' in quotes for text"),
        ("--seed", "9" * 400, "is beyond any setting"),
        ("--recipe", "{a: &a [" + "x," * 150 + "], b: [" + "*a," * 150 + "]}", "20,000 values"),
        ("--name", "x" * 20_000, "a value of 20,000 characters"),
    ],
)
def test_the_command_line_is_read_as_a_file_is(parse, option, value, said):
    for words in ([option, value], [f"{option}={value}"]):
        assert said in refused(parse, "name: a", *words)


def test_the_command_line_wins_wherever_it_stands(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "trials: 3\nrecipe: {epochs: 5, batch_size: 8}\nfinalists: {top: 1, seeds: 2}\n"
    )
    config = ["--config", str(path)]
    for arguments in (
        [*config, "--trials", "4", "--recipe.epochs=7", "--finalists.seeds=9"],
        ["--trials=4", "--recipe.epochs", "7", *config, "--finalists.seeds", "9"],
        ["--trials", "4", "--recipe.epochs=7", "--finalists.seeds=9", f"--config={path}"],
    ):
        settings, options = read(*arguments)
        assert settings.trials == 4
        assert settings.recipe == {"epochs": 7, "batch_size": 8}
        assert (settings.finalists.top, settings.finalists.seeds) == (1, 9)
        assert options.dry_run is False
    planned = [*config, "--finalists.seeds", "[3, 5, 8]"]
    settings, _ = read(*planned)
    assert settings.finalists.looks == (3, 5, 8)


def test_without_a_config_the_default_study_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings, _ = read("--trials", "4")
    assert (settings.name, settings.trials) == ("digits", 4)
    assert len(settings.baselines) > 3


def test_a_later_file_wins_over_an_earlier_one(tmp_path):
    for name, text in (("a", "trials: 3\nseed: 5"), ("b", "trials: 4")):
        (tmp_path / f"{name}.yaml").write_text(text)
    files = [f"--config={tmp_path / name}.yaml" for name in "ab"]
    settings, _ = read(*files)
    assert (settings.trials, settings.seed) == (4, 5)
    assert read(*files[::-1])[0].trials == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", ["own.py"]),
        ("--plugins [a.py,b.py]", ["a.py", "b.py"]),
        ("--plugins a.py", ["a.py"]),
        ("--plugins=a.py --trials 4", ["a.py"]),
        ("--plugin a.py --trials 4 --plugin=b.py", ["own.py", "a.py", "b.py"]),
        ("--plugin b.py --plugins a.py", ["a.py", "b.py"]),
    ],
)
def test_plugins_are_given_with_brackets_alone_or_one_by_one(parse, arguments, expected):
    for text in ("plugins: own.py", "plugins: [own.py]"):
        assert list(parse(text, *arguments.split()).plugins) == expected


def test_choices_can_be_given_on_the_command_line(parse):
    settings = parse("trials: 3", "--variant.mlp_ratio", "{choose: [2, 4]}", "--dry-run")
    assert settings.variant == {"mlp_ratio": {"choose": [2, 4]}}
    assert read("--dry-run")[1].dry_run is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tirals: 3", "unknown setting of mine.yaml 'tirals'; did you mean 'trials'? (settings"),
        ("sampler: {nam: tpe}", "unknown setting of sampler 'nam'; did you mean 'name'?"),
        ("data: {sorce: digits}", "unknown setting of data 'sorce'; did you mean 'source'?"),
        (
            "baselines: [{}, {lable: x}]",
            "unknown setting of baselines.1 'lable'; did you mean 'lab",
        ),
        ("workers: {gpus: 2}", "unknown setting of workers 'gpus'"),
        ("1: 2", "unknown setting of mine.yaml 1"),
        ("null: 2", "unknown setting of mine.yaml None"),
        ("dry_run: true", "unknown setting of mine.yaml 'dry_run'"),
        ("config: other.yaml", "unknown setting of mine.yaml 'config'"),
        ("trials: three", "trials must be a whole number; got 'three'"),
        ("trials: 3.5", "trials must be a whole number; got 3.5"),
        ("trials: true", "trials must be a whole number; got True"),
        ("trials: [1]", "trials must be a whole number; got [1]"),
        ("trials:", "trials is empty; give a value, or leave it out for its default"),
        ("baselines:", "baselines is empty; give a value, or leave it out"),
        ("variant:", "variant is empty"),
        ("sampler: {name: }", "sampler.name is empty"),
        ("data: {options: }", "data.options is empty"),
        ("workers: {count: }", "workers.count is empty"),
        ("baselines: [{set: }]", "baselines.0.set is empty"),
        ("trials: -1", "trials must be at least 0; got -1"),
        ("sampler: tpe", "sampler must be a mapping with settings such as name:, startup_trials:"),
        ("sampler: [tpe]", "sampler must be a mapping"),
        ("data: digits", "data must be a mapping with settings such as source:, options:"),
        (
            "sampler: {name: tep}",
            "sampler.name must be one of auto, tpe, gp, nsga2, random, grid; got 'tep'",
        ),
        ("objective: {mode: best}", "objective.mode must be one of max, min; got 'best'"),
        ("workers: {count: two}", "workers.count must be a whole number or auto; got 'two'"),
        ("workers: {time_limit_minutes: long}", "time_limit_minutes must be a number; got 'long'"),
        ("wandb: {mode: maybe}", "wandb.mode must be one of auto, online, offline, disabled; got"),
        ("wandb: {tags: a}", "wandb.tags must be a list; got 'a'"),
        ("baselines: {label: x}", "baselines must be a list"),
        ("baselines: [3]", "baselines.0 must be a mapping with settings such as blocks:, label:"),
        ("baselines: [null]", "baselines.0 is empty"),
        ("baselines: [{label: '', blocks: [conv]}]", "baselines.0.label is empty; give a text, or"),
        ("wandb: {entity: ''}", "wandb.entity is empty; give a text, or leave it out"),
        ("plugins: ['']", "plugins.0 is empty"),
        ("data: {class_path: ''}", "data.class_path is empty"),
        ("baselines: [{blocks: conv}]", "baselines.0.blocks must be a list; got 'conv'"),
        ("baselines: [{blocks: [3]}]", "baselines.0.blocks.0 must be text; got 3"),
        ("baselines: [{set: 3}]", "baselines.0.set must be a mapping by names; got 3"),
        ("plugins: 3", "plugins must be a list; got 3"),
        ("plugins: {a: b.py}", "plugins must be a list; got"),
        ("plugins: [3]", "plugins.0 must be text; got 3"),
        ("variant: []", "variant must be a mapping by names; got []"),
        ("recipe: fast", "recipe must be a mapping by names; got 'fast'"),
        ("data: {options: 3}", "data.options must be a mapping by names; got 3"),
        ("budget: {macs: [1]}", "budget.macs must be a whole number or a number or text; got [1]"),
        ("name: 3", "name must be text; got 3"),
        ("name: a/b", "name 'a/b' becomes a folder"),
        ("storage: 'postgresql://u:p@h/d'", "storage holds a password"),
        ("", "must hold settings such as 'trials: 12'; it is empty"),
        ("- a", "must hold settings such as 'trials: 12'; it holds list"),
        ("trials", "must hold settings such as 'trials: 12'; it holds str"),
        ("a: [b", "is not YAML in line 1, column 6: expected ',' or ']'"),
        ("trials: 3\n\tseed: 1", "is not YAML in line 2, column 1: found character '\\t'"),
        ("? [1]\n: 2", "is not YAML in line 1, column 3: found unhashable key"),
        ("data: {options: &a {path: *a}}", "line 1 repeats what it is itself a part of"),
        ("variant: " + "[" * 3000, "line 1 is nested more than 50 deep"),
        ("variant: {2020-13-01: 3}\ntrials: x", "trials must be a whole number"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_what_is_allowed(parse, text, message):
    found = refused(parse, text)
    assert message in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "x"], "trials must be a whole number; got 'x'"),
        (["--trials", "null"], "trials is empty"),
        (["--storage", ""], "storage is empty; give a text, or leave it out"),
        (["--recipe", "{}"], "--recipe {}: a mapping without names changes nothing; leave it out"),
        (["--data.options={}"], "give values as --data.options.NAME VALUE"),
        (["--sampler", "3"], "sampler"),
        (["--trials"], "--trials: expected one argument"),
        (
            ["--trails", "4"],
            "unknown option '--trails'; did you mean '--trials'?; --help lists all",
        ),
        (
            ["--finalists.sedes=4"],
            "unknown option '--finalists.sedes'; did you mean '--finalists.se",
        ),
        (["--zzz=4"], "unknown option '--zzz'; --help lists all"),
        (["again"], "stray argument 'again'; options are written --name value"),
        (["--finalists.seeds", "0"], "finalists.seeds must be at least 1; got 0"),
        (["--baselines", "[{set: null}]"], "baselines.0.set is empty"),
        (["--config"], "--config: expected one argument"),
        (["--plugin"], "--plugin: expected one argument"),
        (["--plugins", "--trials", "4"], "--plugins: expected one argument"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(parse, arguments, message):
    assert message in refused(parse, "trials: 3", *arguments)


@pytest.mark.parametrize("kind", ["printed", "settings.yaml", "dict"])
def test_what_the_program_wrote_holds_empty_texts_and_is_read(tmp_path, kind, capsys):
    baselines = [{"blocks": ["conv"]}, {"label": "x", "blocks": ["mdta"]}]
    words = ["--baselines", json.dumps(baselines)]
    settings = read(*words)[0]
    assert settings.to_dict()["baselines"][0]["label"] == ""
    path = tmp_path / "mine.yaml"
    if kind == "printed":
        with pytest.raises(SystemExit):
            read(*words, "--print-config")
        path.write_text(capsys.readouterr().out)
    else:
        path.write_text(yaml.safe_dump(settings.to_dict() | {"schema_version": 1}))
    if kind == "dict":
        again, _ = resolve_settings(StudySettings, settings.to_dict(), {}, DEFAULT_CONFIG)
    else:
        again = read("--config", str(path))[0]
    assert again == settings


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="cannot be read: "):
        read("--config", str(path))
