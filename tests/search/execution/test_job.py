import socket

import pytest

from search.execution.job import Node, fed_workers, node_of

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


@pytest.mark.parametrize(("most", "fed"), [(None, 4), (4, 4), (9, 4), (3, 3)])
def test_workers_that_cannot_be_fed_are_left_out_and_said(most, fed):
    said = []
    assert fed_workers(4, most, said.append) == fed
    assert [text[:16] for text in said] == (["3 of 4 workers: "] if fed == 3 else [])
    assert all(text.endswith("for all of them give 8") for text in said)
