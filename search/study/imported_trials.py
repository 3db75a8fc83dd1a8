"""The first trials of a study that was given known good candidates."""

from search.records.imported import Imported
from search.records.runs import RunResult, RunSpec


class ImportedTrials:
    """Which trials are imported, and whose runs are taken over; by default none.

    Trials whose runs are taken over come first, and are told before any other trial is asked for:
    their results are known from the start.

    Args:
        imported: what the study began with.
    """

    def __init__(self, imported: Imported | None) -> None:
        self._candidates = imported.candidates if imported else ()
        self.num_taken_over = sum(candidate.taken_over for candidate in self._candidates)

    def origin(self, index: int) -> str:
        """Where trial ``index`` was imported from; empty if it is the sampler's."""
        return self._candidates[index].origin if index < len(self._candidates) else ""

    def known(self, trial: RunSpec, index: int) -> tuple[RunResult, bytes] | None:
        """The result of trial ``index`` and its answers, if its run is taken over."""
        if index >= len(self._candidates) or trial.params != self._candidates[index].params:
            return None
        return self._candidates[index].result_at(trial.key)

    def ahead_of(self, num_results: int, lookahead: int) -> int:
        """How many trials may be asked for when so many are told."""
        ahead = num_results + lookahead
        return ahead if num_results >= self.num_taken_over else min(ahead, self.num_taken_over)
