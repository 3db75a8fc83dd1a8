"""GPUs that a real Slurm shares out, among jobs and then among the workers of each.

The GPUs are none: Slurm counts files, and only the agents see CUDA, by a fake. What this shows is
which numbers each worker and each of its processes is given; they train on the CPU.
"""

import json
import os
import sys

import pytest

pytestmark = pytest.mark.cluster
# An agent, and nothing else, sees as many GPUs as it was given.
SITE = """
import os
import sys

if "work" in sys.orig_argv:
    import torch

    given = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: len(given)
    torch.cuda.get_device_capability = lambda *_: (8, 0)
"""
# A block that says which GPUs the process has that trains it, and waits until all have said so.
BRANCH = '''
import json
import os
import time
from pathlib import Path

from torch import nn

from hybrid_swin import Branch, Cost, linear

SEEN = Path({folder!r})


class Telling(Branch):
    """It tells."""

    def __init__(self, dim, num_heads, window_size, grid_size):
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def mix(self, x, value_gate=None):
        file = SEEN / f"{{os.getpid()}}.json"
        if "SLURM_JOB_ID" in os.environ and not file.exists():
            names = ("SLURM_ARRAY_TASK_ID", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES")
            new = file.with_suffix(".new")
            new.write_text(json.dumps([os.environ[name] for name in names]))
            new.rename(file)
            end = time.monotonic() + 60
            while len(list(SEEN.glob("*.json"))) < {processes} and time.monotonic() < end:
                time.sleep(0.05)
        return x

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size):
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''

BLOCKS = ("telling", "telling+conv", "telling+w_msa", "telling+mdta")


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        (1, {"0,1": ["0", "1"], "2,3": ["2", "3"]}),  # a training on each
        (2, {"0,1": ["0,1", "0,1"], "2,3": ["2,3", "2,3"]}),  # one on both, in two processes
    ],
)
def test_each_worker_of_each_job_has_devices_of_its_own(
    slurm, tiny, monkeypatch, devices, expected
):
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(
        "PATH", os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    seen, site = tiny.root / "seen", tiny.root / "site"
    seen.mkdir()
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    (tiny.root / "telling.py").write_text(BRANCH.format(folder=str(seen), processes=4))
    setup = [f"export PYTHONPATH={site}"]
    tiny.write(
        plugins=[str(tiny.root / "telling.py")],
        baselines=[{"label": word, "blocks": [word]} for word in BLOCKS],
        trials=1,
        sampler={"lookahead": 8},
        finalists={"top": 1, "seeds": 1, "random": 0},
        workers={"count": "auto", "devices": devices},
        executor={"name": "slurm", "max_jobs": 2, "gres": "gpu:2", "setup": setup},
    )
    tiny.run("--executor.poll_seconds", "0.3")
    told = [json.loads(file.read_text()) for file in sorted(seen.glob("*.json"))]
    jobs = {task: given for task, given, _ in told}
    assert sorted(jobs.values()) == sorted(expected)
    for task, given in jobs.items():
        assert sorted(cuda for other, _, cuda in told if other == task) == expected[given]
