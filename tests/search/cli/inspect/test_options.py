import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.request import Request
from search.cli.commands import COMMANDS
from search.cli.inspect.options import InspectQuestion, question_of


def asked(line):
    return question_of(COMMANDS["inspect"].parser("inspect"), line.split())


def test_options_arrive_as_they_are_given():
    line = (
        "runs/digits --data folder --data.options.path mine --data.test_share 0.3 --split test "
        "--images 9 --only spectrum,occlusion(patch=16) --out there --figures png --seed 4 "
        "--device cpu --wandb true --log_images true"
    )
    assert asked(line) == InspectQuestion(
        target="runs/digits",
        data=DataSettings(source="folder", options={"path": "mine"}, test_share=0.3),
        split="test",
        images=9,
        only="spectrum,occlusion(patch=16)",
        out="there",
        figures="png",
        seed=4,
        device="cpu",
        wandb=True,
        log_images=True,
    )


def test_without_options_nothing_is_sent_and_no_test_image_is_read():
    question = asked("swin_t")
    assert question == InspectQuestion("swin_t")
    assert (question.split, question.wandb, question.log_images) == ("validation", False, False)
    assert not question.is_noise


def test_noise_is_no_source_but_may_stand_there():
    assert asked("swin_t --data noise").is_noise
    assert asked("swin_t --data=noise").is_noise
    assert asked("swin_t --data digits").data == DataSettings()


def test_a_plug_in_is_known_before_inspections_are_read(tmp_path, monkeypatch):
    from hybrid_swin.spec import registry

    monkeypatch.setattr(registry, "_plugins", {})
    path = tmp_path / "mine.py"
    path.write_text("from hybrid_swin import Inspection\nclass A(Inspection): pass\n")
    assert asked(f"swin_t --only mine --plugin {path}").inspections == (Request("mine"),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "inspect needs target; --help says more"),
        ("swin_t swin_s", "stray argument 'swin_s'"),
        ("swin_t --imags 3", "did you mean '--images'"),
        ("swin_t --images one", "images must be a whole number"),
        ("swin_t --images 1", "one image has no spread"),
        ("swin_t --seed -1", "--seed must be"),
        ("swin_t --split val", "split must be one of validation, test, train"),
        ("swin_t --figures pdf", "figures must be one of svg, png"),
        ("swin_t --format png", "--format png: for the format of figures give --figures png"),
        ("swin_t --data nois", "did you mean 'noise'"),
        ("swin_t --data digit", "did you mean 'digits'"),
        ("swin_t --data noise --data.split_seed 3", "leave out data.split_seed"),
        ("swin_t --data digits --data.test_share 2", "data.test_share"),
        ("swin_t --only spectrm", "did you mean 'spectrum'"),
        ("swin_t --log_images true", "give --wandb true as well"),
        ("swin_t --plugin none.py", "none.py"),
    ],
)
def test_what_cannot_be_is_one_message(line, message):
    with pytest.raises(InputError, match=message) as error:
        asked(line)
    assert "\n" not in str(error.value)


def test_questions_import_nothing_heavy():
    code = """
import sys
from search.cli.commands import COMMANDS
COMMANDS["inspect"].parse("inspect", sys.argv[1:])
print(set(sys.modules) & {"torch", "lightning", "optuna", "wandb", "matplotlib", "scipy"})
"""
    command = [sys.executable, "-c", code, "swin_t", "--data", "digits", "--only", "spectrum"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[4])
    assert done.stdout == "set()\n", done.stderr
