import pytest

from search.cli.cost import command as cost_table
from search.cli.cost.rows import Question
from search.cli.main import main


@pytest.fixture
def asked(monkeypatch):
    """What the command line asks of `cost`."""
    calls = []

    def print_costs(question):
        calls.append(question)
        return 0

    monkeypatch.setattr(cost_table, "print_costs", print_costs)
    return calls


def test_options_arrive_as_they_are_given(asked):
    line = (
        "cost swin_t conv --plugin a.py --image-size 64x32 --match 2M --by parameters "
        "--tolerance 0.05 --save here --measure --device cpu --threads 2 --batch 4 --rounds 3 "
        "--format csv"
    )
    assert main(line.split()) == 0
    assert asked == [
        Question(
            ("swin_t", "conv"),
            plugin=("a.py",),
            image_size="64x32",
            match="2M",
            by="parameters",
            tolerance=0.05,
            measure=True,
            device="cpu",
            threads=2,
            batch=4,
            rounds=3,
            save="here",
            format="csv",
        )
    ]


def test_without_options_nothing_is_measured_or_matched(asked):
    assert main(["cost"]) == 0
    assert asked == [Question()]


@pytest.mark.parametrize(
    "options",
    [["--by", "speed"], ["--device", "tpu"], ["--batch", "two"], ["--format", "xml"], ["--mach"]],
)
def test_what_is_no_option_is_refused(options, asked, capsys):
    assert main(["cost", "swin_t", *options]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert asked == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--match", "swin_q"], "did you mean 'swin_"),
        (["--match", "1", "--by", "parameters"], "reaches from"),
        (["--match", "swin_s", "--tolerance", "-1"], "tolerance, a share as in 0.01, must be"),
        (["--by", "latency"], "give --match as well"),
        (["--image-size", "big"], "--image-size must be pixels"),
        (["--plugin", "none.py"], "none.py"),
    ],
)
def test_mistakes_are_one_message(options, message, capsys):
    assert main(["cost", "swin_t", *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ") and message in err
