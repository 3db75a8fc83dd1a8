"""Which images the words of `data` mean."""

import numpy as np
import pytest

from hybrid_swin.errors import InputError
from search.cli.commands import COMMANDS
from search.settings.comparison import ComparisonSettings
from search.settings.study import StudySettings

STAGES = "stages: [{width: 16, depth: 1, num_heads: 2, blocks: [w_msa]}]"
VARIANT = f"{{image_size: 16, in_channels: 3, num_classes: 4, {STAGES}}}"


def ask(line):
    (question,) = COMMANDS["data"].parse("data", line.split())
    return question


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_words_they_are_those_of_the_default_study():
    question = ask("")
    assert question.settings.data.source == "digits"
    assert question.variant.image_size == (8, 8)
    assert not question.is_proposed


def test_the_first_network_of_a_space_says_what_it_takes(place):
    (place / "mine.yaml").write_text(
        f"data: {{source: photographs}}\nvariant: {VARIANT}\n"
        "recipe: {epochs: 3, shift: {choose: [2, 0]}}\n"
    )
    question = ask("mine.yaml --variant.image_size 24 --recipe.flip horizontal")
    assert isinstance(question.settings, StudySettings)
    assert question.variant.image_size == (24, 24)
    assert (question.recipe.shift, question.recipe.flip) == (2, "horizontal")


@pytest.mark.parametrize("words", ["mine.yaml", "--config mine.yaml", "--config=mine.yaml"])
def test_a_comparison_is_one_too(place, words):
    (place / "mine.yaml").write_text(
        f"data: {{source: photographs}}\nvariant: {VARIANT}\nrecipe: {{epochs: 3}}\n"
        "arms: [{label: plain}, {add: mdta}]\n"
    )
    question = ask(f"{words} --recipe.preset small_images")
    assert isinstance(question.settings, ComparisonSettings)
    assert question.recipe.mixup > 0


@pytest.mark.parametrize(("name", "kind"), [("halves", "compare"), ("images", "search")])
def test_bundled_files_are_named_alone(name, kind):
    question = ask(name)
    assert question.settings.data.source
    assert isinstance(question.settings, ComparisonSettings) == (kind == "compare")


def test_images_themselves_get_the_size_that_a_run_proposes(place, photos):
    (place / "photos").symlink_to(photos)
    question = ask("photos --data.options.resize pad")
    assert question.is_proposed
    assert question.settings.data.options == {"path": "photos", "resize": "pad"}
    assert (question.variant.image_size, question.variant.in_channels) == ((16, 16), 3)
    assert question.settings.name == "photos"


def test_images_are_named_as_for_a_run(place, photos):
    (place / "digits").symlink_to(photos)
    question = ask("--images digits")
    assert question.is_proposed and question.settings.data.options["path"] == "digits"


def test_arrays_themselves(place):
    images = np.zeros((4, 12, 12), np.uint8)
    np.savez(place / "set.npz", train_images=images, train_labels=np.arange(4))
    question = ask("set.npz")
    assert question.settings.data.source == "npz"
    assert (question.variant.image_size, question.variant.in_channels) == ((12, 12), 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nowhere/set.npz", r"'nowhere/set.npz': there is no such folder or file in "),
        ("nothing", "there is no file 'nothing', nor a bundled config of that name"),
        ("mine --data.options.path other", "'mine' names the images, and --data.options.path"),
        ("mine --data.source npz", "leave one of the two out"),
        ("mine --images mine", "both say which images; leave one of the two out"),
        ("--images nowhere", "'nowhere': there is no such folder or file in "),
        ("--out sheet.jpg", r"written as \.png or \.svg"),
        ("--columns 0", "--columns must be at least 1"),
        ("--split test", "split must be one of train, validation"),
        ("--data.sorce digits", "unknown option '--data.sorce'; did you mean '--data.source'"),
    ],
)
def test_what_cannot_be_is_said(place, line, message):
    (place / "mine").mkdir()
    with pytest.raises(InputError, match=message):
        ask(line)
