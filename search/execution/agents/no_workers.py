"""What executors without workers of their own have in common: agents do their work."""

from search.execution.job import Job, Node


class NoWorkers:
    """No slot here is ever free, so no job comes here.

    What is left to an executor: how many slots there are to be, why jobs wait, whom to wait for.
    """

    free = 0
    nodes: tuple[Node, ...] = ()

    def submit(self, job: Job) -> None:
        """Never asked. Raises RuntimeError."""
        raise RuntimeError(f"{job.key} was given to an executor without workers")

    def cancel(self, key: str) -> None:
        """There is nothing to be cancelled."""

    def exclude(self, worker: str, why: str) -> bool:
        """It was an agent's, which has gone."""
        return True
