"""Where workers are placed on machines, and what is said if they cannot be."""

from search.execution.ray_cluster.nodes import RayNode, Worker
from search.execution.ray_cluster.placement import places, room, why_none

ASKS = {"CPU": 2.0, "GPU": 0.25}


def machine(name, cpus=8.0, gpus=1.0, free_cpus=None, free_gpus=None, ready=0, opening=0, **about):
    free = {
        "CPU": cpus if free_cpus is None else free_cpus,
        "GPU": gpus if free_gpus is None else free_gpus,
    }
    node = RayNode(f"id-{name}", name, {"CPU": cpus, "GPU": gpus}, free, **about)
    node.workers = [Worker("", node, None, "ready") for _ in range(ready)]
    node.workers += [Worker("", node, None) for _ in range(opening)]
    return node


def names(found):
    return [one.name for one in found]


def test_room_is_what_the_scarcest_resource_allows():
    assert room({"CPU": 8, "GPU": 1}, ASKS) == 4
    assert room({"CPU": 8, "GPU": 0.5}, ASKS) == 2
    assert room({"CPU": 8}, ASKS) == 0
    assert room({"GPU": 0.1 + 0.2}, {"GPU": 0.1}) == 3  # though 0.1 + 0.2 is not 0.3


def test_one_worker_is_placed_on_a_machine_until_it_is_known_to_be_fit():
    both = [machine("a"), machine("b", cpus=4)]
    assert names(places(both, ASKS, None)) == ["a", "b"]
    both = [machine("a", opening=1), machine("b", cpus=4, free_cpus=2, ready=1, fit=True)]
    assert names(places(both, ASKS, None)) == ["b"]
    unfit = machine("c", unfit="it has other versions")
    assert names(places([*both, unfit], ASKS, None)) == ["b"]


def test_the_emptiest_machine_is_next_up_to_the_count():
    both = [
        machine("a", free_cpus=4, ready=2, fit=True),
        machine("b", free_cpus=6, ready=1, fit=True),
    ]
    assert names(places(both, ASKS, 6)) == ["b", "a", "b"]
    assert names(places(both, ASKS, 3)) == []
    assert len(places(both, ASKS, None)) == 5


def test_what_others_use_is_left_to_them_and_a_worker_on_its_way_counts_once():
    assert names(places([machine("a", free_cpus=2, ready=1, fit=True)], ASKS, None)) == ["a"]
    assert places([machine("a", free_gpus=0.2, ready=1, fit=True)], ASKS, None) == []
    # Ray may not have counted one of them yet
    opening = machine("a", free_cpus=4, ready=1, opening=1, fit=True)
    assert names(places([opening], ASKS, None)) == ["a"]
    # nor ever more than the machine has, whatever Ray says is free
    assert places([machine("a", ready=4, fit=True)], ASKS, None) == []


def test_why_no_worker_begins():
    small, large = machine("a", gpus=0.0), machine("b", cpus=1)
    assert why_none([], ASKS) == (
        "the Ray cluster has no machine; a worker asks for 2 CPU, 0.25 GPU"
    )
    assert why_none([small, large], ASKS) == (
        "no machine of the Ray cluster can take a worker, which asks for 2 CPU, 0.25 GPU; the "
        "largest, b, has 1 CPU, 1 GPU; ask for less by executor.num_cpus, num_gpus or resources, "
        "or let such a machine join"
    )
    assert "others use the machines" in why_none([machine("a", free_cpus=0), small], ASKS)
    assert why_none([machine("a")], ASKS) == ""
    assert why_none([machine("a", unfit="it has other versions")], ASKS) == (
        "it has other versions"
    )
