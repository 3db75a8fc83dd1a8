"""Effects of blocks by stage, by least squares, with intervals that need no equal spread.

    score = mean + sum over stages of effect[stage, word] (+ interactions) + covariates + noise

The effects of a stage's words add up to zero: +.02 is two points above the mean of the words tried
there. Two ways to an interval:

- one training per candidate (a random study): the heteroscedasticity-consistent covariance HC3,
  (X'X)^-1 X' diag(e_i^2 / (1 - h_i)^2) X (X'X)^-1, h the leverages, and t with n - p degrees of
  freedom. The draws make up the balance: what the model leaves out is noise to HC3. Where it is
  known which validation images each trial got right, intervals cover new images too
  (`CandidatesFit`); as intervals for new images the others would cover .48 to .82;
- the same candidates at each of S paired seeds (a comparison): each seed gives its own estimate
  of every effect, and of each test image too, where it is known which images were right: then
  intervals cover new seeds and new images (`CrossedFit`). What the model leaves out is not noise
  then. Where the candidates are not a whole factorial (see `leak`), what blocks do only together
  leaks into the effects, which a note says; the intervals know nothing of it.

Intervals hold together over the table: each has 1 - level / m, m the questions of the table.

Source: MacKinnon and White, Some Heteroskedasticity-Consistent Covariance Matrix Estimators with
Improved Finite Sample Properties, 1985, https://doi.org/10.1016/0304-4076(85)90158-7
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from hybrid_swin.errors import InputError
from search.comparison.attribution.design import Adjust, Array, Design, leak, make_design
from search.comparison.attribution.fits import CandidatesFit, CrossedFit, Fit, LinearFit, right_of
from search.comparison.attribution.trial import LEVEL, TEST, Trial, Trials
from search.leaderboard.rows.comparison import agreeing
from search.records.runs import SCHEMA_VERSION
from search.statistics.multiplicity import holm, simultaneous_confidence

LEAST_FREEDOM = 5  # trials beyond coefficients
LEAST_SEEDS = 3
_ONE_SEED = "All trials share one training seed, so what its luck does to all alike is not covered."
ONE_SEED = (
    "All trials share one seed and one set of validation images: intervals speak of other "
    "candidates on these images only. On new images an effect may be another; a comparison over "
    "seeds tests it."
)
NEW_CANDIDATES = (
    "Scores are of validation: intervals speak of other candidates and of new images like these. "
    f"{_ONE_SEED}"
)
THESE_IMAGES = (
    "Scores are of validation: intervals speak of new seeds on these images only, and on new "
    "images an effect may be another. The comparison itself tells its differences on test."
)
_BOTH = "Scores are of {}: intervals speak of new seeds and of new images like these."
NEW_IMAGES, NEW_VALIDATION = _BOTH.format("test"), _BOTH.format("validation")
Covers = Literal[
    "candidates",
    "candidates and images",
    "candidates and groups of images",
    "seeds",
    "seeds and images",
    "seeds and groups of images",
]


@dataclass(frozen=True)
class Effect:
    """What a word does in a stage, against the mean of the words tried there.

    Args:
        stage: which, such as ``stage 0``; of an interaction, both.
        word: block words; of an interaction, both.
        estimate: in the objective's unit.
        low, high: interval that holds together with those of the table.
        p_value: of "no effect", of this one alone.
        holm_p: adjusted over the table.
        trials: trainings with it.
        level: of the test.
        confidence: of this one interval.
    """

    stage: tuple[str, ...]
    word: tuple[str, ...]
    estimate: float
    low: float
    high: float
    p_value: float
    holm_p: float
    trials: int
    level: float = LEVEL
    confidence: float = 0.95

    @property
    def is_shown(self) -> bool:
        """Whether it differs from zero after Holm's adjustment over the table."""
        return self.holm_p < self.level


