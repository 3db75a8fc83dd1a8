"""Looks at a growing comparison: planned ones share the level, others pay extra."""

import dataclasses

import pytest

from search.comparison.design.plan_file import write_plan
from search.comparison.results.comparison import Comparison
from search.records.looks import Look, record_look
from search.statistics.looks import level_of_look, pocock_level
from search.study.looks import about_looks, level_at, next_target, target_so_far

PLANNED = (3, 5, 8, 10)


def looks(*seeds):
    return [Look(n, n, "compare") for n in seeds]


def test_each_start_goes_on_to_the_next_planned_look():
    assert [next_target(PLANNED, looks(*PLANNED[:n])) for n in range(5)] == [3, 5, 8, 10, 10]
    assert next_target((8,), looks(5)) == 8


@pytest.mark.parametrize(
    ("planned", "looked", "expected"),
    [
        ((5,), (5,), 0.05),
        ((5,), (8,), 0.05),  # nobody looked at 5
        ((5,), (5, 8), level_of_look((5,), 2)),
        ((5,), (5, 8, 10), level_of_look((5,), 3)),
        (PLANNED, (3,), pocock_level(PLANNED)),
        (PLANNED, (3, 5, 8), pocock_level(PLANNED)),
        (PLANNED, (3, 5, 6), level_of_look(PLANNED, 5)),
        (PLANNED, (3, 5, 6, 8), pocock_level(PLANNED)),
    ],
)
def test_the_level_of_a_look(planned, looked, expected):
    assert level_at(planned, looked) == pytest.approx(expected)


def test_looks_are_said():
    assert about_looks((5,), (5,), 0) == []
    (planned,) = about_looks(PLANNED, (3, 5), 0)
    assert "This is look 2 at this comparison (at 3, 5 seeds; planned: 3, 5, 8, 10)." in planned
    assert "in at most 5%." in planned
    assert "goes on to 8 seeds" in planned
    (added,) = about_looks((5,), (5, 8), 0)
    assert "held to 0.75%, since the look at 8 seeds was not planned" in added
    assert "at most 6.5%." in added


def test_a_comparison_knows_its_looks_from_its_folder(fake, tmp_path):
    """A second look at more seeds, which nobody planned, is tested at a stricter level."""
    made = fake.Made(tmp_path / "made", fake.settings(seeds=3, learning_rates=())).fill()
    write_plan(made.plan, made.folder)
    first = made.read()
    assert (first.looked, first.level) == ((3,), 0.05)
    record_look(made.folder, Look(3, 3, "compare"))
    assert made.read().digest() == first.digest()
    more = dataclasses.replace(made.settings, seeds=5)
    made.plan = dataclasses.replace(made.plan, settings=more)
    made.fill()
    assert target_so_far((5,), made.folder) == 5
    second = Comparison.from_folder(made.folder, made.plan)
    assert (second.looked, second.planned) == ((3, 5), (3,))
    assert second.level == pytest.approx(0.0075)
    assert {v.level for r in second.results if (v := r.versus)} == {0.0075}
