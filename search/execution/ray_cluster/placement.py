"""On which nodes of a cluster the next workers are placed, and why none can be."""

from collections.abc import Mapping, Sequence

from search.execution.ray_cluster.nodes import RayNode

_TINY = 1e-6  # of a resource: sums of fractions are not exact


def room(resources: Mapping[str, float], asks: Mapping[str, float]) -> int:
    """How many workers fit into resources."""
    return int(min(resources.get(name, 0.0) / amount + _TINY for name, amount in asks.items()))


def places(nodes: Sequence[RayNode], asks: Mapping[str, float], count: int | None) -> list[RayNode]:
    """Nodes for the next workers, one entry each; the emptiest first.

    Until one has opened there, a node may turn out to be unfit, so only one is placed there.

    Args:
        nodes: all that are up.
        asks: what a worker reserves.
        count: workers at most on all nodes; None for no limit.
    """
    workers = {node.id: len(node.workers) for node in nodes}
    left = {node.id: _left(node, asks) for node in nodes}
    chosen: list[RayNode] = []
    while count is None or sum(workers.values()) < count:
        open_ = [node for node in nodes if left[node.id]]
        if not open_:
            break
        node = min(open_, key=lambda one: workers[one.id])
        chosen.append(node)
        workers[node.id] += 1
        left[node.id] -= 1
    return chosen


def why_none(nodes: Sequence[RayNode], asks: Mapping[str, float]) -> str:
    """Why no worker can be placed on any node, for a person; empty if one can.

    Args:
        nodes: all that are up.
        asks: what a worker reserves.
    """
    wanted = listed(asks)
    if not nodes:
        return f"the Ray cluster has no machine; a worker asks for {wanted}"
    able = [node for node in nodes if room(node.total, asks)]
    if not able:
        largest = max(nodes, key=lambda one: [_share(one, asks), *one.total.values()])
        has = listed({name: largest.total.get(name, 0.0) for name in asks})
        return (
            f"no machine of the Ray cluster can take a worker, which asks for {wanted}; the "
            f"largest, {largest.name}, has {has}; ask for less by executor.num_cpus, num_gpus or "
            "resources, or let such a machine join"
        )
    usable = [node for node in able if not node.unfit]
    if not usable:
        return able[0].unfit
    if any(room(node.free, asks) for node in usable):
        return ""  # one is about to start
    return (
        f"others use the machines of the Ray cluster; a worker asks for {wanted}, and begins as "
        "soon as that is free"
    )


def listed(resources: Mapping[str, float]) -> str:
    """Resources in words: 2 CPU, 0.5 GPU."""
    return ", ".join(f"{amount:g} {name}" for name, amount in resources.items())


def _left(node: RayNode, asks: Mapping[str, float]) -> int:
    """How many more workers a node can take."""
    if node.unfit:
        return 0
    if node.fit:
        # A worker that Ray is about to place may not be in `free` yet.
        opening = sum(worker.state == "opening" for worker in node.workers)
        here = room(node.free, asks) - opening
    else:
        here = min(1, room(node.free, asks)) - len(node.workers)
    return max(0, min(here, room(node.total, asks) - len(node.workers)))


def _share(node: RayNode, asks: Mapping[str, float]) -> float:
    """How much of what is asked for a node has, where it has least."""
    return min(node.total.get(name, 0.0) / amount for name, amount in asks.items())
