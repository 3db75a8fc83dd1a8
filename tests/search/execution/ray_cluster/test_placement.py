"""Where workers are placed on machines, and what is said if they cannot be."""

from search.execution.ray_cluster.placement import Held, Machine, places, room, why_none

ASKS = {"CPU": 2.0, "GPU": 0.25}


def machine(name, cpus=8.0, gpus=1.0, free_cpus=None, free_gpus=None):
    free = {
        "CPU": cpus if free_cpus is None else free_cpus,
        "GPU": gpus if free_gpus is None else free_gpus,
    }
    return Machine(f"id-{name}", name, {"CPU": cpus, "GPU": gpus}, free)


def names(found):
    return [one.name for one in found]


def test_room_is_what_the_scarcest_resource_allows():
    assert room({"CPU": 8, "GPU": 1}, ASKS) == 4
    assert room({"CPU": 8, "GPU": 0.5}, ASKS) == 2
    assert room({"CPU": 8}, ASKS) == 0
    assert room({"GPU": 0.1 + 0.2}, {"GPU": 0.1}) == 3  # though 0.1 + 0.2 is not 0.3


def test_one_worker_is_placed_on_a_machine_until_it_is_known_to_be_fit():
    both = [machine("a"), machine("b", cpus=4)]
    assert names(places(both, {}, ASKS, None)) == ["a", "b"]
    held = {"id-a": Held(1, 1, fit=False), "id-b": Held(1, 0, fit=True)}
    both = [machine("a"), machine("b", cpus=4, free_cpus=2)]
    assert names(places(both, held, ASKS, None)) == ["b"]


def test_the_emptiest_machine_is_next_up_to_the_count():
    held = {"id-a": Held(2, 0, fit=True), "id-b": Held(1, 0, fit=True)}
    both = [machine("a", free_cpus=4), machine("b", free_cpus=6)]
    assert names(places(both, held, ASKS, 6)) == ["b", "a", "b"]
    assert names(places(both, held, ASKS, 3)) == []
    assert len(places(both, held, ASKS, None)) == 5


def test_what_others_use_is_left_to_them_and_a_worker_on_its_way_counts_once():
    held = {"id-a": Held(1, 0, fit=True)}
    assert names(places([machine("a", free_cpus=2)], held, ASKS, None)) == ["a"]
    assert places([machine("a", free_gpus=0.2)], held, ASKS, None) == []
    opening = {"id-a": Held(2, 1, fit=True)}  # Ray may not have counted one of them yet
    assert names(places([machine("a", free_cpus=4)], opening, ASKS, None)) == ["a"]
    # nor ever more than the machine has, whatever Ray says is free
    full = {"id-a": Held(4, 0, fit=True)}
    assert places([machine("a")], full, ASKS, None) == []


def test_why_no_worker_begins():
    small, large = machine("a", gpus=0.0), machine("b", cpus=1)
    assert why_none([], {}, ASKS) == (
        "the Ray cluster has no machine; a worker asks for 2 CPU, 0.25 GPU"
    )
    assert why_none([small, large], {}, ASKS) == (
        "no machine of the Ray cluster can take a worker, which asks for 2 CPU, 0.25 GPU; the "
        "largest, b, has 1 CPU, 1 GPU; ask for less by executor.num_cpus, num_gpus or resources, "
        "or let such a machine join"
    )
    assert "others use the machines" in why_none([machine("a", free_cpus=0), small], {}, ASKS)
    assert why_none([machine("a")], {}, ASKS) == ""
    assert why_none([machine("a")], {"id-a": "it has other versions"}, ASKS) == (
        "it has other versions"
    )
