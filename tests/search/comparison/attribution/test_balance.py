import itertools

import numpy as np
import pytest

from search.comparison.attribution.design import leak, make_design
from search.comparison.attribution.model import attribute
from search.comparison.attribution.trial import Trial, Trials

WORDS = ("base", "conv", "mdta")
WHOLE = list(itertools.product(WORDS, repeat=2))
# what two added arms and the factor stages [[0], [1], all] come to
STAGES = [pair for pair in WHOLE if "base" in pair or pair[0] == pair[1]]


def leak_of(pairs, interactions=False, others=None, **more):
    others = others or [{}] * len(pairs)
    rows = [
        Trial(pair, 0.9, f"c{i}", others=other, cost={"macs": 1.0 + i % 2})
        for i, (pair, other) in enumerate(zip(pairs, others, strict=True))
    ]
    return leak(make_design(rows, interactions, **more))


def test_a_whole_factorial_leaks_nothing():
    assert leak_of(WHOLE) == ""
    assert leak_of(WHOLE * 2) == ""
    assert leak_of(WHOLE * 2, interactions=True) == ""
    assert leak_of(WHOLE * 2, adjust="macs") == ""  # a cost is not a factor
    assert leak_of([(word,) for word in (*WORDS, "base")]) == ""  # nothing stands beside it


def test_missing_combinations_are_counted():
    assert leak_of(STAGES).startswith("Only 7 of 9 combinations of stage 0 x stage 1 were tried: ")
    # as many coefficients as combinations, yet one of four is missing
    assert leak_of(WHOLE[:2] + WHOLE[3:4]).startswith("Only 3 of 4")


def test_unequal_counts_are_told_where_they_matter():
    told = leak_of([*WHOLE, WHOLE[0]])
    assert "stage 0 x stage 1 were tried unequally often (1 to 2 times)" in told
    assert leak_of([*WHOLE, WHOLE[0]], interactions=True) == ""  # each has its coefficient


def test_other_things_that_were_varied_count_too():
    others = [{"reach": reach} for reach in (1, 2) for _ in WHOLE]
    assert leak_of(WHOLE * 2, others=others) == ""
    told = leak_of((WHOLE * 2)[1:], others=others[1:])
    assert told.startswith("Only 17 of 18 combinations of stage 0 x stage 1 x reach")


def saturating(pairs):
    """Any added block anywhere gives .05, a second one no more; seeds share their skill."""
    rng = np.random.default_rng(0)
    skill = rng.normal(0, 0.01, 5)
    rows = []
    for pair, seed in itertools.product(pairs, range(5)):
        gain = 0.0 if pair == ("base", "base") else 0.05
        score = 0.9 + gain + skill[seed] + rng.normal(0, 1e-4)
        rows.append(Trial(pair, score, "|".join(pair), seed))
    return attribute(Trials("s", "val/accuracy", "max", tuple(rows), len(rows)))


@pytest.mark.parametrize(("pairs", "whole"), [(WHOLE, True), (STAGES, False)])
def test_effects_are_means_over_the_other_stage_only_where_it_is_whole(pairs, whole):
    """Base in stage 0 has .05 in 2 of 3 combinations, all have it in 8 of 9."""
    truth = 0.05 * (2 / 3 - 8 / 9)
    told = saturating(pairs)
    effect = next(e for e in told.effects if (*e.stage, *e.word) == ("stage 0", "base"))
    assert (effect.low <= truth <= effect.high) == whole
    assert told.whole == whole
    assert any("Only 7 of 9 combinations" in note for note in told.notes) == (not whole)
