"""One line of a comparison: one arm in one cell under one matching."""

from dataclasses import dataclass, field
from typing import Any, Literal

from search.comparison.results.differences import Versus

_MATCHED = {
    "macs": "matched by MACs",
    "parameters": "matched by parameters",
    "latency": "matched by latency",
    "control": "matched by a control of equal cost",
    "none": "not matched",
}


def matched_by(matching: str) -> str:
    """How cost was made equal, in words."""
    return _MATCHED[matching]


@dataclass(frozen=True)
class ArmResult:
    """One arm in one cell under one matching. What is not described here is as in a study's `Row`.

    Args:
        cell: the factors' levels in words; empty without factors.
        levels: the same by factor.
        matching: how its cost was made equal.
        arm: its label.
        words: block words of each stage.
        against: label of the arm that it is compared with; empty for the baseline.
        state: the worst state of its runs over seeds; ``waiting`` while none has ended.
        seeds: trainings that completed.
        seeds_asked: paired seeds of the comparison.
        chosen_rates: the learning rate that validation chose, by seed; None while undecided.
        learning_rates: those it was chosen from.
        rate_scores: mean score on validation by learning rate, of those that completed.
        chance: what the best guess scores on test that does not look at the image; None: not known.
        chance_of: the metric that ``chance`` is of: the objective, or accuracy in its place.
        at_chance: whether no seed is shown to be better than that; None: not known.
        fresh: share of its parameters that no file of first weights gave; None if there was none.
        residuals: by what share each cost exceeds that of ``against``.
        adjuster: what was moved to match, in words.
        milestone_epochs: (lower) median epoch over seeds at which validation first reached the
            milestone; None if fewer than half of the seeds did.
        milestone_steps: the same in steps, where the images of an epoch are set.
        unsolved: seeds that never reached the milestone; None without one.
        versus: the difference to ``against``.
        controls: the differences to the controls.
    """

    cell: str
    levels: dict[str, Any]
    matching: str
    arm: str
    words: tuple[str, ...]
    against: str
    state: Literal["complete", "stopped", "diverged", "infeasible", "failed", "waiting"]
    seeds: int
    seeds_asked: int
    chosen_rates: tuple[float | None, ...]
    learning_rates: tuple[float, ...]
    rate_scores: dict[str, float]
    validation_mean: float | None = None
    validation_low: float | None = None
    validation_high: float | None = None
    test_images: int = 0
    test_groups: int = 0
    test_mean: float | None = None
    test_low: float | None = None
    test_high: float | None = None
    test_covers: str = ""
    undertrained: bool | None = None
    chance: float | None = None
    chance_of: str = ""
    at_chance: bool | None = None
    parameters: int | None = None
    macs: int | None = None
    activations: int | None = None
    fresh: float | None = None
    residuals: dict[str, float] = field(default_factory=dict)
    adjuster: str = ""
    peak_memory_mb: float | None = None
    train_seconds: float | None = None
    milestone_epochs: float | None = None
    milestone_steps: float | None = None
    unsolved: int | None = None
    versus: Versus | None = None
    controls: tuple[Versus, ...] = ()
    keys: tuple[str, ...] = ()
    validation_scores: tuple[float, ...] = ()
    test_scores: tuple[float, ...] = ()

    @property
    def shown_score(self) -> tuple[float | None, float | None, float | None]:
        """Mean and interval: on test where it was read, else on validation."""
        if self.test_mean is None:
            return self.validation_mean, self.validation_low, self.validation_high
        return self.test_mean, self.test_low, self.test_high

    @property
    def test_items(self) -> int:
        """What a score on test is a share of: groups, or images without groups."""
        return self.test_groups or self.test_images

    @property
    def learning_rate(self) -> float | None:
        """The rate that was chosen for all seeds; None while undecided, or where seeds differ."""
        first, *others = self.chosen_rates or (None,)
        return first if all(rate == first for rate in others) else None

    @property
    def rates_text(self) -> str:
        """The chosen rate, or how many seeds chose which; empty where there was no choice."""
        known = [rate for rate in self.chosen_rates if rate is not None]
        if len(self.learning_rates) < 2 or not known:
            return ""
        if self.learning_rate is not None:
            return f"{self.learning_rate:g}"
        counts = ((rate, known.count(rate)) for rate in sorted(set(known)))
        return ", ".join(f"{rate:g} x{count}" for rate, count in counts)

    @property
    def rate_at_edge(self) -> bool:
        """Whether at least half of the seeds chose the least, or the largest, of several rates."""
        rates = self.learning_rates
        if len(rates) < 2 or None in self.chosen_rates:
            return False
        chosen = self.chosen_rates
        return any(2 * chosen.count(edge) >= len(chosen) for edge in (min(rates), max(rates)))

    @property
    def finished_trainings(self) -> int:
        """Trainings over seeds that have ended, in whatever way."""
        return max(self.seeds, len(self.keys))

    @property
    def whole(self) -> bool:
        """Whether every seed completed."""
        return self.state == "complete" and self.seeds == self.seeds_asked

    @property
    def marked(self) -> bool:
        """Whether the table has a mark of doubt for it: ``^``, ``?``, ``!`` or ``~``."""
        return not self.usable or bool(self.at_chance)

    @property
    def usable(self) -> bool:
        """Whether a conclusion may speak of it: whole, and training is known to have ended."""
        return self.whole and self.undertrained is False
