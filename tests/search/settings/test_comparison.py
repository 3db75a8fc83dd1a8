import pytest

from hybrid_swin.errors import InputError
from search.cli.commands import COMMANDS
from search.settings.comparison import (
    ArmSettings,
    ComparisonSettings,
    MatchSettings,
    PrimarySettings,
)


def test_an_arm_is_named_by_what_it_is():
    assert ArmSettings().name == "base"
    assert ArmSettings(add="mdta:gate").name == "+mdta:gate"
    assert ArmSettings(blocks=("w_msa", "sw_msa")).name == "w_msa sw_msa"
    assert ArmSettings(add="mdta", label="ours").name == "ours"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": 1}, "one training of each arm gives no interval"),
        ({"selection_seeds": 0}, "selection_seeds must be at least 1; got 0"),
        ({"match": MatchSettings(by=())}, "match.by is empty"),
        ({"match": MatchSettings(by=("macs", "macs"))}, "one way twice"),
        ({"match": MatchSettings(tolerance=-0.1)}, "match.tolerance must be at least 0"),
        ({"learning_rates": (0.1, -1.0)}, "must be above 0; got -1.0"),
        ({"learning_rates": (0.1, float("nan"))}, "must be above 0; got nan"),
        ({"learning_rates": (0.1, 0.1)}, "one rate twice"),
        ({"init": "swin.safetensors"}, "match.by control"),
        ({"name": "a/b"}, "becomes a folder"),
    ],
)
def test_what_cannot_be_compared_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        ComparisonSettings(**settings)


def test_more_seeds_go_on_with_the_same_comparison():
    few, many = ComparisonSettings(seeds=3), ComparisonSettings(seeds=9, folder="elsewhere")
    assert few.fixed() == many.fixed()
    assert few.fixed() != ComparisonSettings(seeds=3, learning_rates=(0.1,)).fixed()


def test_first_weights_fit_where_widths_stay():
    kept = ComparisonSettings(init="a.ckpt", match=MatchSettings(by=("control", "none")))
    assert kept.init == "a.ckpt"


def test_a_later_word_may_undo_a_primary_question_and_a_baseline(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("primary: {arm: +mdta, against: base}\nbaseline: base\narms: [{}, {add: mdta}]")
    words = ["--primary.arm=", "--primary.against", "", "--baseline="]
    settings = COMMANDS["compare"].parse("compare", [f"--config={file}", *words])[1]
    assert (settings.primary, settings.baseline) == (PrimarySettings(), "")
    with pytest.raises(InputError, match=r"arms\.0\.label is empty"):
        COMMANDS["compare"].parse("compare", ["--arms", "[{label: ''}]"])
