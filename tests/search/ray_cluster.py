"""A Ray cluster of several nodes on this machine, in a process of its own."""

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

TO_CLOSE = 60  # seconds
# a node that is silent for 2 seconds is dead, not for 15
QUICK = {"health_check_period_ms": 500, "health_check_timeout_ms": 500} | {
    "health_check_initial_delay_ms": 0,
    "health_check_failure_threshold": 4,
    "worker_niceness": 0,  # of 15: other work on this machine would make workers wait
}


def why_not():
    """Why there can be no Ray here; None if there can."""
    if importlib.util.find_spec("ray") is None or sys.platform != "linux":
        return "needs Ray (pip install 'hybrid-swin[ray]') on Linux"
    return None


class RayCluster:
    """A cluster that a user has started; its nodes come and go.

    ``environment`` holds its token. What it prints is in ``folder``, which goes with it.

    Args:
        system: settings of Ray, such as how soon a silent node is dead.
    """

    def __init__(self, system=QUICK):
        # not pytest's folder: Ray puts sockets into it, whose paths must be short
        self.folder = Path(tempfile.mkdtemp(prefix="test-ray-", dir="/tmp"))
        self.token = self.folder / "token"
        self.token.write_text(secrets.token_hex(32))
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token)}
        self.head, self._system, self._process = None, system, None

    @property
    def address(self):
        """Where its head listens."""
        return self.head["address"]

    def start(self, **environment):
        """Start the process that is to hold the nodes, with variables for them."""
        with (self.folder / "cluster.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, self.folder, json.dumps(self._system)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ
                | {"RAY_USAGE_STATS_ENABLED": "0"}
                | self.environment
                | {name: str(value) for name, value in environment.items()},
                text=True,
                start_new_session=True,
            )

    def add(self, **resources):
        """Add a node, the head first; gives the process ids of its raylet and, if head, GCS."""
        node = self.order("add", **resources)
        self.head = self.head or node
        return node

    def order(self, name, **given):
        """Have something done in its process; gives the answer."""
        self._process.stdin.write(json.dumps([name, given]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, (self.folder / "cluster.log").read_text()[-2000:]
        return json.loads(answer)

    def close(self):
        """End all nodes."""
        if self._process is not None and self._process.returncode is None:
            self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(TO_CLOSE)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def serve(folder, system):
    """Take orders: lines of JSON on standard input, answers on output; end when input closes."""
    import ray
    from ray._common.utils import get_default_ray_temp_dir
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    ray_constants.ENABLE_RAY_CLUSTER = False  # stay on 127.0.0.1
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # where Ray writes the address of the last cluster; `ray start` would make it
    os.makedirs(get_default_ray_temp_dir(), exist_ok=True)
    cluster = Cluster(shutdown_at_exit=True)

    def add(**resources):
        head = {} if cluster.head_node else {"_system_config": system, "include_dashboard": False}
        node = cluster.add_node(
            temp_dir=folder, object_store_memory=80 * 2**20, **head, **resources
        )
        processes = node.all_processes
        return {
            "address": cluster.address,
            "raylet": processes["raylet"][0].process.pid,
            "gcs": processes["gcs_server"][0].process.pid if head else None,
        }

    def versions(**changes):
        """Have the cluster say that it is of another version; returns what it said."""
        from ray._common.usage.usage_constants import CLUSTER_METADATA_KEY as KEY
        from ray._raylet import GcsClient

        gcs = GcsClient(address=cluster.address)
        said = json.loads(gcs.internal_kv_get(KEY, b"cluster", timeout=5))
        gcs.internal_kv_put(KEY, json.dumps(said | changes).encode(), True, b"cluster", timeout=5)
        return {name: said[name] for name in changes}

    orders = {"add": add, "versions": versions}
    for line in sys.stdin:
        name, given = json.loads(line)
        print(json.dumps(orders[name](**given)), file=answers, flush=True)
    cluster.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    serve(sys.argv[1], json.loads(sys.argv[2]))