@dataclass(frozen=True)
class Attribution:
    """Effects of blocks by stage.

    Args:
        study: its name.
        monitor: the objective.
        mode: whether more or less of it is better.
        method: how intervals were made.
        covers: what they speak of: new ``candidates`` or new ``seeds``, on these validation images;
            or either of them ``and images`` or ``and groups of images``, both new.
        trials: trainings used.
        mean: of the score over all that was tried, in equal shares.
        residual_std: spread of scores that the model leaves.
        effects: of each word in each stage.
        interactions: of pairs of stages; empty where not asked.
        covariates: what else is in the model.
        level: of the tests, over the table.
        whole: whether a main effect is the mean over what stood beside its word.
        notes: what a reader must know.
    """

    study: str
    monitor: str
    mode: str
    method: str
    covers: Covers
    trials: int
    mean: float
    residual_std: float
    effects: tuple[Effect, ...]
    interactions: tuple[Effect, ...]
    covariates: tuple[str, ...]
    level: float
    whole: bool
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def attribute(read: Trials, interactions: bool = False, adjust: Adjust = "none") -> Attribution:
    """Fit the model.

    Raises:
        InputError: too few trials, or a design in which effects cannot be told apart.
    """
    several = len({trial.replicate for trial in read.trials}) > 1
    return (_over_seeds if several else _over_trials)(read, interactions, adjust)


