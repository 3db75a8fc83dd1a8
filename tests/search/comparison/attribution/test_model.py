import itertools
import math

import numpy as np
import pytest

from hybrid_swin.errors import InputError
from search.comparison.attribution.design import make_design
from search.comparison.attribution.model import attribute
from search.comparison.attribution.trial import Trial, Trials

WORDS = ("conv", "mdta", "w_msa")
PLANTED = np.array([[0.02, -0.03, 0.01], [0.0, 0.0, 0.0]])  # stage, word; rows add up to zero
TOGETHER = np.array([[0.01, -0.01, 0.0], [-0.01, 0.01, 0.0], [0.0, 0.0, 0.0]])
RATES = {0.001: -0.02, 0.003: 0.015, 0.01: 0.005}


def study(rows, **changes):
    return Trials("planted", "val/accuracy", "max", tuple(rows), len(rows), **changes)


def random_trials(rng, count, together=None):
    """Random trials of the planted model; the noise is larger where there is mdta."""
    a, b = rng.integers(0, 3, (2, count))
    mdta = WORDS.index("mdta")
    noise = rng.normal(0, np.where((a == mdta) | (b == mdta), 0.02, 0.01))
    rates = rng.choice(list(RATES), count).tolist()
    scores = 0.9 + PLANTED[0, a] + PLANTED[1, b] + [RATES[rate] for rate in rates] + noise
    if together is not None:
        scores += together[a, b]
    return [
        Trial((WORDS[i], WORDS[j]), score, f"c{index}", others={"recipe.learning_rate": rate})
        for index, (i, j, score, rate) in enumerate(zip(a, b, scores.tolist(), rates, strict=True))
    ]


def by_name(effects):
    return {(*effect.stage, *effect.word): effect for effect in effects}


def test_effects_of_a_planted_model_are_found_without_bias_and_covered():
    rng, replays = np.random.default_rng(0), 400
    truth = {(f"stage {s}", word): PLANTED[s, w] for s in range(2) for w, word in enumerate(WORDS)}
    estimates = {name: [] for name in truth}
    covered = 0
    for _ in range(replays):
        found = by_name(attribute(study(random_trials(rng, 50))).effects)
        for name, effect in found.items():
            estimates[name].append(effect.estimate)
        covered += all(one.low <= truth[name] <= one.high for name, one in found.items())
    for name, values in estimates.items():
        assert np.mean(values) == pytest.approx(
            truth[name], abs=4 * np.std(values) / np.sqrt(replays)
        ), name
    assert 0.93 <= covered / replays <= 0.98  # all six of the table together


def test_a_stage_that_does_nothing_is_rarely_shown_to_do_something():
    rng, replays, wrong = np.random.default_rng(1), 400, 0
    for _ in range(replays):
        pairs, scores = rng.choice(WORDS, (40, 2)).tolist(), rng.normal(0.9, 0.01, 40).tolist()
        rows = [
            Trial(tuple(pair), score, f"c{i}")
            for i, (pair, score) in enumerate(zip(pairs, scores, strict=True))
        ]
        wrong += any(effect.is_shown for effect in attribute(study(rows)).effects)
    assert wrong / replays <= 0.065


def test_interactions_are_found():
    rng, replays = np.random.default_rng(2), 150
    found = {}
    for _ in range(replays):
        told = attribute(study(random_trials(rng, 100, TOGETHER)), interactions=True)
        for name, effect in by_name(told.interactions).items():
            found.setdefault(name, []).append((effect.estimate, effect.low, effect.high))
    assert len(found) == 9
    covered = np.ones(replays, dtype=bool)
    for (_, _, first, second), values in found.items():
        truth = TOGETHER[WORDS.index(first), WORDS.index(second)]
        estimates, low, high = np.array(values).T
        assert estimates.mean() == pytest.approx(truth, abs=4 * estimates.std() / np.sqrt(replays))
        covered &= (low <= truth) & (truth <= high)
    assert 0.93 <= covered.mean() <= 0.995  # all nine together


