"""How a driver ends whose cluster does not answer; nothing here needs Ray."""

import os
import queue
import threading
from types import SimpleNamespace

import pytest

from search.execution.ray_cluster import driver


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
