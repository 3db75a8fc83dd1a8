"""The linear model's columns: blocks by stage, their interactions, and what else was varied.

Every factor of k levels has k - 1 columns in sum-to-zero coding: level j < k has 1 in column j, the
last has -1 in all, so that the effects of a factor's levels add up to zero, however often each
was drawn.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.errors import InputError
from search.comparison.attribution.trial import Trial

FEW = 4  # a number with more distinct values is a line and a parabola in its logarithm
LEAST_SPREAD = 0.01  # of a cost, as a share of its mean: with less its slope is noise

Array = NDArray[np.float64]
Adjust = Literal["none", "macs", "parameters"]


@dataclass(frozen=True)
class Factor:
    """The blocks of one stage, or of several that always hold the same."""

    name: str
    words: tuple[str, ...]
    codes: tuple[int, ...]  # of each trial


@dataclass(frozen=True, eq=False)
class Design:
    """The matrix, and which contrast of its coefficients each effect is.

    Args:
        matrix: (trials, columns); the first column is 1.
        terms: by name, the columns it takes.
        factors: the blocks by stage.
        covariates: what else is in the model.
        adjusted: the one of them that is a cost; empty for none.
        notes: what a reader must know.
    """

    matrix: Array
    terms: dict[str, slice]
    factors: tuple[Factor, ...]
    covariates: tuple[str, ...]
    adjusted: str
    notes: tuple[str, ...]

    @property
    def fitted(self) -> tuple[str, ...]:
        """The terms but for the cost."""
        return tuple(name for name in self.terms if name != self.adjusted)

    @property
    def crossed(self) -> tuple[str, ...]:
        """What was varied: the terms of blocks, and covariates but for the cost."""
        own = {factor.name for factor in self.factors} | set(self.covariates)
        return tuple(name for name in self.fitted if name in own)

    def effect(self, factor: Factor, word: int) -> Array:
        """The contrast (columns,) that is the effect of a word."""
        contrast = np.zeros(self.matrix.shape[1])
        contrast[self.terms[factor.name]] = _row(word, len(factor.words))
        return contrast

    def interaction(self, first: Factor, a: int, second: Factor, b: int) -> Array:
        """The contrast that is what two words do together beyond the sum of their effects."""
        contrast = np.zeros(self.matrix.shape[1])
        pair = np.outer(_row(a, len(first.words)), _row(b, len(second.words)))
        contrast[self.terms[_both(first, second)]] = pair.ravel()
        return contrast


def make_design(
    trials: Sequence[Trial], interactions: bool = False, adjust: Adjust = "none"
) -> Design:
    """Columns for these trials.

    Args:
        trials: of one study.
        interactions: add the pairs of stages.
        adjust: add the logarithm of this cost, so that effects are at equal cost.

    Raises:
        InputError: networks of different numbers of stages, no block that varies, a cost that
            hardly varies, or columns that cannot be told apart; says which.
    """
    if len({len(trial.blocks) for trial in trials}) != 1:
        raise InputError("the networks have different numbers of stages; compare those of one")
    factors, notes = _factors(trials)
    terms: dict[str, Array] = {factor.name: _coded(factor) for factor in factors}
    for first, second in combinations(factors, 2) if interactions else ():
        a_NK, b_NL = terms[first.name], terms[second.name]
        terms[_both(first, second)] = (a_NK[:, :, None] * b_NL[:, None, :]).reshape(len(trials), -1)
    cost = {} if adjust == "none" else {f"log {adjust}": _log_cost(trials, adjust)}
    covariates = _covariates(trials) | cost
    terms |= covariates
    columns, places, start = [np.ones((len(trials), 1))], {}, 1
    for name, part in terms.items():
        places[name] = slice(start, start + part.shape[1])
        columns.append(part)
        start += part.shape[1]
    design = Design(
        np.hstack(columns), places, tuple(factors), tuple(covariates), "".join(cost), tuple(notes)
    )
    _check_rank(design)
    return design


def _factors(trials: Sequence[Trial]) -> tuple[list[Factor], list[str]]:
    notes: list[str] = []
    groups: dict[tuple[str, ...], list[int]] = {}
    for stage in range(len(trials[0].blocks)):
        groups.setdefault(tuple(trial.blocks[stage] for trial in trials), []).append(stage)
    factors = []
    for words, stages in groups.items():
        name = ("stage " if len(stages) == 1 else "stages ") + ", ".join(map(str, stages))
        levels = tuple(sorted(set(words)))
        if len(levels) == 1:
            notes.append(f"{name} always holds {levels[0]}: nothing is told of it.")
            continue
        if len(stages) > 1:
            notes.append(f"{name} always hold the same blocks: their effects are one.")
        notes.append(
            f"The mean of {name} is over what was tried there, each with an equal share: "
            f"{'; '.join(levels)}. Other blocks beside them would move it, and each effect with it."
        )
        factors.append(Factor(name, levels, tuple(levels.index(word) for word in words)))
    if not factors:
        raise InputError(
            "no stage has blocks that vary, so no effect can be told; vary them, for example with "
            "blocks: {choose: [...]} in each stage"
        )
    return factors, notes


def _covariates(trials: Sequence[Trial]) -> dict[str, Array]:
    covariates: dict[str, Array] = {}
    for path in sorted({path for trial in trials for path in trial.others}):
        values = [trial.others.get(path) for trial in trials]
        levels = sorted(set(map(str, values)))
        if len(levels) == 1:
            continue
        if len(levels) > FEW and all(_is_number(value) for value in values):
            covariates[path] = _curve([float(value) for value in values if value is not None])
        else:
            codes = tuple(levels.index(str(value)) for value in values)
            covariates[path] = _coded(Factor(path, tuple(levels), codes))
    return covariates


def _log_cost(trials: Sequence[Trial], adjust: Adjust) -> Array:
    """The logarithm of a cost, (trials, 1)."""
    costs = np.array([float(trial.cost.get(adjust, math.nan)) for trial in trials])
    if not (costs > 0).all():
        raise InputError(f"not every trial tells its {adjust}; use --adjust none")
    spread = float(costs.std() / costs.mean())
    if spread < LEAST_SPREAD:
        raise InputError(
            f"--adjust {adjust}: the {adjust} of these networks spread by {spread:.2%} only, so "
            "what a score gains with them would be noise, and the effects with it; adjusting "
            f"needs {LEAST_SPREAD:.0%} or more: leave out --adjust (they are equal already), or "
            "name another cost"
        )
    logs = np.log(costs)
    return np.asarray((logs - logs.mean())[:, None])


def _curve(values: list[float]) -> Array:
    """A number as a line and a parabola, of its logarithm where it is positive."""
    x = np.log(values) if min(values) > 0 else np.asarray(values)
    x = (x - x.mean()) / x.std()
    return np.stack([x, x**2 - 1], axis=1)


def _coded(factor: Factor) -> Array:
    rows = np.stack([_row(level, len(factor.words)) for level in range(len(factor.words))])
    return np.asarray(rows[list(factor.codes)])


def _row(level: int, levels: int) -> Array:
    """Sum-to-zero coding of one level, (levels - 1,)."""
    return np.full(levels - 1, -1.0) if level == levels - 1 else np.eye(levels - 1)[level]


def _both(first: Factor, second: Factor) -> str:
    return f"{first.name} x {second.name}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_rank(design: Design) -> None:
    """Refuse columns that are sums of others: their coefficients could be anything."""
    trials, columns = design.matrix.shape
    _, sizes, directions = np.linalg.svd(design.matrix, full_matrices=True)
    rank = int((sizes > 1e-9 * sizes[0]).sum())
    if rank == columns:
        return
    loose = np.abs(directions[rank:]).max(axis=0) > 1e-6
    names = [name for name, place in design.terms.items() if loose[place].any()]
    raise InputError(
        f"{trials} trials cannot tell these apart: {', '.join(names)} ({columns} coefficients, of "
        f"which {rank} can be found); run more trials, vary fewer things at once, or vary them "
        "independently of each other"
    )


def leak(design: Design) -> str:
    """What a reader must know of a factorial that is not whole; empty where it is.

    Only where it is whole is an additive effect the mean over what stood beside it: else two blocks
    that do more together than apart move the effects of each, however many seeds there are.
    Whole: as many combinations as the product of the numbers of levels, each equally often. How
    often does not matter where the model has a coefficient for each of them.
    """
    levels = [_levels(design, name) for name in design.crossed]
    counts = Counter(zip(*levels, strict=True))
    whole = math.prod(len(set(level)) for level in levels)
    names = " x ".join(design.crossed)
    together = "what these do only together leaks into the effects, and intervals do not cover it."
    if len(counts) < whole:
        return f"Only {len(counts)} of {whole} combinations of {names} were tried: {together}"
    columns = 1 + sum(design.terms[name].stop - design.terms[name].start for name in design.fitted)
    if len(set(counts.values())) > 1 and columns < whole:
        often = f"{min(counts.values())} to {max(counts.values())} times"
        return f"The combinations of {names} were tried unequally often ({often}): {together}"
    return ""


def _levels(design: Design, name: str) -> list[int]:
    """Which level each trial has, as a number: equal rows of a term's columns are one level."""
    _, codes = np.unique(design.matrix[:, design.terms[name]], axis=0, return_inverse=True)
    return [int(code) for code in codes.ravel()]
