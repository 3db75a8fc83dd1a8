import io
import re

import pytest

from hybrid_swin.system.console import Console
from search.comparison.report.latex_tables import to_latex
from search.comparison.report.rows import lines_of
from search.comparison.report.tables import print_comparison, to_markdown

CONTROL = "+mdta(attention=false)"


@pytest.fixture
def found(fake):
    """Two ways of matching, a control, an undertrained arm, a lost seed, a rate at the edge."""
    arms = []
    for matching in ("macs", "parameters"):
        against = fake.versus(0.004, holm_p=0.3, against=CONTROL, cause="channel attention")
        arms += [
            fake.arm("base", matching=matching, unsolved=4, chosen_rates=(0.01,) * 5),
            fake.arm(
                "+mdta",
                fake.versus(0.05),
                [against],
                matching=matching,
                milestone_epochs=3.5,
                unsolved=0,
            ),
            fake.arm(CONTROL, fake.versus(-0.03), matching=matching, undertrained=True),
            fake.arm("+conv", fake.versus(0.0, holm_p=1.0), matching=matching, seeds=4),
        ]
    return fake.comparison(*arms, matchings=("macs", "parameters"), milestone=0.95)


def printed(found, width):
    console = Console(width=width, record=True, file=io.StringIO())
    print_comparison(found, console)
    return console.export_text()


def test_lines(found):
    lines = lines_of(found)
    assert [line.arm for line in lines[:5]] == ["base", "+mdta", CONTROL, CONTROL, "+conv"]
    assert [line.control for line in lines[:5]] == [False, False, True, False, False]
    assert [line.marks for line in lines[:5]] == ["|", "+", "=", "-^", "=!"]
    whole = lines[1]
    assert (whole.difference, whole.p) == ("+5.0 [+4.0, +6.0]", ".001")
    assert whole.score == "95.0 [88.0, 95.0]"
    assert (whole.parameters, whole.macs) == ("23.4K -12.0%", "1.2M +0.3%")
    assert whole.milestone == "3.5 (5/5)"
    assert lines[0].milestone == "- (1/5)"
    assert lines[2].cause == "channel attention"


@pytest.mark.parametrize("width", [120, 150])
def test_the_terminal_shows_arms_whole_and_nothing_beyond_its_width(found, width):
    text = printed(found, width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count(CONTROL) >= 4
    assert "matched by MACs" in text
    assert "+5.0 [+4.0, +6.0]" in text
    assert ("P(better)\n" in text.replace(" ", "\n")) == (width == 150)
    assert ("of P(better) hold with 95%" in " ".join(text.split())) == (width == 150)
    assert ("params" in text) == (width >= 120)
    assert "= not shown different" in text


@pytest.mark.parametrize("width", [80, 90, 120])
@pytest.mark.parametrize("milestone", [None, 0.95])
def test_where_columns_are_few_the_arm_wraps_and_no_figure_or_mark_is_cut(fake, width, milestone):
    long = "w_msa+mdta without attention, or whatever else an arm may be called by its owner"
    apart = {"difference": 0.162, "half": 0.06}
    controls = [
        fake.versus(**apart, holm_p=1.0, against="+pointwise"),
        fake.versus(**apart, holm_p=1e-9, against=long),
    ]
    arms = [
        fake.arm("base", unsolved=4, chosen_rates=(0.01,) * 5),
        fake.arm("+mdta", fake.versus(**apart), controls, unsolved=0, milestone_epochs=12.5),
        fake.arm("+pointwise", fake.versus(0.0, holm_p=0.76), undertrained=True, seeds=4),
        fake.arm(long, fake.versus(-0.16, 0.06), chosen_rates=(0.01,) * 5),
    ]
    text = printed(fake.comparison(*arms, milestone=milestone), width)
    assert max(map(len, text.splitlines())) <= width
    table = text.partition("+ shown better")[0].partition("paired seeds with")[2]
    rows = [line.split() for line in table.splitlines() if "]" in line]
    assert [row[-1] for row in rows] == ["|", "+", "=", "+", "=^!", "-|"]
    shown = [" ".join(row) for row in rows]
    assert all("+16.2 [+10.2, +22.2]" in row for row in shown[1:4])
    for row, p in zip(shown[1:], [".001", "1", "<.001", ".760", ".001"], strict=True):
        assert f"] {p} " in row
    assert ("12.5 (5/5)" in shown[1]) == (milestone is not None)
    assert all(table.split().count(word) >= 2 for word in long.split())  # an arm and a control


def test_words_are_no_markup(fake):
    arm = fake.arm("[bold]x[/bold]\x1b[31m", fake.versus(0.05))
    text = printed(fake.comparison(fake.arm("base"), arm), 150)
    assert "[bold]x[/bold]?[31m" in text


def test_effects_stand_in_the_full_report(fake):
    text = printed(fake.comparison(fake.arm("base"), effects=[fake.effect()]), 120)
    assert "recipe=rich instead of recipe=plain" in text and "Effects of factors in points" in text


def test_markdown(found):
    text = to_markdown(found)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 10
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "against +mdta(attention=false) (channel attention)" in text
    assert "- Still improving when training ended" in text
    assert "Intervals of scores and of P(better) hold with 95% each" in text
    tricky = to_markdown(found).replace(r"\|", "")
    assert "<.001" not in tricky


def test_a_waiting_comparison_can_be_shown(fake):
    waiting = {"state": "waiting", "seeds": 0, "test_mean": None, "validation_mean": None}
    empty = fake.versus(difference=0.0, half=0.0)
    empty = type(empty)("base", "")
    arms = [fake.arm("base", **waiting), fake.arm("+mdta", **waiting, versus=empty, against="base")]
    text = printed(fake.comparison(*arms, pending=10), 120)
    assert "10 trainings have not ended" in text
    assert "tabular" in to_latex(fake.comparison(*arms))


def test_a_score_of_validation_is_marked_below_a_head_of_test(fake):
    found = fake.comparison(fake.arm("base"), fake.arm("+mdta", fake.versus(), test_mean=None))
    assert [line.marks for line in lines_of(found)] == ["", "+v"]
    assert "v score of validation: test was not read" in printed(found, 150)
    alone = fake.comparison(fake.arm("base", test_mean=None))
    assert [line.marks for line in lines_of(alone)] == [""]
