"""Effects over seeds and images: what they are, and that they hold for new images."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from search.comparison.attribution.design import make_design
from search.comparison.attribution.fits import CrossedFit
from search.comparison.attribution.model import attribute
from search.comparison.attribution.trial import Trial, Trials
from search.records.predictions import Correctness
from search.statistics.intervals import crossed_difference

WORDS = ("conv", "mdta")
PAIRS = tuple(itertools.product(WORDS, repeat=2))


def trials_of(right, groups=None):
    """Trials of a 2 x 2 factorial from what each candidate got right, (4, S, I)."""
    _, seeds, images = right.shape
    names = tuple(str(image) for image in range(images))
    rows, tested = [], {}
    for pair, right_SI in zip(PAIRS, right, strict=True):
        name = "/".join(pair)
        rows += [Trial(pair, float(right_SI[s].mean()), name, s) for s in range(seeds)]
        tested[name] = Correctness(tuple(range(seeds)), names, groups, right_SI)
    return Trials("s", "test/accuracy", "max", tuple(rows), len(rows), right=tested)


def validation_of(read):
    return Trials("s", "val/accuracy", "max", read.trials, read.total)


class World:
    """Images differ in how hard they are, and in what a block does to them; so do seeds."""

    def __init__(self, seed, images, gain=0.4):
        self.rng = np.random.default_rng(seed)
        self.images, self.gain = images, gain
        self.truth = self.effect(self.draw_images(200_000))

    def draw_images(self, images):
        ease = self.rng.normal(1.5, 1.5, images)
        moves = self.rng.normal(self.gain, 1.5, (2, images))  # of mdta, by stage
        return ease, moves

    def chances(self, drawn, skill=0.0):
        ease, moves = drawn
        logits = [
            ease + sum(moves[stage] * (pair[stage] == "mdta") for stage in (0, 1)) + skill
            for pair in PAIRS
        ]
        return 1 / (1 + np.exp(-np.stack(logits)))

    def effect(self, drawn):
        """What mdta in stage 0 gives against the mean of both words."""
        means = self.chances(drawn).mean(axis=1)
        return (means[2:].mean() - means[:2].mean()) / 2

    def sample(self, seeds):
        drawn = self.draw_images(self.images)
        right = []
        for _ in range(seeds):
            chances = self.chances(drawn, self.rng.normal(0, 0.1))
            right.append(self.rng.random(chances.shape) < chances)
        return trials_of(np.stack(right, axis=1).astype(float))


def effect_of(told):
    return next(e for e in told.effects if (e.stage, e.word) == (("stage 0",), ("mdta",)))


@pytest.mark.parametrize(("seeds", "images"), [(3, 60), (5, 400), (10, 60)])
def test_effects_hold_for_new_seeds_and_new_images(seeds, images):
    """Over seeds alone, as on validation, far fewer do."""
    world, replays, both, seeds_only = World(seeds, images), 300, 0, 0
    for _ in range(replays):
        read = world.sample(seeds)
        effect = effect_of(attribute(read))
        both += effect.low <= world.truth <= effect.high
        if seeds == 10:
            other = effect_of(attribute(validation_of(read)))
            seeds_only += other.low <= world.truth <= other.high
    assert both / replays >= 0.93 - 2 * (0.95 * 0.05 / replays) ** 0.5
    if seeds == 10:
        assert seeds_only / replays < 0.85


def test_blocks_that_do_nothing_to_new_images_are_rarely_shown():
    world, replays, shown = World(1, 100, gain=0.0), 300, 0
    right = np.zeros((4, 5, 100))
    for _ in range(replays):
        ease = world.rng.normal(1.5, 1.5, 100)
        moves = world.rng.normal(0, 1.5, (2, 2, 100))  # of either word: equal in the mean
        for place, (a, b) in enumerate(itertools.product((0, 1), repeat=2)):
            chance = 1 / (1 + np.exp(-(ease + moves[0, a] + moves[1, b])))
            right[place] = world.rng.random((5, 100)) < chance
        shown += any(effect.is_shown for effect in attribute(trials_of(right)).effects)
    assert shown / replays <= 0.065 + 2 * (0.05 * 0.95 / replays) ** 0.5


def test_with_two_candidates_an_effect_is_half_their_difference():
    rng = np.random.default_rng(0)
    first, second = (rng.random((5, 80)) < share for share in (0.9, 0.7))
    rows = [Trial((word,), 0.5, word, 0) for word in WORDS]
    design = make_design(rows)
    groups = tuple(f"patient {image // 4}" for image in range(80))
    for grouped in (None, groups):
        right = np.stack([first, second]).astype(float)
        fit = CrossedFit(np.linalg.pinv(design.matrix), right, grouped)
        told = fit.tell(design.effect(design.factors[0], 0))
        whole = crossed_difference(first, second, groups=grouped)
        assert told.value == pytest.approx(whole.mean / 2)
        held = told.at(0.95)
        assert (held.low, held.high) == pytest.approx((whole.low / 2, whole.high / 2))
        assert told.p_value == pytest.approx(whole.p_value)
        assert fit.items == (20 if grouped else 80)
        assert fit.mean == pytest.approx(right.mean())


def drawn_trials(world, candidates, images):
    """One training of each candidate of a random study, whose luck is its own."""
    drawn, rows, right = world.draw_images(images), [], {}
    places = world.rng.integers(4, size=candidates).tolist()
    skills = world.rng.normal(0, 0.1, (candidates, 1))
    chances = special.expit(special.logit(world.chances(drawn))[places] + skills)
    answers = (world.rng.random(chances.shape) < chances).astype(float)
    scores = answers.mean(axis=1).tolist()
    for number, (place, score) in enumerate(zip(places, scores, strict=True)):
        rows.append(Trial(PAIRS[place], score, str(number)))
        right[str(number)] = Correctness((0,), ("images",), None, answers[number][None])
    return Trials("s", "val/accuracy", "max", tuple(rows), candidates, right=right, images=images)


@pytest.mark.parametrize(("candidates", "images"), [(24, 60), (60, 400)])
def test_effects_of_a_random_study_hold_for_new_images_too(candidates, images):
    """Where it is not known which images were right, they hold for these only."""
    world, replays, both, these = World(candidates, images), 200, 0, 0
    for _ in range(replays):
        read = drawn_trials(world, candidates, images)
        told = attribute(read)
        effect, other = effect_of(told), effect_of(attribute(replace(read, right={})))
        both += effect.low <= world.truth <= effect.high
        these += other.low <= world.truth <= other.high
    assert told.covers == "candidates and images"
    assert told.method == f"HC3, {candidates} trials x {images} validation images"
    assert both / replays >= 0.955  # of 97.5%, since two questions hold together
    assert these / replays < both / replays - 0.05


def test_equal_answers_are_no_certainty():
    """All right everywhere: an effect of 0, an interval with a width, and p = 1."""
    told = attribute(trials_of(np.ones((4, 5, 30))))
    effect = effect_of(told)
    assert effect.estimate == pytest.approx(0.0)
    assert effect.low < -0.005
    assert effect.high > 0.005
    assert effect.p_value == pytest.approx(1.0)


def test_the_interval_stays_within_what_an_effect_can_be():
    right = np.zeros((4, 3, 3))
    right[2:] = 1.0  # mdta in stage 0 decides everything
    effect = effect_of(attribute(trials_of(right)))
    assert effect.estimate == pytest.approx(0.5)
    assert effect.high == pytest.approx(0.5)
    assert effect.low < 0.5