def test_effects_by_hand():
    """Two words in one stage, HC3 by its definition."""
    scores = {"a": [0.90, 0.92, 0.94, 0.96], "b": [0.80, 0.80, 0.86, 0.86]}
    rows = [Trial((word,), s, f"{word}{s}") for word, all_ in scores.items() for s in all_]
    told = attribute(study(rows))
    effect = by_name(told.effects)["stage 0", "a"]
    assert told.mean == pytest.approx(0.88)
    assert effect.estimate == pytest.approx(0.05)
    # leverage 1/4 for all; Var = sum e^2 / (3/4)^2 / 64
    residuals = np.array([-0.03, -0.01, 0.01, 0.03, -0.03, -0.03, 0.03, 0.03])
    error = np.sqrt(np.square(residuals / 0.75).sum()) / 8
    # t(6), of one question: the two rows are one
    assert (effect.high - effect.low) / 2 == pytest.approx(2.446912 * error, rel=1e-5)
    assert effect.confidence == pytest.approx(0.95)
    other = by_name(told.effects)["stage 0", "b"]
    assert other.estimate == pytest.approx(-0.05)
    # one question, though it stands in two rows: Holm does not count it twice
    assert effect.holm_p == effect.p_value == pytest.approx(other.holm_p)
    assert (effect.trials, other.trials, told.trials) == (4, 4, 8)


def factorial(rng, seeds, effects, noise=0.004):
    """Every pair of words at each seed; seeds move all scores together."""
    scores = 0.9 + effects[:, None, None] + TOGETHER[:, :, None] + rng.normal(0, 0.02, seeds)
    scores = (scores + rng.normal(0, noise, scores.shape)).tolist()
    return [
        Trial((first, second), scores[a][b][seed], f"{first}/{second}", seed)
        for (a, first), (b, second) in itertools.product(enumerate(WORDS), repeat=2)
        for seed in range(seeds)
    ]


@pytest.mark.parametrize("seeds", [3, 10])
def test_a_factorial_over_seeds_is_covered(seeds):
    rng, replays = np.random.default_rng(seeds), 400
    inside, errors = [], []
    for _ in range(replays):
        told = attribute(study(factorial(rng, seeds, PLANTED[0])))
        truths = {("stage 0", w): PLANTED[0, i] for i, w in enumerate(WORDS)}
        truths |= {("stage 1", w): 0.0 for w in WORDS}
        effects = by_name(told.effects)
        inside.append(all(effects[n].low <= t <= effects[n].high for n, t in truths.items()))
        errors.append(effects["stage 0", "mdta"].estimate + 0.03)
    assert told.method == f"t over {seeds} paired seeds, 9 candidates"
    assert 0.925 <= np.mean(inside) <= 0.995  # six together; 400 replays: +-.02
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(replays)


def test_equal_scores_are_no_certainty():
    """Each seed gives the same effect: one image won and one lost more tell that it may vary."""
    rows = [Trial((w,), 0.9 + 0.01 * i, w, s) for i, w in enumerate(WORDS) for s in range(3)]
    told = attribute(study(rows, images=100))
    effect = by_name(told.effects)["stage 0", "conv"]
    assert effect.low < effect.estimate < effect.high
    assert 0 < effect.p_value < 1
    unknown = by_name(attribute(study(rows)).effects)["stage 0", "conv"]
    assert (unknown.low, unknown.high, unknown.p_value) == (-math.inf, math.inf, 1.0)


def test_seeds_that_lack_a_candidate_are_left_out():
    rows = factorial(np.random.default_rng(0), 5, PLANTED[0])
    told = attribute(study(rows[1:]))  # the first lost its seed 0
    assert told.method.startswith("t over 4 paired seeds")
    assert "1 seeds lack a candidate" in told.notes[-1]
    with pytest.raises(InputError, match="only 2 seeds"):
        attribute(study([row for row in rows if row.replicate < 2]))


def test_stages_that_always_hold_the_same_are_told_of_as_one():
    rng = np.random.default_rng(0)
    rows = [
        Trial((word, word, "w_msa"), rng.normal(0.9, 0.01), f"{word}{i}")
        for word in WORDS
        for i in range(5)
    ]
    told = attribute(study(rows))
    assert {effect.stage for effect in told.effects} == {("stages 0, 1",)}
    assert "their effects are one" in told.notes[0]
    assert "stages 0, 1 is over what was tried" in told.notes[1]
    assert "stage 2 always holds w_msa" in told.notes[2]


