"""How busy a coordinator keeps the workers of a Ray cluster: jobs that only sleep.

::

    python benchmarks/ray_slots.py --slots 32 --nodes 4 --seconds 2 --jobs 10

It starts nodes that claim more processors than this machine has, so that nothing but the handing
out of jobs is measured: workers follow a script and train nothing. It prints what share of the
time between the first start and the last end the slots were at work, and what a job cost beside
its sleep.
"""

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from search.execution.executors.ray import Options, start
from search.execution.job import Job, Place
from search.settings.experiment import WorkerSettings

SCRIPT = """
import json, sys, time
from multiprocessing.connection import Connection

pipe = Connection(int(sys.argv[1]))
def say(kind, job=None, **data):
    about = {} if job is None else {"key": job["key"], "attempt": job["attempt"], "data": data}
    pipe.send_bytes(json.dumps({"kind": kind, **about}).encode())

say("ready")
while True:
    try:
        job = json.loads(pipe.recv_bytes())
    except EOFError:
        break
    say("started", job)
    begin = time.time()
    time.sleep(job["settings"]["seconds"])
    say("done", job, begin=begin, end=time.time())
"""
# What Ray's worker processes run first: the script stands for a worker that trains.
SITE = """
import sys
if any("default_worker" in argument for argument in sys.orig_argv):
    from search.execution.executors import local
    local.fork_worker = lambda *_: None
    local.python_command = lambda _, *end: [sys.executable, {script!r}, *end]
"""
CLUSTER = """
import json, sys
from ray._private import ray_constants
from ray.cluster_utils import Cluster

ray_constants.ENABLE_RAY_CLUSTER = False  # stay on 127.0.0.1
folder, nodes, cpus = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
cluster = Cluster()
for index in range(nodes):
    cluster.add_node(
        num_cpus=cpus, temp_dir=folder, include_dashboard=False, object_store_memory=80 * 2**20
    )
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def measure(folder: Path, address: str, slots: int, seconds: float, jobs: int) -> None:
    """Keep all slots at work for ``jobs`` jobs each, as the coordinator does, and print."""
    workers = WorkerSettings(count=slots, accelerator="cpu")
    place = Place(folder / "study", workers, None, print, None)  # type: ignore[arg-type]
    begin = time.monotonic()
    executor = start(Options(address=address), place)
    try:
        while executor.free < slots:
            executor.events(0.5)
        print(
            f"{slots} slots on {len(executor.nodes)} nodes after {time.monotonic() - begin:.0f} s"
        )
        left, ends, spans, waits = slots * jobs, {}, [], []
        cpu, began = os.times(), time.time()
        submitted: dict[str, float] = {}
        while left or submitted:
            while left and executor.free:
                key = f"trials/{left:05d}"
                submitted[key] = time.time()
                settings = {"seconds": seconds}
                executor.submit(Job(key, 1, "train", str(folder), settings))
                left -= 1
            for event in executor.events(1.0):
                if event.kind == "done":
                    spans.append((event.data["begin"], event.data["end"]))
                    waits.append(event.data["begin"] - submitted.pop(event.key))
                    ends[event.key] = time.time() - event.data["end"]
                elif event.kind == "lost":
                    raise SystemExit(f"a worker died: {event.data}")
        used = os.times()
        whole = max(end for _, end in spans) - min(start_ for start_, _ in spans)
        busy = sum(end - start_ for start_, end in spans) / (slots * whole)
        result = {
            "slots": slots,
            "jobs": len(spans),
            "busy": round(busy, 4),
            "jobs_per_second": round(len(spans) / (time.time() - began), 2),
            "submit_to_begin_ms": round(1e3 * statistics.median(waits), 1),
            "end_to_event_ms": round(1e3 * statistics.median(ends.values()), 1),
            "coordinator_cpu_ms_per_job": round(
                1e3 * (used.user + used.system - cpu.user - cpu.system) / len(spans), 2
            ),
        }
        print(json.dumps(result))
    finally:
        executor.close()


def main() -> None:
    """Start the nodes, measure, end them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0, help="of sleep in each job")
    parser.add_argument("--jobs", type=int, default=10, help="for each slot")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ray-slots-"))
    (folder / "script.py").write_text(SCRIPT)
    (folder / "sitecustomize.py").write_text(SITE.format(script=str(folder / "script.py")))
    (folder / "token").write_text(secrets.token_hex(32))
    (folder / "study").mkdir()
    os.environ |= {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    cpus = -(-given.slots // given.nodes)
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER, str(folder), str(given.nodes), str(cpus)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(folder)},
        text=True,
    )
    assert cluster.stdin is not None
    assert cluster.stdout is not None
    try:
        address = cluster.stdout.readline().strip()
        measure(folder, address, given.slots, given.seconds, given.jobs)
    finally:
        cluster.stdin.close()
        cluster.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
