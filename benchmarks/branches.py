"""What each branch costs in time beside `w_msa`, whole and by its multiply-accumulates.

Commands::

    python -m benchmarks.branches                # CPU, one thread: about 5 minutes
    python -m benchmarks.branches --maps 28 --rounds 5 --only linear agent    # a look: seconds
    python -m benchmarks.branches --plugin my_mixer.py --only my_mixer

Every registered branch stands in the table, and each that is made of two halves once more without
either: ``linear(attention=false)``. A branch is timed alone, without norm and residual. *Forward
and backward* ends with the gradients of the weights and of the map, as in the middle of a network;
*forward* is inference.

All branches take turns in one process: a round times some steps of each, in an order that changes,
and ratios to `w_msa` are taken within a round. The median over rounds is reported with its 95%
bootstrap interval, in the process's own CPU time. *Per MAC* is that median over the ratio of MACs:
above 1, a MAC of the branch takes longer than one of `w_msa`.

Writes ``benchmarks/results/branches.json`` and ``.md``.
"""

import argparse
import datetime
import gc
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch  # threads are set before torch is imported

from benchmarks.backbones_report import relative
from benchmarks.writing import write_report
from hybrid_swin.cost import mixer_cost
from hybrid_swin.errors import InputError
from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse
from hybrid_swin.training.hardware import device_name

RESULTS = Path(__file__).parent / "results"
REFERENCE = "w_msa"
MODES = {"training": "forward and backward", "forward": "forward"}
Step = Callable[[], None]


def main(arguments: list[str] | None = None) -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--maps", type=int, nargs="+", default=[28, 14], help="sides, in tokens")
    parser.add_argument("--channels", type=int, default=96)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--window", type=int, default=7)
    parser.add_argument("--batch", type=int, default=4, help="maps at a time")
    parser.add_argument("--rounds", type=int, default=31, help="of each measurement")
    parser.add_argument("--steps", type=int, default=5, help="of a branch in each round")
    parser.add_argument("--only", nargs="+", help="branches, by name")
    parser.add_argument("--plugin", nargs="+", default=[], help="files with branches of your own")
    parser.add_argument("--note", default="", help="what else was going on, such as 'idle machine'")
    parser.add_argument("--out", type=Path, default=RESULTS / "branches", help="without the ending")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for file in given.plugin:
        registry.add_plugin(file)
    report = {"about": about(given), "maps": {side: measure(side, given) for side in given.maps}}
    write_report(given.out, report, tables(report))


def about(given: argparse.Namespace) -> dict[str, Any]:
    """Where, when and with what it was measured."""
    settings = ("channels", "heads", "window", "batch", "rounds", "steps", "note")
    return {
        "device": device_name("cpu"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        **{name: getattr(given, name) for name in settings},
    }


def words(only: list[str] | None) -> list[str]:
    """Every branch, then the same without each of the halves that an option can switch off."""
    found = [REFERENCE]
    for name in registry.names("branch"):
        if only is not None and name not in only:
            continue
        options = registry.describe("branch", name).options.values()
        halves = [option.name for option in options if option.default is True]
        found += [name, *(f"{name}({half}=false)" for half in halves)]
    return list(dict.fromkeys(found))


def measure(side: int, given: argparse.Namespace) -> dict[str, Any]:
    """Costs and seconds of all branches on a square map."""
    costs: dict[str, dict[str, int]] = {}
    steps: dict[str, dict[str, Step]] = {mode: {} for mode in MODES}
    left_out = {}
    for text in words(given.only):
        word, sizes = parse(text), (given.channels, given.heads, given.window, (side, side))
        torch.manual_seed(0)
        try:
            mixer = build_mixer(word, *sizes)
        except InputError as error:
            left_out[text] = str(error)
            continue
        costs[text] = mixer_cost(word, *sizes).to_dict()
        x = torch.randn(given.batch, side, side, given.channels)
        steps["training"][text] = training_step(mixer, x)
        steps["forward"][text] = forward_step(mixer, x)
    seconds = {}
    for mode, of_mode in steps.items():
        print(f"map {side}, {MODES[mode]}", flush=True)
        seconds[mode] = take_turns(of_mode, given.rounds, given.steps)
    return {"costs": costs, "left_out": left_out, "seconds": seconds}


def training_step(mixer: torch.nn.Module, x: torch.Tensor) -> Step:
    """One forward and backward, to the gradients of the map and of all weights."""
    x, gradient = x.clone().requires_grad_(), torch.randn_like(x)

    def step() -> None:
        x.grad = None
        mixer.zero_grad(set_to_none=True)
        mixer.train()(x).backward(gradient)

    return step


def forward_step(mixer: torch.nn.Module, x: torch.Tensor) -> Step:
    """One pass in inference mode."""

    @torch.inference_mode()
    def step() -> None:
        mixer.eval()(x)

    return step


def take_turns(steps: dict[str, Step], rounds: int, repeats: int) -> dict[str, Any]:
    """CPU seconds of a step of each, one measurement per round, after one that is not counted."""
    times: dict[str, Any] = {name: {"cpu": []} for name in steps}
    order = np.random.default_rng(0)
    gc.collect()
    gc.disable()
    try:
        for index in range(rounds + 1):
            for name in order.permutation(list(steps)):
                begin = time.process_time()
                for _ in range(repeats):
                    steps[name]()
                if index:
                    times[name]["cpu"].append((time.process_time() - begin) / repeats)
    finally:
        gc.enable()
    return times


def tables(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    a = report["about"]
    note = f", {a['note']}" if a["note"] else ""
    lines = [
        "# Time of each branch beside `w_msa`",
        "",
        f"`python -m benchmarks.branches`, {a['date']}, {a['device']}, torch {a['torch']}, fp32, "
        f"{a['rounds']} rounds of {a['steps']} steps{note}. {a['channels']} channels, {a['heads']} "
        f"heads, windows of {a['window']}, batch {a['batch']}. *Time* is CPU time over that of "
        "`w_msa`, paired by round: the median and its 95% bootstrap interval. *Per MAC* is that "
        "median over the ratio of MACs. Below 1 a branch is faster than `w_msa`.",
    ]
    for side, measured in report["maps"].items():
        lines += ["", f"## {side} x {side} tokens", "", *_table(measured)]
        lines += [f"\nLeft out: `{word}`: {why}" for word, why in measured["left_out"].items()]
    return "\n".join([*lines, ""])


def _table(measured: dict[str, Any]) -> list[str]:
    costs, seconds = measured["costs"], measured["seconds"]
    head = ["branch", "parameters", "MMACs"]
    head += [cell for mode in MODES.values() for cell in (f"{mode}: time", "per MAC")]
    lines = [_row(head), "|---" * len(head) + "|"]
    for name, cost in costs.items():
        macs = cost["macs"] / costs[REFERENCE]["macs"]
        cells = [f"`{name}`", f"{cost['parameters']:,}", f"{cost['macs'] / 1e6:.2f}"]
        for mode in MODES:
            middle, low, high = relative(seconds[mode], name, REFERENCE, "cpu")
            interval = f"{middle:.2f} ({low:.2f} to {high:.2f})"
            cells.append("1" if name == REFERENCE else interval)
            cells.append(f"{middle / macs:.2f}" if macs else "")
        lines.append(_row(cells))
    return lines


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
