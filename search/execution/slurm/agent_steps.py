"""Agents on all nodes of the allocation in which the command runs."""

import math
import time

from search.execution.job import Event, Place
from search.execution.slurm.job_script import agent_command, logs
from search.execution.slurm.parting import Parting
from search.execution.slurm.steps import Steps, nodes_of_allocation
from search.execution.waiting import Reminder, wait_for

_PATIENCE = 60.0  # seconds for imports on a file system that is shared
_LOOK_AGAIN = 0.1  # seconds
_MOST_NAMED = 4  # nodes


def agents_as_steps(place: Place) -> "AgentSteps":
    """Start them. Raises InputError if this is not an allocation, or has no srun."""
    nodes = nodes_of_allocation()
    count = place.workers.count
    each = None if count == "auto" else math.ceil(int(count) / len(nodes))
    steps = Steps(nodes, agent_command(place.folder, each), logs(place.folder))
    return AgentSteps(place, steps, each or 1)


class AgentSteps:
    """One on each node."""

    def __init__(self, place: Place, steps: Steps, each: int) -> None:
        self._place, self._agents, self._steps = place, place.agents, steps
        self._each = each
        self._parting = Parting(place.agents)
        self._begin, self._reminder = time.monotonic(), Reminder(place.say)

    @property
    def expected(self) -> int:
        """Slots of all of them, as far as it is known."""
        return len(self._steps.nodes) * self._each

    @property
    def waiting(self) -> str:
        """Why no agent runs."""
        if self._agents.slots:
            return ""
        nodes = self._steps.nodes
        where = ", ".join(nodes) if len(nodes) <= _MOST_NAMED else f"{len(nodes)} nodes"
        return f"the agents on {where} have not started yet: {self._steps.last_line(nodes[0])}"

    def wait_until_ready(self, timeout: float = math.inf) -> bool:
        """Wait for the first agent. Raises InputError if none starts."""

        def look(seconds: float) -> None:
            self.tend()
            self._agents.events(min(seconds, _LOOK_AGAIN))
            late = time.monotonic() > self._begin + _PATIENCE
            self._reminder.tell(self.waiting if late else "")

        return wait_for(lambda: self._agents.slots > 0, look, timeout)

    def tend(self) -> list[Event]:
        """Start those again that have ended. Raises InputError if one does not start."""
        ready = {node.name for node in self._agents.nodes}
        ours = self._ours()
        for name, node in ours.items():
            if name in ready:
                self._steps.joined(node)
        for node in self._steps.restarted():
            again = "it is started again"
            if node not in self._steps.nodes:
                again = f"none starts there any more: {self._steps.last_line(node)}"
            self._place.say(f"the agent on {node} has ended; {again}")
            for name in (name for name, its_node in ours.items() if its_node == node):
                self._parting.add(name, "lost", f"the agent on {node} has ended")
        return self._parting.events()

    def close(self) -> None:
        """End them, in order if they listen."""
        for name in self._ours():
            self._agents.dismiss(name, "the command has ended")
        self._steps.close()

    def _ours(self) -> dict[str, str]:
        """The nodes of our agents, by the agents' names; others in this job are the user's."""
        nodes = {step: node for node, step in self._steps.names.items()}
        steps = {name: place.get("slurm_step", "") for name, place in self._agents.places.items()}
        return {name: nodes[step] for name, step in steps.items() if step in nodes}
