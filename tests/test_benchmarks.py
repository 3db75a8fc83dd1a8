"""The benchmarks run, and say what was measured."""

import dataclasses
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from hybrid_swin.interop.factory import create_model
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import backbones
import backbones_models
import backbones_peers
import backbones_report

STAGES = (Stage(8, 2, 1, ("w_msa", "sw_msa")), Stage(16, 2, 2, ("w_msa", "sw_msa")))
PLAIN = Variant(image_size=16, num_classes=3, patch_size=2, window_size=4, stages=STAGES)


@pytest.fixture
def tiny(monkeypatch):
    setting = backbones_models.networks("tiny", "Tiny", PLAIN, 2, (4, 3))
    monkeypatch.setattr(backbones, "settings", lambda: {"tiny": setting})
    threads = torch.get_num_threads()
    yield setting
    torch.set_num_threads(threads)


def test_a_run_times_all_and_writes_three_files(tiny, tmp_path, capsys):
    pytest.importorskip("transformers")
    only = ["--only", "Swin,", "mdta"]  # not all of transformers: importing it takes seconds
    backbones.main(["--quick", *only, "--out", str(tmp_path / "figures")])
    report = json.loads((tmp_path / "figures.json").read_text())
    conditions = report["settings"]["tiny"]["conditions"]  # bf16 too, on a processor that has it
    timed = conditions["fp32"]
    assert len(timed["forward"]["same"]) >= 3  # ours, and transformers' with sdpa and eager
    assert timed["largest_difference"] < 1e-5
    for mode in backbones.MODES:
        for group in timed[mode].values():
            assert all(len(t["wall"]) == 3 and min(t["wall"]) > 0 for t in group.values())
    names = list(report["settings"]["tiny"]["models"])
    table = (tmp_path / "figures.md").read_text()
    picture = ElementTree.parse(tmp_path / "figures.svg")  # noqa: S314  # our own file
    drawn = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    rows = 2 * len(conditions)
    assert all(table.count(f"| {name} |") == rows and name in drawn for name in names)
    assert "figures.svg" in table and table in capsys.readouterr().out


def test_what_is_not_the_same_is_not_timed_as_the_same(tiny, tmp_path, monkeypatch):
    other = dataclasses.replace(
        PLAIN, stages=tuple(dataclasses.replace(s, blocks=("w_msa",)) for s in STAGES)
    )
    entries = [
        backbones_peers.Entry(n, lambda v=v: create_model(v), same=True)
        for n, v in (("ours", PLAIN), ("unshifted", other))
    ]
    setting = dataclasses.replace(tiny, entries=lambda: (entries, []))
    monkeypatch.setattr(backbones, "settings", lambda: {"tiny": setting})
    with pytest.raises(AssertionError, match="Tiny: outputs differ by"):
        backbones.main(["--quick", "--out", str(tmp_path / "figures")])
    assert not list(tmp_path.iterdir())


def test_the_memory_of_training_grows_with_the_batch(tiny):
    name = backbones_models.REFERENCE
    small, large = (
        backbones.peak_memory(tiny, name, "training", "fp32", batch, "cpu") for batch in (1, 512)
    )
    # at 512 images the MLPs' hidden maps alone are 2 * 2 * 4 * 8 * 64 numbers per image
    assert large - small > 0.9 * 511 * 8192 * 4 / 1e6


def test_relative_time_is_paired_by_round():
    slow_rounds = [1.0, 5.0, 2.0, 9.0]  # the machine is busy in some rounds
    times = {"ours": {"wall": slow_rounds}, "peer": {"wall": [1.5 * s for s in slow_rounds]}}
    assert backbones_report.relative(times, "peer", "ours", "wall") == (1.5, 1.5, 1.5)


def test_utilisation_counts_two_flops_a_mac_and_two_forwards_a_backward():
    model = {"macs": 5 * 10**9}
    assert backbones_report.utilisation(model, "forward", 1000, 100) == pytest.approx(0.1)
    assert backbones_report.utilisation(model, "training", 1000, 100) == pytest.approx(0.3)
