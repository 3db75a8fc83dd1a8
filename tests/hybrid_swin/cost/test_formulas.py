"""Costs without torch are those with it, for every built-in part and each value of its options."""

import json
import subprocess
import sys

import torch  # so that the costs here are those of the classes themselves

from hybrid_swin.cost import mixer_cost
from hybrid_swin.cost.formulas import load_formulas
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.options import spell

IN_ANOTHER = """
import json, sys
from hybrid_swin.spec.block_words import parse
from hybrid_swin.cost import mixer_cost
words = json.loads(sys.argv[1])
costs = {w: mixer_cost(parse(w), 24, 4, 3, (5, 7), True).to_dict() for w in words}
assert "torch" not in sys.modules
print(json.dumps(costs))
"""


def parts(kind):
    """Every part of a kind, plain and with each value of each option."""
    for name in registry.names(kind):
        yield name
        for option in registry.describe(kind, name).options.values():
            values = option.choices or ((True, False) if option.type is bool else ())
            yield from (f"{name}({option.name}={spell(value)})" for value in values)


def test_costs_are_the_same_without_torch():
    words = [*parts("branch"), *(f"w_msa+conv:{fusion}" for fusion in parts("fusion"))]
    assert len(words) > 50
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER, json.dumps(words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for word in words:
        assert found[word] == mixer_cost(parse(word), 24, 4, 3, (5, 7), True).to_dict(), word


def test_a_part_that_is_built_is_the_real_one(write_plugin):
    assert issubclass(load_formulas("branch", "conv"), torch.nn.Module)
    registry.add_plugin(write_plugin("average"))
    assert load_formulas("branch", "average") is registry.load("branch", "average")
