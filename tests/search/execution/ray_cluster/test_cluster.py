"""Which cluster is joined; Ray itself is faked."""

import socket
import sys
from types import ModuleType, SimpleNamespace

import pytest

from hybrid_swin.errors import InputError
from search.execution.ray_cluster.cluster import _join


@pytest.fixture
def ray(monkeypatch, tmp_path):
    """Notes the addresses that it is to join; ``found`` is what it takes for auto."""
    fake = SimpleNamespace(file=tmp_path / "current", found="192.0.2.2:46699", joined=[])
    fake.init = lambda address, **_: fake.joined.append(address)
    services, files = ModuleType("services"), ModuleType("utils")
    services.get_ray_address_from_environment = lambda *_: fake.found
    files.get_ray_address_file = lambda _: fake.file
    for name in ("ray", "ray._private"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "ray._private.services", services)
    monkeypatch.setitem(sys.modules, "ray._private.utils", files)
    return fake


@pytest.mark.parametrize("source", ["the file", "RAY_ADDRESS", "a process of Ray here"])
def test_an_old_address_that_ray_found_is_named_at_once(ray, monkeypatch, source):
    def refuse(*_):
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setenv("RAY_ADDRESS", ray.found if source == "RAY_ADDRESS" else "")
    if source == "the file":
        ray.file = ray.file.parent / ("long" * 40) / "current"
        ray.file.parent.mkdir()
        ray.file.write_text(ray.found)
        source = ray.file
    with pytest.raises(InputError) as error:
        _join(ray, "auto", "executor.address 'auto'")
    where = str(source)[-8:]  # a long path is cut in its middle
    assert "'auto' leads to 192.0.2.2:46699 (of " in str(error.value)
    assert f"{where}): nobody listens" in str(error.value)
    assert "leave the address out" in str(error.value) and len(str(error.value)) < 400
    assert ray.joined == []


def test_a_cluster_on_127_0_0_1_that_ray_found_is_joined_there(ray, monkeypatch):
    """Ray would look for it at the machine's own address, for minutes."""
    ray.found = "127.0.0.1:46699"
    constants = ModuleType("ray_constants")
    constants.ENABLE_RAY_CLUSTER = True
    monkeypatch.setattr(sys.modules["ray._private"], "ray_constants", constants, raising=False)
    sys.modules["ray._private.services"].resolve_ip_for_localhost = lambda _: "192.0.2.2"

    def connect(place, _):
        if place[0] != "127.0.0.1":
            raise ConnectionRefusedError
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(socket, "create_connection", connect)
    _join(ray, "auto", "executor.address 'auto'")
    assert (ray.joined, constants.ENABLE_RAY_CLUSTER) == (["auto"], False)


@pytest.mark.parametrize("found", [None, "nothing", "ray://head:10001"])
def test_what_ray_finds_besides_is_its_own_to_judge(ray, found):
    ray.found = found
    _join(ray, "auto", "executor.address 'auto'")
    assert ray.joined == ["auto"]
