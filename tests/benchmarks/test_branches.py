"""Branches are timed beside `w_msa`; small."""

import json

import pytest
import torch

from benchmarks import branches
from hybrid_swin.cost import Cost
from hybrid_swin.spec import registry

TINY = "--maps 4 --heads 2 --window 2 --batch 1 --rounds 2 --steps 1".split()


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_branch_and_every_half_is_timed():
    names = branches.words(None)
    assert names[0] == "w_msa" and len(set(names)) == len(names)
    assert {name for name in names if "(" not in name} == set(registry.names("branch"))
    assert {"linear(attention=false)", "stripes(positions=false)"} <= set(names)
    assert "w_msa(mask_padding=false)" not in names  # not a half: it is off


def test_a_run_times_both_modes_and_says_what_it_left_out(threads, tmp_path, capsys):
    out = tmp_path / "figures"
    only = ["--only", "agent", "inception_dw", "identity"]
    branches.main([*TINY, "--channels", "2", *only, "--out", str(out)])
    measured = json.loads(out.with_suffix(".json").read_text())["maps"]["4"]
    timed = "w_msa", "agent", "agent(depthwise=false)", "agent(attention=false)", "identity"
    assert tuple(measured["costs"]) == timed
    for mode in branches.MODES:
        seconds = measured["seconds"][mode]
        assert seconds.keys() == set(timed)
        assert all(len(t["cpu"]) == 2 and min(t["cpu"]) > 0 for t in seconds.values())
    table = out.with_suffix(".md").read_text()
    assert all(table.count(f"| `{name}` |") == 1 for name in timed)
    assert "Left out: `inception_dw`: its block gives inception_dw 2 channels" in table
    assert table in capsys.readouterr().out


def test_a_training_step_reaches_the_map_and_every_weight():
    layer, x = torch.nn.Linear(3, 3), torch.randn(1, 2, 2, 3)
    branches.training_step(layer, x)()
    assert all(p.grad is not None for p in layer.parameters()) and x.grad is None


def test_time_per_mac_is_time_over_the_ratio_of_macs():
    rounds = [1.0, 5.0, 2.0]  # the machine is busy in some
    seconds = {"w_msa": {"cpu": rounds}, "mine": {"cpu": [3 * s for s in rounds]}}
    seconds["identity"] = seconds["w_msa"]
    costs = {"w_msa": Cost(5, 10).to_dict(), "mine": Cost(7, 20).to_dict()}
    costs["identity"] = Cost().to_dict()
    measured = {"costs": costs, "seconds": dict.fromkeys(branches.MODES, seconds)}
    *_, mine, identity = branches._table(measured)
    assert mine == "| `mine` | 7 | 0.00 | 3.00 (3.00 to 3.00) | 1.50 | 3.00 (3.00 to 3.00) | 1.50 |"
    assert "|  |" in identity  # no MACs