def _over_trials(read: Trials, interactions: bool, adjust: Adjust) -> Attribution:
    if len(read.trials) < 2:
        raise InputError(
            f"study {read.study!r} has {len(read.trials)} trainings with a score; effects need many"
        )
    design = make_design(read.trials, interactions, adjust)
    X, y = design.matrix, np.array([trial.score for trial in read.trials])
    n, p = X.shape
    if n - p < LEAST_FREEDOM:
        raise InputError(
            f"{n} trials for {p} coefficients are too few; {p + LEAST_FREEDOM} are the least, "
            f"{3 * p} give intervals of use: raise --trials"
        )
    bread = np.linalg.inv(X.T @ X)
    coefficients = bread @ (X.T @ y)
    residuals = y - X @ coefficients
    leverage = np.einsum("ij,jk,ik->i", X, bread, X)
    if leverage.max() > 1 - 1e-8:  # no residual is left to judge that trial by
        trial = read.trials[int(leverage.argmax())]
        raise InputError(
            f"one trial alone ({' | '.join(trial.blocks)}) decides a coefficient, so its doubt is "
            "unknown: something in it occurs nowhere else; run more trials"
        )
    meat = X.T @ (X * np.square(residuals / (1 - leverage))[:, None])
    weights = np.asarray(bread @ X.T)
    linear = LinearFit(coefficients, bread @ meat @ bread, n - p, weights, read.images * n // 2)
    spread = float(np.sqrt(np.square(residuals).sum() / (n - p)))
    way = _Way(f"HC3, {n} trials", "candidates", (ONE_SEED,))
    fit: Fit = linear
    if read.right:
        right = right_of(read.right, [trial.candidate for trial in read.trials], [0])[:, 0]
        groups = next(iter(read.right.values())).groups
        both = CandidatesFit(linear, weights, leverage, right, X @ (weights @ right), groups)
        fit, images = both, f"{both.items} {'groups of ' * bool(groups)}validation images"
        covers: Covers = "candidates and groups of images" if groups else "candidates and images"
        way = _Way(f"{way.method} x {images}", covers, (NEW_CANDIDATES,))
    return _attribution(read, design, fit, n, spread, way, read.trials)


def _over_seeds(read: Trials, interactions: bool, adjust: Adjust) -> Attribution:
    """Every seed has its own estimate; seeds that lack a candidate are left out."""
    by_candidate: dict[str, dict[int, Trial]] = {}
    for trial in read.trials:
        by_candidate.setdefault(trial.candidate, {})[trial.replicate] = trial
    seeds = sorted(set.intersection(*(set(runs) for runs in by_candidate.values())))
    if len(seeds) < LEAST_SEEDS:
        raise InputError(
            f"only {len(seeds)} seeds have a score for all {len(by_candidate)} candidates; "
            f"effects over seeds need at least {LEAST_SEEDS}, better 5: give more --seeds"
        )
    rows = [runs[seeds[0]] for runs in by_candidate.values()]
    design = make_design(rows, interactions, adjust)
    scores = np.array([[runs[s].score for s in seeds] for runs in by_candidate.values()])
    weights = np.asarray(np.linalg.pinv(design.matrix), dtype=np.float64)  # (columns, candidates)
    estimates = np.asarray(weights @ scores)  # (columns, seeds)
    spread = float((scores - design.matrix @ estimates).std())
    left_out = len({trial.replicate for trial in read.trials}) - len(seeds)
    lacking = f"{left_out} seeds lack a candidate and are left out." if left_out else ""
    leaking = leak(design)
    way, fit = _way_over_seeds(read, list(by_candidate), seeds, weights, estimates)
    way = replace(way, notes=(*way.notes, leaking, lacking), whole=not leaking)
    return _attribution(read, design, fit, scores.size, spread, way, rows)


@dataclass(frozen=True)
class _Way:
    """How intervals were made, what they cover, and what a reader must know of that."""

    method: str
    covers: Covers
    notes: tuple[str, ...]
    whole: bool = True  # a main effect is a mean over what stood beside its word


def _way_over_seeds(
    read: Trials, candidates: list[str], seeds: list[int], weights: Array, estimates: Array
) -> tuple[_Way, Fit]:
    """Over seeds and test images where each image is known, else over seeds."""
    count = f"{len(candidates)} candidates"
    if read.right:
        groups = read.right[candidates[0]].groups
        fit = CrossedFit(weights, right_of(read.right, candidates, seeds), groups)
        on_test = read.monitor == TEST
        split = "test" if on_test else "validation"
        items = f"{fit.items} {'groups of ' * bool(groups)}{split} images"
        method = f"{len(seeds)} paired seeds x {items}, {count}"
        note = NEW_IMAGES if on_test else NEW_VALIDATION
        covers: Covers = "seeds and groups of images" if groups else "seeds and images"
        return _Way(method, covers, (note,)), fit
    covariance = np.atleast_2d(np.cov(estimates)) / len(seeds)
    trainings = read.images * len(seeds) * len(candidates) // 2
    linear = LinearFit(estimates.mean(axis=1), covariance, len(seeds) - 1, weights, trainings)
    return _Way(f"t over {len(seeds)} paired seeds, {count}", "seeds", (THESE_IMAGES,)), linear


def _attribution(
    read: Trials,
    design: Design,
    fit: Fit,
    used: int,
    spread: float,
    way: _Way,
    rows: Sequence[Trial],
) -> Attribution:
    each = used // len(rows)
    mains, pairs = [], []
    for factor in design.factors:
        for index, word in enumerate(factor.words):
            count = factor.codes.count(index) * each
            mains.append(((factor.name,), (word,), design.effect(factor, index), count))
    for first, second in combinations(design.factors, 2):
        if f"{first.name} x {second.name}" not in design.terms:
            continue
        together = list(zip(first.codes, second.codes, strict=True))
        for a, b in np.ndindex(len(first.words), len(second.words)):
            contrast = design.interaction(first, a, second, b)
            words = (first.words[a], second.words[b])
            pairs.append(
                ((first.name, second.name), words, contrast, together.count((a, b)) * each)
            )
    return Attribution(
        study=read.study,
        monitor=read.monitor,
        mode=read.mode,
        method=way.method,
        covers=way.covers,
        trials=used,
        mean=fit.mean,
        residual_std=spread,
        effects=_effects(mains, fit, read.level),
        interactions=_effects(pairs, fit, read.level),
        covariates=design.covariates,
        level=read.level,
        whole=way.whole and not design.adjusted,
        notes=(*read.notes, *design.notes, *filter(None, way.notes)),
    )


def _effects(
    contrasts: Sequence[tuple[tuple[str, ...], tuple[str, ...], Array, int]], fit: Fit, level: float
) -> tuple[Effect, ...]:
    estimates = [fit.tell(contrast) for _, _, contrast, _ in contrasts]
    # of two words in a stage, what the one gains the other loses: one question, asked once
    questions = [min(tuple(c.tolist()), tuple((-c).tolist())) for _, _, c, _ in contrasts]
    p_values = {q: one.p_value for q, one in zip(questions, estimates, strict=True)}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    confidence = simultaneous_confidence(len(p_values), level)
    effects = []
    for question, one, (stage, word, _, count) in zip(questions, estimates, contrasts, strict=True):
        holm_p = adjusted[question]
        held = agreeing(one.at(confidence), holm_p < level)
        low, high = (math.nan if end is None else end for end in (held.low, held.high))
        effects.append(
            Effect(stage, word, one.value, low, high, one.p_value, holm_p, count, level, confidence)
        )
    return tuple(effects)
