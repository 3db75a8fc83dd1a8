"""On which machines of a cluster the next workers are placed, and why none can be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TINY = 1e-6  # of a resource: sums of fractions are not exact


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster, as Ray describes it.

    Attributes:
        total, free: its resources by name, and what of them nobody has reserved.
    """

    id: str
    name: str
    total: Mapping[str, float]
    free: Mapping[str, float]


@dataclass
class Held:
    """Our workers on a machine: all of them, those that wait for Ray, and whether one has opened.

    Until one has opened, a machine may turn out to be unfit, so only one is placed there.
    """

    workers: int = 0
    opening: int = 0
    fit: bool = False


def room(resources: Mapping[str, float], asks: Mapping[str, float]) -> int:
    """How many workers fit into resources."""
    return int(min(resources.get(name, 0.0) / amount + _TINY for name, amount in asks.items()))


def places(
    machines: Sequence[Machine],
    held: Mapping[str, Held],
    asks: Mapping[str, float],
    count: int | None,
) -> list[Machine]:
    """Machines for the next workers, one entry each; the emptiest first.

    Args:
        machines: those that may be used.
        held: our workers on them, by the machine's id.
        asks: what a worker reserves.
        count: workers at most on all machines; None for no limit.
    """
    workers = {machine.id: held.get(machine.id, Held()).workers for machine in machines}
    left: dict[str, int] = {}
    for machine in machines:
        ours = held.get(machine.id, Held())
        if ours.fit:
            # A worker that Ray is about to place may not be in `free` yet.
            here = room(machine.free, asks) - ours.opening
        else:
            here = min(1, room(machine.free, asks)) - ours.workers
        left[machine.id] = max(0, min(here, room(machine.total, asks) - ours.workers))
    placed = sum(ours.workers for ours in held.values())
    missing = float("inf") if count is None else count - placed
    chosen: list[Machine] = []
    while len(chosen) < missing:
        open_ = [machine for machine in machines if left[machine.id]]
        if not open_:
            break
        machine = min(open_, key=lambda one: workers[one.id])
        chosen.append(machine)
        workers[machine.id] += 1
        left[machine.id] -= 1
    return chosen


def why_none(
    machines: Sequence[Machine], unfit: Mapping[str, str], asks: Mapping[str, float]
) -> str:
    """Why no worker can be placed on any machine, for a person; empty if one can.

    Args:
        machines: all that are up.
        unfit: why some of them cannot be used, by the machine's id.
        asks: what a worker reserves.
    """
    wanted = listed(asks)
    if not machines:
        return f"the Ray cluster has no machine; a worker asks for {wanted}"
    able = [machine for machine in machines if room(machine.total, asks)]
    if not able:
        largest = max(machines, key=lambda one: [_share(one, asks), *one.total.values()])
        has = listed({name: largest.total.get(name, 0.0) for name in asks})
        return (
            f"no machine of the Ray cluster can take a worker, which asks for {wanted}; the "
            f"largest, {largest.name}, has {has}; ask for less by executor.num_cpus, num_gpus or "
            "resources, or let such a machine join"
        )
    usable = [machine for machine in able if machine.id not in unfit]
    if not usable:
        return unfit[able[0].id]
    if any(room(machine.free, asks) for machine in usable):
        return ""  # one is about to start
    return (
        f"others use the machines of the Ray cluster; a worker asks for {wanted}, and begins as "
        "soon as that is free"
    )


def listed(resources: Mapping[str, float]) -> str:
    """Resources in words: 2 CPU, 0.5 GPU."""
    return ", ".join(f"{amount:g} {name}" for name, amount in resources.items())


def _share(machine: Machine, asks: Mapping[str, float]) -> float:
    """How much of what is asked for a machine has, where it has least."""
    return min(machine.total.get(name, 0.0) / amount for name, amount in asks.items())
