"""What this machine has for workers."""

import os
from pathlib import Path

import pytest
import torch

from search.execution import machine as machine_module
from search.execution.machine import cpu_workers, visible_gpus


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of so many cores, so much free memory (GiB), and its control group."""

    def describe(cores, gigabytes=1000.0, quota=None, memory_max=None):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
        group = tmp_path / "group"
        group.mkdir(exist_ok=True)
        (group / "cpu.max").write_text(f"{quota or 'max'} 100000\n")
        (group / "memory.max").write_text(f"{memory_max or 'max'}\n")
        monkeypatch.setattr(machine_module, "_CONTROL_GROUP", group)
        real = Path.read_text

        def read_text(path, *rest, **options):
            if str(path) == "/proc/meminfo":
                return f"MemTotal: 9 kB\nMemAvailable: {int(gigabytes * 1024**2)} kB\n"
            return real(path, *rest, **options)

        monkeypatch.setattr(Path, "read_text", read_text)

    return describe


@pytest.mark.parametrize(
    ("given", "threads", "expected"),
    [
        ({"cores": 8}, 1, 8),
        ({"cores": 8}, 3, 2),
        ({"cores": 1}, 4, 1),  # one at least
        ({"cores": 8, "quota": 250_000}, 1, 2),
        ({"cores": 8, "quota": 50_000}, 1, 1),
        ({"cores": 64, "gigabytes": 7}, 1, 3),
        ({"cores": 64, "gigabytes": 0.5}, 1, 1),
        ({"cores": 64, "memory_max": 9 * 1024**3}, 1, 4),
    ],
)
def test_as_many_workers_as_the_machine_bears(machine, given, threads, expected):
    machine(**given)
    assert cpu_workers(threads) == expected
    assert cpu_workers(threads, 2) == max(1, expected // 2)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_workers_keep_to_the_cores_that_we_may_use():
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert cpu_workers(1) == 1
    finally:
        os.sched_setaffinity(0, cores)


def test_where_nothing_is_told_cores_decide(machine, monkeypatch, tmp_path):
    machine(5)
    monkeypatch.setattr(machine_module, "_CONTROL_GROUP", tmp_path / "none")
    assert cpu_workers(1) == 5


@pytest.mark.parametrize(("granted", "expected"), [("2", 2), ("8", 5), ("", 5), ("many", 5)])
def test_what_slurm_grants_on_this_node_is_kept(machine, monkeypatch, granted, expected):
    """Not every cluster binds processes to their processors."""
    machine(5)
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", granted)
    assert cpu_workers(1) == expected


@pytest.mark.parametrize(
    ("given", "count", "expected"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("", 0, []),
        # GPU 0 of this process is another one of the machine's: workers must get that one's name.
        ("2,3", 2, ["2", "3"]),
        ("GPU-8f6d, GPU-1a2b", 2, ["GPU-8f6d", "GPU-1a2b"]),
        ("5,-1,6", 1, ["5"]),  # CUDA ends at the first that is none
        ("0,9", 1, ["0"]),
        ("-1", 0, []),
        # CUDA shows the first part to a process; each worker is a process of its own
        ("MIG-a1,MIG-b2", 1, ["MIG-a1", "MIG-b2"]),
    ],
)
def test_workers_get_the_gpus_that_this_process_was_given(monkeypatch, given, count, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert visible_gpus("gpu") == expected
