"""A Ray cluster of several nodes on this machine, in a process of its own.

Orders are lines of JSON on its standard input, answers on its output. It ends, and with it all
nodes, when its input closes.
"""

import json
import os
import sys
from pathlib import Path

import ray
from ray._common.utils import get_default_ray_temp_dir
from ray._private import ray_constants
from ray.cluster_utils import Cluster

ray_constants.ENABLE_RAY_CLUSTER = False  # stay on 127.0.0.1
# a node that is silent for 2 seconds is dead, not for 15
QUICK = {"health_check_period_ms": 500, "health_check_timeout_ms": 500} | {
    "health_check_initial_delay_ms": 0,
    "health_check_failure_threshold": 4,
}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder = Path(sys.argv[1])
    # where Ray writes the address of the last cluster; `ray start` would make it
    os.makedirs(get_default_ray_temp_dir(), exist_ok=True)
    cluster = Cluster(shutdown_at_exit=True)

    def add(**resources):
        head = {} if cluster.head_node else {"_system_config": QUICK, "include_dashboard": False}
        node = cluster.add_node(
            temp_dir=str(folder), object_store_memory=80 * 2**20, **head, **resources
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
    main()
