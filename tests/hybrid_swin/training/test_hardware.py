"""Precision, accelerator, memory."""

import mmap
import pathlib
import sys

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.training import hardware
from hybrid_swin.training.hardware import (
    PeakMemory,
    device_name,
    resolve_accelerator,
    resolve_precision,
)


def test_what_is_named_is_taken():
    for precision in ("32-true", "bf16-mixed"):
        assert resolve_precision(precision, "cpu", macs=1) == precision
    assert resolve_accelerator("cpu") == "cpu"


@pytest.mark.parametrize(
    ("fast", "macs", "expected"),
    [
        (True, 10**9, "bf16-mixed"),
        (True, None, "bf16-mixed"),
        (True, 10**6, "32-true"),
        (False, 10**9, "32-true"),
    ],
)
def test_auto_on_a_cpu(monkeypatch, fast, macs, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: fast, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert resolve_precision("auto", "cpu", macs) == expected


def test_a_torch_without_the_private_probes_is_a_cpu_without(monkeypatch):
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, probe, raising=False)
    assert resolve_precision("auto", "cpu") == "32-true"


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((8, 0), "bf16-mixed"), ((9, 0), "bf16-mixed"), ((7, 5), "32-true")],
)
def test_auto_on_a_gpu_follows_its_capability(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert resolve_precision("auto", "gpu", macs=1) == expected


def test_refuses_fp16_on_a_cpu_and_devices_that_are_not_there(monkeypatch):
    with pytest.raises(InputError, match="16-mixed' needs a GPU"):
        resolve_precision("16-mixed", "cpu")
    with pytest.raises(InputError, match=r"accelerator must be one of .* got 'tpu'"):
        resolve_accelerator("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_accelerator("auto") == "cpu"
    for name in ("gpu", "cuda", "mps"):
        with pytest.raises(InputError, match="not on this machine"):
            resolve_accelerator(name)


@pytest.mark.parametrize(
    ("cuda", "visible", "words"),
    [
        (None, None, r"this torch \(.*\) is built without CUDA; choose auto or cpu"),
        ("12.8", "", "CUDA_VISIBLE_DEVICES='' shows none; choose"),
        ("12.8", "-1", "CUDA_VISIBLE_DEVICES='-1' shows none; choose"),
        ("12.8", None, "is not on this machine; choose"),
    ],
)
def test_what_hides_a_gpu_is_said(monkeypatch, cuda, visible, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", None, raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(InputError, match=words):
        resolve_accelerator("gpu")


def test_the_device_is_named_with_its_threads():
    assert f"{torch.get_num_threads()} thread" in device_name("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets a process's peak")
def test_peak_memory_sees_what_came_and_went_but_not_what_was_before():
    first = PeakMemory("cpu")
    at_start = first.read()
    with mmap.mmap(-1, 128_000_000) as block:  # malloc may keep what it gets back
        for page in range(0, len(block), 4096):
            block[page] = 1
    peak = first.read()
    assert peak > at_start + 100
    assert PeakMemory("cpu").read() < peak - 100


def test_without_linux_the_peak_is_that_of_the_process(monkeypatch):
    monkeypatch.setattr(hardware, "Path", lambda name: pathlib.Path("/nonexistent") / name[1:])
    assert PeakMemory("cpu").read() > 50
    assert device_name("cpu")
