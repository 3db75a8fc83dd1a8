"""Actors of Ray: a ``Slot`` for each worker, on the machine that was chosen for it."""

from collections.abc import Mapping
from typing import Any


def actor_class(ray: Any) -> Any:
    """The class of actors, which Ray is to carry by value (see ``slot``)."""
    from search.execution.ray_cluster import slot

    ray.cloudpickle.register_pickle_by_value(slot)
    # the second call at once is `wait`
    return ray.remote(max_restarts=0, max_task_retries=0, max_concurrency=2)(slot.Slot)


def new_actor(actors: Any, asks: Mapping[str, float], machine: str) -> Any:
    """An actor that Ray starts on a machine as soon as what it asks for is free there.

    Args:
        actors: their class.
        asks: what Ray reserves for it, by the names of resources.
        machine: its id in the cluster.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return actors.options(
        num_cpus=asks["CPU"],
        num_gpus=asks.get("GPU", 0),
        resources={name: amount for name, amount in asks.items() if name not in ("CPU", "GPU")},
        scheduling_strategy=NodeAffinitySchedulingStrategy(machine, soft=False),
    ).remote()
