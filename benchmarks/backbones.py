"""How fast our backbones are beside others, and how much memory they take.

Commands::

    python benchmarks/backbones.py                 # CPU, one thread: about 20 minutes on 2 cores
    python benchmarks/backbones.py --quick         # fewer rounds, no memory: about 6 minutes
    python benchmarks/backbones.py --device cuda --peak-tflops 989   # an H100's dense bf16

Machines are noisy, so all models are timed in one process and take turns: a round times each once,
in an order that changes from round to round, and ratios are taken within a round. Of a ratio the
median over rounds is reported with its 95% bootstrap interval, in wall time and in the process's
own CPU time. A training step is forward and backward, without an optimizer.

Peak memory is each model's own: a fresh process builds it, takes a step of one image, which loads
what is loaded late, then two steps, and reports the most memory in use less what was in use before
those. The C library is told to hand back what is freed, so that the figure is the network's need
and not its heap's fragmentation.

Writes ``benchmarks/results/backbones.json``, ``.md`` and ``.svg`` (``backbones_cuda.*`` on CUDA).
"""

import argparse
import contextlib
import ctypes
import datetime
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # threads are set before torch is imported
from backbones_models import Setting, compile_blocks, cost_of, settings, share_weights
from backbones_peers import Entry
from backbones_report import picture, tables
from torch import Tensor, nn

from hybrid_swin.training.hardware import PeakMemory, device_name, resolve_precision

RESULTS = Path(__file__).parent / "results"
CLOSE = 1e-4  # largest difference between the outputs of what is the same
CUDA_BATCH, CUDA_STEPS = 128, 10  # inputs at a time; steps between two events
MODES = ("forward", "training")
Step = Callable[[], None]


