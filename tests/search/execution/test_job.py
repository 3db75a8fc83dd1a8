import socket

import pytest

from search.execution.job import Node, node_of

HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("worker", "names", "node"),
    [
        ("worker-0", [HERE], HERE),
        ("worker-0", ["alone"], "alone"),
        ("worker-0", [HERE, f"{HERE}-0a1b"], HERE),
        (f"{HERE}-0a1b-worker-0", [HERE, f"{HERE}-0a1b"], f"{HERE}-0a1b"),
        ("alpha-2", ["alpha", "alpha-2"], "alpha"),
        ("alpha-2-0", ["alpha", "alpha-2"], "alpha-2"),
        ("worker-0", ["alpha", "beta"], ""),
        ("worker-0", [], ""),
    ],
)
def test_a_worker_is_on_the_machine_that_its_name_begins_with(worker, names, node):
    assert node_of(worker, [Node(name, 2, 0) for name in names]) == node
