"""Nodes of a cluster that come and go."""

from search.execution.ray_cluster.nodes import Nodes, Seen, Worker

CPU = {"CPU": 1.0}


def test_nodes_keep_what_was_found_there_and_names_of_their_own():
    nodes = Nodes()
    assert not nodes
    assert nodes.update([Seen("1", "host", CPU, CPU), Seen("2", "host", CPU, {})]) == []
    first, second = nodes.up
    assert (first.name, second.name) == ("host", "host-2")
    first.fit = True
    for node in (first, second):
        node.workers.append(Worker(node.new_name(), node, None))
    assert [worker.name for worker in nodes.workers] == ["host-0", "host-2-0"]
    assert first.new_name() == "host-1"

    assert nodes.update([Seen("2", "host", CPU, CPU), Seen("3", "host", CPU, CPU)]) == [first]
    first.workers.clear()
    assert [node.name for node in nodes.up] == ["host-2", "host-3"]  # the first name is taken
    assert nodes.up[0] is second and second.free == CPU
    assert nodes.any_fit
    assert nodes.update([]) == [second]
    assert nodes and not nodes.up
