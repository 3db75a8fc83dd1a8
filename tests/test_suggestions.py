"""Commands that the documentation and messages suggest are ones that the parsers take."""

import re
import shlex
from pathlib import Path

import pytest

from hybrid_swin.__main__ import COMMANDS as TRAINING
from hybrid_swin.__main__ import make_parser
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import LONGEST
from hybrid_swin.spec.run_reference import refuse_reading, with_runs
from search.cli.commands import COMMANDS, EPILOG
from search.settings.config_files import find_config
from search.settings.study import DEFAULT_CONFIG

ROOT = Path(__file__).parents[1]


def commands(message):
    return [shlex.split(command) for command in re.findall(r"`(python [^`]+)`", message)]


def study(folder):
    run = folder / "trials/0000"
    run.mkdir(parents=True)
    (folder / "settings.yaml").write_text("name: s\ntrials: 1\n")
    (run / "run.json").write_text(
        '{"key": "trials/0000", "variant": {}, "recipe": {}, '
        '"settled": {"data": {"source": "digits"}}}'
    )
    return run


@pytest.mark.parametrize("name", ["s", "two words; rm 'it'", "/".join("long" * 20 for _ in "abc")])
def test_a_suggested_command_names_the_whole_folder(tmp_path, name):
    run = study(tmp_path / name)
    with pytest.raises(InputError) as caught:
        refuse_reading(run)
    leaderboard, fit = commands(str(caught.value))
    assert leaderboard == ["python", "search.py", "leaderboard", str(tmp_path / name)]
    assert fit == ["python", "-m", "hybrid_swin", "fit", "--run", str(run), "--folder", "NEW"]


def test_a_message_without_its_commands_is_short_and_a_giant_command_is_cut():
    long = f"{'what is wrong ' * 60}`python search.py figures {'p' * 600}`"
    told = str(InputError(long))
    assert told.endswith(f"`python search.py figures {'p' * 600}`")
    assert len(re.sub("`python [^`]+`", "", told)) <= LONGEST
    assert len(str(InputError(f"x `python {'p' * 5000}` y"))) <= LONGEST


def documented():
    """Commands of the pages' code blocks and of the door's help, less their comments."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages).replace("\\\n", " ")
    lines = re.findall(r"^python (?:search\.py|-m hybrid_swin)\b.*$", text, re.MULTILINE)
    lines += [line.strip().split("   ")[0] for line in EPILOG.splitlines() if "python" in line]
    # a plug-in that is somewhere else has its own tests
    lines = [line for line in lines if "my_inspection" not in line]
    return sorted({" ".join(shlex.split(line, comments=True)): line for line in lines}.values())


@pytest.mark.parametrize("line", documented())
def test_a_documented_command_is_one(line, tmp_path, monkeypatch, photos):
    (tmp_path / "photos").symlink_to(photos)
    config = find_config(DEFAULT_CONFIG).read_text(encoding="utf-8")
    for name in ("mine.yaml", "axial.yaml"):
        (tmp_path / name).write_text(config, encoding="utf-8")
    words = shlex.split(line.replace("$RUN", str(study(tmp_path / "s"))), comments=True)
    words = words[: words.index(">")] if ">" in words else words
    monkeypatch.chdir(tmp_path)
    command, *rest = words[3:] if words[1] == "-m" else [*words[2:], "run"][:1] + words[3:]
    if words[1] == "-m":
        make_parser(command).build(TRAINING[command][0], with_runs(rest))
        return
    if "--config" in rest:
        place = rest.index("--config")
        try:
            find_config(rest[place + 1])
        except InputError:  # an earlier step of the page writes it
            del rest[place : place + 2]
    if {"--print_config", "--help"} & set(words):
        with pytest.raises(SystemExit) as ended:
            COMMANDS[command].parse(command, rest)
        assert not ended.value.code
    else:
        COMMANDS[command].parse(command, rest)
