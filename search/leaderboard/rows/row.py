"""One line of the leaderboard: all runs of one candidate at one fidelity."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from search.records.runs import State

RowKind = Literal["final", "search", "random", "reference"]
Proposer = Literal["baseline", "search", "random search", "chance", "reference"]


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard. Scores are in the objective's unit; None means "not known".

    Args:
        study: its study's name where several stand in one table, else empty.
        rank: place among the rows that may be ranked; None for broken rows and references.
        label: the candidate in block words; of retrained rows that share them with others, the
            values in which they differ behind them.
        variant_id, candidate_id: identity of the network, and of network and recipe.
        origin: key of the run that first tried it; of the run itself in the search stage.
        fidelity: ``final`` is retrained with fresh seeds, ``search`` is one run of the search,
            ``random`` the mean of candidates drawn at random, each trained like a finalist.
        is_baseline: was it given, not proposed by the search?
        proposed_by: a baseline, the search, the random search beside it, or (the mean row) chance.
        fresh: share of its parameters that no file of first weights gave; None if there was none.
        imported_from: where the study was given the candidate from, and whether its run was taken
            over; empty if it was not.
        state: the worst state of its runs.
        seeds: trainings that completed.
        seeds_asked: trainings that have ended, completed or not.
        validation_mean: mean objective over the completed seeds.
        validation_low, validation_high: interval over seeds, within the metric's bounds; of the
            mean row over candidates.
        interval_confidence: of the intervals on validation and test: .95; of the row that is named
            the best more, since it was selected among the others (1 - .05 / rows).
        search_score: the single score by which the search selected a retrained row.
        test_mean: mean of the same metric on test; read for retrained rows and references only.
        test_low, test_high: interval over what ``test_covers`` names.
        validation_images, test_images: how many; 0: unknown.
        validation_groups, test_groups: how many groups these form, each of which counts as one; 0
            where images are independent.
        test_covers: ``seeds and images`` or ``seeds and groups of images`` (crossed), ``seeds``
            where there are no predictions, or ``candidates`` of the mean row.
        is_test_reference: is it the row that the others are compared with on test? It was chosen
            by its score in the search, on other runs than those compared.
        difference: test minus the test of that reference.
        difference_low, difference_high: its interval; all of the table hold together.
        difference_confidence: of this one interval, so that all hold together: 1 - .05 / rows.
        difference_paired: over the seeds that both rows share; False where these are too few, so
            that each row's scatter over its own seeds counts.
        difference_p: p-value of "no difference", adjusted by Holm over the table.
        difference_shown: whether that is below the level; None if nothing can be tested.
        difference_detectable: the least true difference that would have been shown four times in
            five, given the scatter over seeds and the images that were seen.
        may_be_best: in the set of rows that contains the best on test with 95%.
        parameters, macs, activations: costs of one image; activations are kept for the backward
            pass.
        latency_ms: median milliseconds of one batch, measured beside other work, and not in turn
            with other rows: no difference shows in it. None if the seeds' were measured in
            different ways.
        latency_low, latency_high: from the least to the largest end of the seeds' 95% intervals of
            the median.
        latency_device, latency_threads, latency_batch: how it was measured.
        peak_memory_mb: largest over the seeds, MiB.
        epochs: epochs run (the fewest over the seeds).
        epochs_planned: epochs of the recipe.
        train_seconds: mean seconds of one training.
        undertrained: still improving at its end in at least half of the seeds that can be judged.
        device, precision: of the training.
        data_hash: identity of the images; ``mixed`` where the runs differ.
        split_hash: identity of the splits, likewise; ``varied`` where the runs differ in validation
            and have test in common.
        test_hash: identity of the test images and their labels, likewise.
        test_reads: how often that test split has been read until now, by all that the ledgers know
            (readings that happened, not those that were only begun);
            None if the split is not known.
        code_hash: identity of the program, likewise.
        keys: run folders of the row; of what follows, the CSV has ``params`` only.
        chosen_by: who had a retrained row retrained; ``search`` and ``random search`` may agree,
            also on a ``baseline``.
        validation_scores: one a completed seed, in the order of the seed index.
        test_scores: one per seed.
        metrics, test_metrics: means at the last epoch.
        variant, recipe: network and training as data.
        params: what the sampler proposed.
    """

    label: str
    variant_id: str
    candidate_id: str
    origin: str
    fidelity: RowKind
    is_baseline: bool
    state: State
    seeds: int
    seeds_asked: int
    proposed_by: Proposer = "search"
    study: str = ""
    fresh: float | None = None
    imported_from: str = ""
    rank: int | None = None
    validation_mean: float | None = None
    validation_low: float | None = None
    validation_high: float | None = None
    interval_confidence: float | None = None
    search_score: float | None = None
    test_mean: float | None = None
    test_low: float | None = None
    test_high: float | None = None
    validation_images: int = 0
    validation_groups: int = 0
    test_images: int = 0
    test_groups: int = 0
    test_covers: str = ""
    is_test_reference: bool = False
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    difference_confidence: float | None = None
    difference_paired: bool | None = None
    difference_p: float | None = None
    difference_shown: bool | None = None
    difference_detectable: float | None = None
    may_be_best: bool | None = None
    parameters: int | None = None
    macs: int | None = None
    activations: int | None = None
    latency_ms: float | None = None
    latency_low: float | None = None
    latency_high: float | None = None
    latency_device: str = ""
    latency_threads: int | None = None
    latency_batch: int | None = None
    peak_memory_mb: float | None = None
    epochs: int = 0
    epochs_planned: int = 0
    train_seconds: float | None = None
    undertrained: bool | None = None
    device: str = ""
    precision: str = ""
    data_hash: str = ""
    split_hash: str = ""
    test_hash: str = ""
    test_reads: int | None = None
    code_hash: str = ""
    keys: tuple[str, ...] = ()
    chosen_by: tuple[str, ...] = ()
    validation_scores: tuple[float, ...] = ()
    test_scores: tuple[float, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    test_metrics: dict[str, float] = field(default_factory=dict)
    variant: dict[str, Any] | None = None
    recipe: dict[str, Any] | None = None
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def validation_items(self) -> int:
        """What a score on validation is a share of: groups, or images without groups."""
        return self.validation_groups or self.validation_images

    @property
    def test_items(self) -> int:
        """The same on test."""
        return self.test_groups or self.test_images


def rows_text(rows: Sequence[Row]) -> str:
    """Rows by their number on the table: two candidates may have the same block words."""
    if len(rows) > 3:
        return ", ".join(f"#{row.rank}" if row.rank else row.label for row in rows)
    return ", ".join(f"#{row.rank} {row.label}" if row.rank else row.label for row in rows)
