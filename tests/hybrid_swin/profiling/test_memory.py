"""Memory in a fresh process: a part that takes a known amount tells whether it is seen."""

import io
import json

import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.profiling import memory as module
from hybrid_swin.profiling.memory import main, peak_memory
from hybrid_swin.profiling.timing import Setup
from hybrid_swin.spec.registry import add_plugin
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

CPU = Setup("cpu", threads=1, batch=2)
MEGABYTES = 120
GREEDY = f'''
import torch
from torch import nn
from hybrid_swin import Branch, linear


class Greedy(Branch):
    """Takes {MEGABYTES} megabytes for a moment."""

    def __init__(self, dim, num_heads, window_size, grid_size):
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def mix(self, x, value_gate=None):
        return x + torch.ones({MEGABYTES * 250_000}).mean()

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size):
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''


def small(word):
    return Variant((32, 32), 3, 10, 4, 4, 4.0, (Stage(16, 1, 2, (word,)),))


def test_what_a_step_takes_is_seen(write_plugin):
    """In training that is also the gradients and AdamW's two moments."""
    path = write_plugin("greedy", GREEDY)
    add_plugin(path)
    wide = Variant((16, 16), 3, 10, 4, 4, 4.0, (Stage(512, 2, 8, ("greedy",)),))
    weights = count_cost(wide).parameters * 4 / 1e6  # megabytes
    found = peak_memory(wide, "training", CPU, [path])
    assert found == pytest.approx(3 * weights + MEGABYTES, abs=weights)


def answer_to(monkeypatch, capsys, variant):
    job = {
        "variant": variant.to_dict(),
        "work": "forward",
        "setup": {"device": "cpu", "threads": 1, "batch": 1},
        "plugins": [],
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(job)))
    main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("RuntimeError('boom')", "fails (RuntimeError: boom)"),
        ("torch.OutOfMemoryError('CUDA')", "does not fit in memory"),
        ('RuntimeError("DefaultCPUAllocator: can\'t allocate memory")', "does not fit in memory"),
    ],
)
def test_what_fails_is_answered(raised, said, write_plugin, monkeypatch, capsys):
    text = GREEDY.replace("return x + ", f"raise {raised}; ")
    add_plugin(write_plugin("greedy", text))
    assert answer_to(monkeypatch, capsys, small("greedy")) == {"error": said}


@pytest.mark.parametrize(
    ("code", "out", "message"),
    [
        (-9, "", "forward of 'conv 1x16' with a batch of 2 runs out of memory"),
        (0, '{"error": "does not fit in memory"}', "does not fit in memory; choose another batch"),
    ],
)
def test_what_has_no_room_is_refused(code, out, message, monkeypatch):
    class Done:
        returncode, stdout, stderr = code, out, ""

    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: Done)
    with pytest.raises(InputError, match=message):
        peak_memory(small("conv"), "forward", CPU)