def test_what_cannot_be_told_apart_is_named():
    rows = []
    for i in range(30):
        word, rate = WORDS[i % 3], (0.1, 0.2, 0.3)[i % 3]
        rows.append(
            Trial((word, WORDS[i // 10]), 0.9 + i / 1000, f"c{i}", others={"recipe.rate": rate})
        )
    with pytest.raises(InputError, match=r"stage 0, recipe\.rate") as caught:
        attribute(study(rows))
    assert "stage 1" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "0 trainings with a score"),
        ([Trial(("conv",), 0.9, "a"), Trial(("conv", "conv"), 0.9, "b")], "numbers of stages"),
        ([Trial(("conv",), 0.9, "a"), Trial(("conv",), 0.8, "b")], "no stage has blocks that vary"),
        ([Trial((w,), 0.9, f"{w}{i}") for w in WORDS for i in range(2)], "too few; 8 are"),
        (
            [Trial(("conv",), 0.9, "x")]
            + [Trial((w,), 0.9, f"{w}{i}") for w in WORDS[1:] for i in range(5)],
            r"one trial alone \(conv\)",
        ),
    ],
)
def test_what_tells_nothing_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        attribute(study(rows))


def test_a_number_with_many_values_is_a_curve():
    rng = np.random.default_rng(0)
    rates = 10 ** rng.uniform(-4, -2, 60)
    rows = [
        Trial((WORDS[i % 3],), 0.9 - 0.02 * np.log10(r / 1e-3) ** 2, f"c{i}", others={"lr": r})
        for i, r in enumerate(rates)
    ]
    told = attribute(study(rows))
    assert told.covariates == ("lr",)
    assert told.residual_std < 1e-12  # the parabola explains all


def test_effects_at_equal_cost():
    """A block that only costs more gains nothing once the cost is in the model."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        word = WORDS[i % 3]
        macs = float(rng.integers(1, 9)) * (2 if word == "mdta" else 1)
        score = 0.9 + 0.02 * np.log(macs) + rng.normal(0, 0.001)
        rows.append(Trial((word,), score, f"c{i}", cost={"macs": macs}))
    plain = by_name(attribute(study(rows)).effects)["stage 0", "mdta"]
    equal = by_name(attribute(study(rows), adjust="macs").effects)["stage 0", "mdta"]
    assert plain.estimate > 0.005
    assert equal.low < 0 < equal.high
    with pytest.raises(InputError, match="--adjust none"):
        attribute(study(rows), adjust="parameters")


@pytest.mark.parametrize(("spread", "refused"), [(0.0, True), (0.002, True), (0.05, False)])
def test_a_cost_that_hardly_varies_is_not_adjusted_for(spread, refused):
    rng = np.random.default_rng(0)
    rows = [
        Trial((WORDS[i % 3],), 0.9, f"c{i}", cost={"macs": 1e6 * (1 + spread * rng.normal())})
        for i in range(30)
    ]
    if refused:
        with pytest.raises(
            InputError, match=r"--adjust macs: .* spread by 0\.\d\d% only"
        ) as caught:
            attribute(study(rows), adjust="macs")
        assert "leave out --adjust" in str(caught.value)
    else:
        told = attribute(study(rows), adjust="macs")
        assert told.covariates == ("log macs",)
        assert not told.whole  # at equal cost is not a mean over what stood there


def test_coding_adds_up_to_zero():
    rows = [Trial((a, b), 0.9, a + b) for a in WORDS for b in WORDS] * 2
    design = make_design(rows, interactions=True)
    first, second = design.factors
    assert np.allclose(sum(design.effect(first, i) for i in range(3)), 0)
    for i in range(3):
        assert np.allclose(sum(design.interaction(first, i, second, j) for j in range(3)), 0)
    assert design.matrix.shape == (18, 1 + 2 + 2 + 4)
