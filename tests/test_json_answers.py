"""``--format json`` of every command: one JSON object on standard output, nothing else there.

docs/scripts.md lists what each answer holds; a name that is missing there, or here, fails.
"""

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import pytest

from hybrid_swin.__main__ import COMMANDS as TRAINING_COMMANDS
from hybrid_swin.__main__ import main as train_main
from hybrid_swin.__main__ import make_parser
from search.cli.commands import COMMANDS
from search.cli.main import main
from search.launch.hours import pilots
from search.launch.hours.pace import Pace
from tests.search.records import instant_folders

PAGE = Path(__file__).parents[1] / "docs" / "scripts.md"
LISTED = re.findall(r"^\| (`[^|]+`) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
KEYS = {
    name: set(re.findall(r"`(\w+)`", keys))
    for names, keys in LISTED
    for name in re.findall(r"`([^`]+)`", names)
}
NO_TABLE = {"export", "work"}  # --format is that of export's file; work says what happens
VARIANT = "{image_size: 8, in_channels: 1, num_classes: 10, patch_size: 2, window_size: 2, " + (
    "mlp_ratio: 1.0, stages: [{width: 8, depth: 1, num_heads: 2, blocks: [w_msa]}]}"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A finished study, a finished comparison and a finished fit, in the working folder."""
    root = tmp_path_factory.mktemp("answers")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        instant_folders.use_instant_workers(patch)
        for kind, content in instant_folders.CONTENT.items():
            instant_folders.write_config(root / f"{kind}.yaml", content)
            command = {"study": "run", "comparison": "compare"}[kind]
            assert main([command, "--config", f"{kind}.yaml"]) == 0
        (root / "net.yaml").write_text(VARIANT)
        fit = ["fit", "--variant", "net.yaml", "--data.source", "digits", "--folder", "fit"]
        assert train_main([*fit, "--recipe.epochs", "1", "--recipe.batch_size", "512"]) == 0
    (root / "final").symlink_to(next(root.glob("runs/study/finalists/*/0")))
    return root


@pytest.fixture
def answers(folders, monkeypatch, capfd):
    """What a command prints for programs."""
    monkeypatch.chdir(folders)
    instant_folders.use_instant_workers(monkeypatch)
    workers = nullcontext(instant_folders.InstantWorkers())
    monkeypatch.setattr(pilots, "start_workers", lambda *_: workers)
    pace = Pace(0.01, 1e-4, 1e-11, 0.5, 1.0, 2)
    monkeypatch.setattr(pilots.PilotWorkers, "pace", lambda *_: pace)
    capfd.readouterr()

    def run(line, door=main):
        code = door([*line.split(), "--format", "json"])
        out, err = capfd.readouterr()
        assert code == 0, err
        return json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))

    return run


CASES = {
    "blocks": "blocks",
    "blocks --check": "blocks --check --plugin average.py",
    "space": "space study.yaml --samples 50",
    "cost": "cost swin_t w_msa+mdta",
    "run": "run --config study.yaml",
    "run --dry-run": "run --config study.yaml --name new --dry-run",
    "compare": "compare --config comparison.yaml",
    "compare --dry-run": "compare --config comparison.yaml --name new --dry-run",
    "status": "status runs/study",
    "status RUNS": "status runs",
    "leaderboard": "leaderboard runs/study",
    "leaderboard COMPARISON": "leaderboard runs/comparison",
    "papers": "papers --time none",
    "attribution": "attribution runs/study --out effects",
    "data": "data study.yaml",
    "inspect": "inspect final --images 4 --only attention_distance --out seen",
    "figures": "figures runs/study",
    "retrain --dry-run": "retrain runs/study --dry-run",
}
TRAINING_CASES = {
    "fit": "fit --variant net.yaml --data.source digits --folder fit --recipe.epochs 1 "
    "--recipe.batch_size 512",
    "validate": "validate fit",
    "test": "test fit",
    "predict": "predict fit --output logits.csv",
}


@pytest.mark.parametrize("name", CASES)
def test_the_search_answers_in_json(name, answers, folders, write_plugin):
    if "average" in CASES[name]:
        (folders / "average.py").write_text(write_plugin("average").read_text())
    told = answers(CASES[name])
    assert told["schema_version"] >= 1
    assert told.keys() == KEYS[name] | {"schema_version"}


@pytest.mark.parametrize("name", TRAINING_CASES)
def test_training_answers_in_json(name, answers):
    told = answers(TRAINING_CASES[name], train_main)
    assert told.keys() == KEYS[name] | {"schema_version"}


def test_a_proposal_for_images_in_json(answers, folders, photos):
    (folders / "photos").symlink_to(photos)
    told = answers("run --images photos --hours 1 --dry-run")
    assert told.keys() == KEYS["run --images --dry-run"] | {"schema_version"}
    assert Path(told["file"]).is_file()


def test_answers_for_new_images_in_json(answers, folders, photos):
    answers(TRAINING_CASES["fit"].replace("--folder fit", "--folder digits"), train_main)
    told = answers(f"predict digits {photos}/class0 --value-range [0,255]", train_main)
    assert told.keys() == KEYS["predict IMAGES"] | {"schema_version"}
    assert len(told["answers"]) == told["images"] == 12


def test_every_command_that_prints_a_table_is_tested_and_listed():
    named = {name.split()[0] for name in CASES}
    assert named == COMMANDS.keys() - NO_TABLE
    assert TRAINING_CASES.keys() == TRAINING_COMMANDS.keys() - NO_TABLE
    others = {"run --images --dry-run", "predict IMAGES"}
    assert KEYS.keys() == {*CASES, *TRAINING_CASES, *others}
    for name in named:
        assert "json" in get_args(COMMANDS[name].parser(name).hints["format"]), name
    for name in TRAINING_CASES:
        assert "json" in get_args(make_parser(name).hints["format"]), name


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - NO_TABLE))
def test_an_error_is_one_line_on_stderr(name, capsys):
    assert main([name, "--format", "json", "--nothing", "1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1


def test_no_answer_beside_an_error(answers, capfd):
    words = ["leaderboard", "runs/study", "--svg", "no/such/folder.svg"]
    for form in ("json", "csv"):
        assert main([*words, "--format", form]) == 2
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1)


def test_what_a_plugin_prints_is_not_in_the_answer(answers, folders, write_plugin):
    text = write_plugin("loud").read_text() + "\nprint('hello from the plug-in')\n"
    (folders / "loud.py").write_text(text)
    told = answers("cost loud --plugin loud.py")
    assert [row["name"] for row in told["rows"]] == ["loud"]


def test_csv_is_alone_as_well(answers, capfd):
    assert main(["cost", "swin_t", "--format=csv"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("name,id,image,parameters") and err == ""


def test_help_is_for_people_on_standard_output(capsys):
    with pytest.raises(SystemExit):
        main(["cost", "--format", "json", "--help"])
    assert "--format table|csv|json" in capsys.readouterr().out
