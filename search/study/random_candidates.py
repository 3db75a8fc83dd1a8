"""Candidates drawn at random within the budget: what no search at all would have given."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from search.records.identity import derive_seed
from search.records.runs import FinishedRun, RunSpec
from search.settings.study import StudySettings
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.sampling.samplers import sample_params

_EXHAUSTED_AFTER = 4000  # draws in a row that were known already or beyond the budget


class RandomCandidates:
    """Draws candidates that depend on the study's seed and on nothing that it finds."""

    def __init__(self, settings: StudySettings, space: Space, candidates: Candidates) -> None:
        self._settings = settings
        self._space = space
        self._candidates = candidates

    def finals(self, count: int) -> Iterator[RunSpec]:
        """So many candidates, trained as finalists, each with the fresh seed of its place.

        Not in turn with the finalists' seeds, so that a study may be given more of them later.
        """
        for index, spec in zip(range(count), self._draw("mean"), strict=False):
            yield self._candidates.random_final(f"random/final-{index:02d}", spec, index)

    def search(self, spend: float) -> Iterator[RunSpec]:
        """A random search without rungs that costs at least ``spend``, in passes times MACs."""
        spent, index = 0.0, 0
        draws = self._draw("search")
        while spent < spend:
            spec = next(draws, None)
            if spec is None:
                return
            yield dataclasses.replace(spec, key=f"random/{index:04d}", kind="random")
            spent += (spec.recipe or {})["epochs"] * spec.cost["macs"]
            index += 1

    def _draw(self, purpose: str) -> Iterator[RunSpec]:
        """Different candidates without end, or until the space holds no further one."""
        drawn: set[tuple[Any, ...]] = set()
        seen: set[str] = set()
        refused = 0
        for params in sample_params(self._space, derive_seed(self._settings.seed, purpose)):
            key = tuple(params.values())
            spec = None if key in drawn else self._candidates.look_at(params)
            drawn.add(key)
            if isinstance(spec, RunSpec) and spec.candidate_id not in seen:
                seen.add(spec.candidate_id)
                refused = 0
                yield dataclasses.replace(spec, params=params)
            elif (refused := refused + 1) >= _EXHAUSTED_AFTER or len(drawn) == self._space.size:
                return


def training_cost(
    trials: Sequence[FinishedRun], audits: Sequence[RunSpec], train_images: int
) -> float:
    """What trials have cost and audits will, in passes over the train split times MACs."""

    def passes(spec: RunSpec) -> float:
        shares = sum(images / train_images for images in spec.image_rungs)
        return float((spec.recipe or {})["epochs"] * (1 + shares))

    spent = sum(result.passes * spec.cost["macs"] for spec, result in trials)
    return spent + sum(passes(spec) * spec.cost["macs"] for spec in audits)
