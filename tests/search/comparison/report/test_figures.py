from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from search.comparison.report.by_factor import draw_factor
from search.comparison.report.figures import numeric_factors, save_figures
from search.comparison.report.forest import (
    BETTER,
    HOLLOW,
    TIE,
    WORSE,
    draw_differences,
    draw_effects,
)
from search.comparison.results.claims import JudgedClaim
from search.comparison.results.reach_truth import KnownAccuracy
from search.settings.claims import ClaimSettings

CONTROL = "+mdta(attention=false)"
FACTOR = "data.options.reach"


@pytest.fixture
def by_reach(fake):
    """An arm that solves all reaches, one that never does."""
    arms = []
    for reach in (2, 4, 6):
        where = {"cell": f"reach={reach}", "levels": {FACTOR: reach}}
        arms += [
            fake.arm("base", **where, test_mean=0.5, unsolved=5),
            fake.arm("+mdta", fake.versus(0.4), **where, milestone_epochs=reach / 2, unsolved=0),
        ]
    return fake.comparison(*arms, factors={FACTOR: [2, 4, 6]}, milestone=0.95)


def drawn(draw, *given):
    figure = Figure()
    draw(given[0], given[1], figure, *given[2:]) if draw is draw_factor else draw(*given, figure)
    return figure


def line_of(axes, colour):
    return [line for line in axes.lines if to_hex(line.get_color()) == colour.lower()]


def test_every_difference_has_a_row_in_the_colour_of_its_verdict(fake):
    against = fake.versus(0.004, holm_p=0.3, against=CONTROL, cause="channel attention")
    found = fake.comparison(
        fake.arm("base"),
        fake.arm("+mdta", fake.versus(0.05, half=0.01), [against]),
        fake.arm(CONTROL, fake.versus(-0.03), undertrained=True),
    )
    (axes,) = drawn(draw_differences, found).axes
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["+mdta", "channel attention: against +mdta(attention=false)", CONTROL]
    bar, point = line_of(axes, BETTER)
    assert list(bar.get_xdata()) == pytest.approx([4.0, 6.0])  # points
    assert list(point.get_ydata()) == [0]
    assert [line.get_marker() for line in line_of(axes, TIE)][1] == "s"
    # the control is kept out, so both differences that it is part of are hollow
    hollow = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() in "os"]
    assert hollow == [BETTER, "white", "white"]
    assert len(line_of(axes, WORSE)) == 0  # nor do they keep the colours of what is shown
    low, high = axes.get_xlim()
    assert low == -high < -6


