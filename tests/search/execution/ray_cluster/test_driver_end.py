"""How a driver ends whose cluster does not answer; nothing here needs Ray."""

import os
import queue
import threading
from types import SimpleNamespace

import pytest

from search.execution.ray_cluster import driver
from search.execution.ray_cluster.nodes import Seen, Worker


def test_a_driver_whose_cluster_does_not_answer_leaves_nothing(tmp_path, monkeypatch):
    """Its coordinator may have been killed, and removes nothing."""
    answer = threading.Event()
    monkeypatch.setattr(driver, "look", lambda ray: answer.wait(20))
    monkeypatch.setattr(driver, "actor_class", lambda ray: None)
    monkeypatch.setattr(driver, "_TIME_TO_LOOK", 0.01)
    monkeypatch.setattr(os, "_exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    context = SimpleNamespace(get_node_id=lambda: "own")
    ray = SimpleNamespace(get_runtime_context=lambda: context)
    nonce, scratch = tmp_path / "nonce", tmp_path / "scratch"
    nonce.touch()
    scratch.mkdir()
    opening = {"asks": {}, "address": "auto", "nonce": str(nonce), "scratch": str(scratch)}
    news = queue.SimpleQueue()
    news.put(("close", None, None))
    with pytest.raises(SystemExit):
        driver.Driver(ray, opening, None, news).run()
    answer.set()
    assert list(tmp_path.iterdir()) == []


def test_a_machine_is_said_to_join_once_all_its_workers_are_ready(monkeypatch):
    monkeypatch.setattr(driver, "actor_class", lambda ray: None)
    context = SimpleNamespace(get_node_id=lambda: "own")
    ray = SimpleNamespace(get_runtime_context=lambda: context)
    said = []
    channel = SimpleNamespace(say=lambda kind, **about: said.append(about.get("text")))
    one = driver.Driver(ray, {"asks": {}, "address": "auto"}, channel, None)
    one._nodes.update([Seen("id", "node7", {"CPU": 2}, {"CPU": 2})])
    [node] = one._nodes.up
    node.workers = [Worker(f"{node.name}-{number}", node, None, "checked") for number in range(2)]
    for states in (("ready", "checked"), ("busy", "ready"), ("ready", "busy")):
        for worker, state in zip(node.workers, states, strict=True):
            worker.state = state
        one._report()
    assert [text for text in said if text] == [f"{node.name} joins with 2 workers"]