def main(arguments: list[str] | None = None) -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    known = settings()
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--settings", nargs="+", choices=list(known), default=list(known))
    parser.add_argument("--rounds", type=int, help="of each measurement, at least 3")
    parser.add_argument("--batch", type=int, help="inputs at a time")
    parser.add_argument("--only", nargs="+", help="words that a model's name holds; any of them")
    parser.add_argument("--quick", action="store_true", help="3 to 7 rounds, no memory")
    parser.add_argument("--peak-tflops", type=float, help="of the GPU, dense, in bf16")
    parser.add_argument("--out", type=Path, help="results, without the ending")
    parser.add_argument("--memory-of", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.rounds is not None and given.rounds < 3:
        parser.error(f"--rounds must be at least 3; got {given.rounds}")
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this machine has no CUDA GPU that torch sees")
    torch.set_num_threads(1)
    if given.memory_of:
        setting, name, mode, precision = given.memory_of
        batch = batch_of(known[setting], given)
        print(peak_memory(known[setting], name, mode, precision, batch, given.device))
        return
    report = {"about": about(given), "settings": {}}
    for name in given.settings:
        report["settings"][name] = measure(known[name], given)
    out = given.out or RESULTS / ("backbones" if given.device == "cpu" else "backbones_cuda")
    out.parent.mkdir(parents=True, exist_ok=True)
    text = tables(report, f"{out.name}.svg")
    out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    out.with_suffix(".md").write_text(text)
    out.with_suffix(".svg").write_text(picture(report))
    print(text)


def about(given: argparse.Namespace) -> dict[str, Any]:
    """Where, when and with what it was measured, and what was left out."""
    left_out = [f"Run with: {' '.join(sys.argv[1:]) or 'no arguments'}."]
    if given.device == "cpu":
        left_out.append("A GPU: not measured.")
        if conditions("cpu") == ["fp32"]:
            left_out.append("bf16: this CPU does not multiply it (no AVX512-BF16, no AMX).")
    if given.quick:
        left_out.append("Peak memory: left out of a quick run.")
    return {
        "device": device_name(given.device),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        "peak_tflops": given.peak_tflops,
        "left_out": left_out,
    }


def conditions(device: str) -> list[str]:
    """Precisions, each eager; on CUDA also with compiled blocks."""
    if device == "cuda":
        return ["fp32", "bf16", "bf16 compiled"]
    return ["fp32", "bf16"] if resolve_precision("auto", device) == "bf16-mixed" else ["fp32"]


def batch_of(setting: Setting, given: argparse.Namespace) -> int:
    """Inputs at a time."""
    return int(given.batch or (CUDA_BATCH if given.device == "cuda" else setting.batch))


def measure(setting: Setting, given: argparse.Namespace) -> dict[str, Any]:
    """Everything about one setting, as JSON has it."""
    entries, skipped = setting.entries()
    for reason in skipped:
        print(f"left out: {reason}", flush=True)
    if given.only:
        kept = [e for e in entries[1:] if any(word in e.name for word in given.only)]
        entries = [entries[0], *kept]
    batch = batch_of(setting, given)
    models = {e.name: {"same": e.same, **cost_of(e, setting.shape).to_dict()} for e in entries}
    result: dict[str, Any] = {
        "title": setting.title,
        "batch": batch,
        "reference": entries[0].name,
        "skipped": skipped,
        "models": models,
        "conditions": {},
    }
    for condition in conditions(given.device):
        print(f"{setting.title}, {condition}", flush=True)
        result["conditions"][condition] = timed = _time_all(
            setting, entries, condition, batch, given
        )
        if not given.quick:
            for entry in entries:
                timed["memory"][entry.name] = {
                    mode: _in_fresh_process(setting, entry, mode, condition, batch, given)
                    for mode in MODES
                }
    return result


def _time_all(
    setting: Setting, entries: list[Entry], condition: str, batch: int, given: argparse.Namespace
) -> dict[str, Any]:
    """Seconds of every model in both modes: what is the same by itself, since it needs precision.

    The rest takes turns with the reference in rounds of its own.
    """
    torch.manual_seed(0)
    models = {entry.name: entry.build() for entry in entries}
    difference = share_weights(models, entries, torch.randn(2, *setting.shape))
    assert difference <= CLOSE, f"{setting.title}: outputs differ by {difference}"
    inputs = torch.randn(batch, *setting.shape, device=given.device)
    if given.device == "cuda" and inputs.ndim == 4:
        inputs = inputs.to(memory_format=torch.channels_last)
    for model in models.values():
        prepare(model, condition, given.device)
    reference = entries[0].name
    same = [e.name for e in entries if e.same]
    context = [reference] + [e.name for e in entries if not e.same]
    timed: dict[str, Any] = {"largest_difference": difference, "memory": {}}
    for mode in MODES:
        groups = {"same": same, "context": context}
        timed[mode] = {}
        for group, rounds in zip(groups, setting.rounds, strict=True):
            if len(groups[group]) > 1:
                steps = {n: step_of(models[n], inputs, mode, condition) for n in groups[group]}
                count = given.rounds or (min(7, max(3, rounds // 3)) if given.quick else rounds)
                timed[mode][group] = take_turns(steps, count, given.device)
            for name in groups[group]:
                models[name].zero_grad(set_to_none=True)
    return timed


def prepare(model: nn.Module, condition: str, device: str) -> None:
    """To its device and, on CUDA, to channels-last; blocks compiled where the condition says so."""
    model.to(device)
    if device == "cuda":
        model.to(memory_format=torch.channels_last)
    if "compiled" in condition:
        compile_blocks(model)


def step_of(model: nn.Module, inputs: Tensor, mode: str, condition: str) -> Step:
    """One forward pass, or one forward and backward; done once, so that nothing is left to set up.

    The backward pass starts from a gradient of ones, as large for one model as for another.
    """
    cast: Callable[[], Any] = contextlib.nullcontext
    if condition.startswith("bf16"):
        cast = lambda: torch.autocast(inputs.device.type, torch.bfloat16)  # noqa: E731

    def forward() -> None:
        with torch.inference_mode(), cast():
            model(inputs)

    def training() -> None:
        model.zero_grad(set_to_none=True)
        with cast():
            outputs = model(inputs)
        outputs.backward(torch.ones_like(outputs))

    model.train(mode == "training")
    step = forward if mode == "forward" else training
    step()
    return step


def take_turns(steps: dict[str, Step], rounds: int, device: str) -> dict[str, Any]:
    """Seconds a step of each, one measurement a round: wall time and CPU time."""
    names = list(steps)
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    clock = _cuda_seconds if device == "cuda" else _cpu_seconds
    gc.collect()
    gc.disable()
    try:
        for index in range(rounds):
            first = index // 2 % len(names)
            order = names[first:] + names[:first]
            for name in order if index % 2 else reversed(order):
                seconds, own = clock(steps[name])
                wall[name].append(seconds)
                cpu[name].append(own)
    finally:
        gc.enable()
    return {name: {"wall": wall[name], "cpu": cpu[name]} for name in names}


def _cpu_seconds(step: Step) -> tuple[float, float]:
    begin, own = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - begin, time.process_time() - own


def _cuda_seconds(step: Step) -> tuple[float, float]:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    own = time.process_time()
    begin.record()
    for _ in range(CUDA_STEPS):
        step()
    end.record()
    torch.cuda.synchronize()
    spent = time.process_time() - own
    return begin.elapsed_time(end) / 1e3 / CUDA_STEPS, spent / CUDA_STEPS


def _in_fresh_process(
    setting: Setting, entry: Entry, mode: str, condition: str, batch: int, given: argparse.Namespace
) -> float:
    command = [sys.executable, __file__, "--device", given.device, "--batch", str(batch)]
    command += ["--memory-of", setting.name, entry.name, mode, condition]
    # glibc's default raises this threshold as it goes; other C libraries ignore it
    settled = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(128 * 1024)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=settled)
    return float(done.stdout.split()[-1])


def peak_memory(
    setting: Setting, name: str, mode: str, condition: str, batch: int, device: str
) -> float:
    """MB (10^6 bytes) that two steps need at their peak beyond the built model and its inputs."""
    entry = next(e for e in setting.entries()[0] if e.name == name)
    model = entry.build()
    prepare(model, condition, device)
    inputs = torch.randn(batch, *setting.shape, device=device)
    step_of(model, inputs[:1], mode, condition)
    model.zero_grad(set_to_none=True)
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # glibc: hand back what building has left free
    before = PeakMemory(device).read()
    peak = PeakMemory(device)
    step = step_of(model, inputs, mode, condition)
    step()
    return peak.read() - before


if __name__ == "__main__":
    main()