def test_what_the_table_marks_is_hollow_in_every_figure(fake, by_reach):
    guesses = fake.arm("+conv", fake.versus(-0.4), at_chance=True)
    figure = drawn(draw_differences, fake.comparison(fake.arm("base"), guesses))
    (point,) = (line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert (point.get_color(), point.get_markerfacecolor()) == (WORSE, "white")  # shown, and marked
    assert any(HOLLOW in text.get_text() for text in figure.texts)
    both = fake.comparison(fake.arm("base", at_chance=True), guesses)
    assert not line_of(drawn(draw_differences, both).axes[0], WORSE)  # two that guess: kept out
    effects = fake.comparison(fake.arm("base"), effects=[fake.effect(guessing=True)])
    figure = drawn(draw_effects, effects)
    assert figure.axes[0].lines[1].get_markerfacecolor() == "white"
    assert any(HOLLOW in text.get_text() for text in figure.texts)
    results = [replace(r, at_chance=r.arm == "base") for r in by_reach.results]
    figure = drawn(draw_factor, replace(by_reach, results=tuple(results)), FACTOR)
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert [float(line.get_ydata()[0]) for line in hollow] == [50, 50, 50]
    assert HOLLOW in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_panel_for_each_way_of_matching_and_a_head_for_each_cell(fake):
    arms = [
        fake.arm(name, versus, cell=cell, matching=matching)
        for cell in ("reach=2", "reach=4")
        for matching in ("macs", "parameters")
        for name, versus in (("base", None), ("+mdta", fake.versus(0.05)))
    ]
    found = fake.comparison(*arms, matchings=("macs", "parameters"))
    first, second = drawn(draw_differences, found).axes
    names = [tick.get_text() for tick in first.get_yticklabels()]
    assert names == ["reach=2", "+mdta", "reach=4", "+mdta"]
    assert [axes.get_title(loc="left") for axes in (first, second)] == [
        "matched by MACs",
        "matched by parameters",
    ]
    assert len(line_of(second, BETTER)) == 4


def test_labels_do_not_overlap_or_leave_the_figure(fake):
    against = fake.versus(0.004, against=CONTROL, cause="depthwise convolution")
    found = fake.comparison(fake.arm("base"), fake.arm("+mdta", fake.versus(0.05), [against]))
    figure = drawn(draw_differences, found)
    figure.canvas.draw()
    boxes = [tick.get_window_extent() for tick in figure.axes[0].get_yticklabels()]
    assert min(box.x0 for box in boxes) >= 0
    (below,) = (text for text in figure.texts if HOLLOW in text.get_text())
    assert below.get_window_extent().x1 <= figure.bbox.x1
    heights = sorted(boxes, key=lambda box: box.y0)
    assert all(a.y1 <= b.y0 + 1 for a, b in pairwise(heights))


def claim(name="+mdta against base", against="base", **values):
    arm = {} if "factor" in values else {"arm": "+mdta"}
    return JudgedClaim(ClaimSettings("A", **arm, **values), name, "", "macs", against)


def test_published_sizes_stand_above_their_bar_and_at_the_edge_if_they_are_far_off(fake):
    found = fake.comparison(
        fake.arm("base"),
        fake.arm("+mdta", fake.versus(0.05, half=0.01)),
        fake.arm("+conv", fake.versus(0.03, half=0.01)),
        published=[claim(difference=size) for size in (2.0, -34.9)] + [claim(order="better")],
    )
    figure = drawn(draw_differences, found)
    (axes,) = figure.axes
    near, far, *own = axes.lines
    assert (near.get_marker(), list(near.get_xdata())) == ("D", [2.0])
    assert (far.get_marker(), list(far.get_xdata())) == ("<", [axes.get_xlim()[0]])
    assert -0.5 < near.get_ydata()[0] < own[0].get_ydata()[0] == 0
    assert [text.get_text() for text in axes.texts] == ["-34.9"]
    entry = next(text for text in figure.texts if text.get_text() == "published")
    figure.canvas.draw()
    assert entry.get_window_extent().x1 <= figure.bbox.x1


def test_effects_of_factors_have_a_figure_of_their_own(fake, tmp_path):
    effects = [fake.effect(), fake.effect("interaction", -0.03, improving=True)]
    sizes = [claim("rich instead of plain", "plain", factor="recipe", level="rich", difference=4)]
    sizes = [replace(sizes[0], name=effects[0].name)]
    found = fake.comparison(
        fake.arm("base"), fake.arm("+mdta", fake.versus(0.05)), effects=effects, published=sizes
    )
    (axes,) = drawn(draw_effects, found).axes
    names = [tick.get_text().replace("\n", " ") for tick in axes.get_yticklabels()]
    assert names == [
        "One change",
        "recipe=rich instead of recipe=plain",
        "Does one change depend on another?",
        "recipe=rich brings with stem=conv more than with stem=patch",
    ]
    published, _, alone, _, interaction, _ = axes.lines
    assert (published.get_marker(), list(published.get_xdata())) == ("D", [4])
    assert alone.get_markerfacecolor() == BETTER and interaction.get_markerfacecolor() == "white"
    names = [file.name for file in save_figures(found, tmp_path)]
    assert names == ["differences.svg", "effects.svg"]


def test_scores_and_steps_against_a_factor(by_reach):
    cells = ("reach=2", "reach=4", "reach=6")
    truth = KnownAccuracy(
        {(cells[0], "base"): 1.0, (cells[1], "base"): 0.5},
        dict(zip(cells, (0.98, 0.97, 0.96), strict=True)),
    )
    scores, steps = drawn(draw_factor, by_reach, FACTOR, truth).axes
    base, mdta, ceiling, unknown, best = scores.lines
    assert list(unknown.get_ydata()) == []
    assert list(base.get_ydata()) == [50, 50, 50]
    assert list(mdta.get_ydata()) == pytest.approx([130] * 3)  # .9 + .4, made by hand
    assert np.abs(base.get_xdata() - np.array([2, 4, 6])).max() < 0.2
    assert (ceiling.get_linestyle(), list(ceiling.get_ydata())) == ("--", [100, 50])
    assert (best.get_linestyle(), list(best.get_ydata())) == (":", [98, 97, 96])
    never, solved = steps.lines
    assert list(never.get_ydata()) == []
    assert list(solved.get_ydata()) == [1, 2, 3]
    assert steps.get_ylabel() == "epochs to 95% (median)"
    assert scores.get_xlim() == steps.get_xlim()


def test_nine_arms_look_different(fake):
    where = [{"cell": f"depth={d}", "levels": {"depth": d}} for d in (1, 2)]
    arms = [fake.arm(f"arm {i}", **place) for place in where for i in range(11)]
    (axes,) = drawn(draw_factor, fake.comparison(*arms, factors={"depth": [1, 2]}), "depth").axes
    looks = {(line.get_color(), line.get_marker()) for line in axes.lines if line.get_xdata().size}
    assert len(looks) == 11


def test_factors_of_one_last_part_are_told_apart(fake, tmp_path):
    names = ["stages.0.depth", "stages.1.depth", "stages.2.depth"]
    arms = [
        fake.arm("base", cell=f"{a}{b}{c}", levels=dict(zip(names, (a, b, c), strict=True)))
        for a in (1, 2)
        for b in (1, 2)
        for c in (1, 2)
    ]
    found = fake.comparison(*arms, factors={name: [1, 2] for name in names})
    axes = drawn(draw_factor, found, names[0]).axes
    assert len(axes) == 4
    assert "stages.1.depth=1, stages.2.depth=2" in axes[1].get_title(loc="left")
    files = [file.name for file in save_figures(found, tmp_path)]
    assert files[1:] == [f"by_stages_{i}_depth.svg" for i in range(3)]


def test_a_label_is_no_formula(fake, tmp_path):
    found = fake.comparison(fake.arm("base"), fake.arm(r"$\foo$ a$x$", fake.versus(0.05)))
    (file,) = save_figures(found, tmp_path)
    assert file.stat().st_size > 1000


def test_numeric_factors(fake):
    factors = {FACTOR: [2, 4], "fusion": ["sum", "gate"], "alone": [3], "flag": [True, False]}
    assert numeric_factors(fake.comparison(factors=factors)) == [FACTOR]


def test_files_are_the_same_each_time(by_reach, tmp_path):
    files = save_figures(by_reach, tmp_path / "a")
    assert [file.name for file in files] == ["differences.svg", "by_reach.svg"]
    for file, again in zip(files, save_figures(by_reach, tmp_path / "b"), strict=True):
        assert file.read_bytes() == again.read_bytes()
        assert file.read_text().rstrip().endswith("</svg>")
