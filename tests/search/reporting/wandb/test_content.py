import math
import re
from dataclasses import replace

import pytest

from search.reporting.wandb.content import config, harmless, history, run_id, summary


def test_ids_are_readable_and_valid():
    assert run_id("digits", "trials/0007", 1, "3f9a") == "digits-trials-0007-1-3f9a"
    odd = run_id("my study", "references/logistic: a/b?#%\\", 2, "3f9a")
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", odd)
    long = [run_id("x" * 200, "trials/0007", 1, mark) for mark in ("3f9a", "3f9b")]
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 128


def test_the_config_is_flat_and_whole(make_study):
    spec, _ = make_study().trial(7, 0.9, "w_msa+mdta")
    flat = config(spec, {"source": "npz", "options": {"file": "scans/train.npz"}})
    assert flat["variant.stages.0.width"] == 32
    assert flat["variant.stages.0.blocks"] == ["w_msa", "sw_msa"]
    assert flat["recipe.learning_rate"] == 0.001
    assert (flat["key"], flat["label"], flat["seed"]) == ("trials/0007", "w_msa+mdta", 7)
    assert (flat["cost.parameters"], flat["data.options.file"]) == (23_400, "train.npz")
    assert not any(isinstance(value, dict) for value in flat.values())


def test_a_reference_has_no_network(make_study):
    spec, _ = make_study().reference("pixels", 0.9)
    assert not any(name.startswith(("variant.", "recipe.")) for name in config(spec, {}))


def test_the_summary_holds_numbers_only_where_there_are_numbers(make_study):
    spec, result = make_study().trial(0, 0.9)
    told = summary(spec, replace(result, test={"test/accuracy": 0.8}))
    assert (told["objective"], told["val/accuracy"], told["test/accuracy"]) == (0.9, 0.9, 0.8)
    assert (told["parameters"], told["macs"], told["latency_ms"]) == (23_400, 1_210_000, 3.5)
    assert (told["state"], told["variant_id"]) == ("complete", spec.variant_id)
    broken = replace(result, score=None, metrics={"val/loss": math.nan}, latency=None, error="boom")
    told = summary(spec, broken)
    assert not {"objective", "val/loss", "latency_ms"} & set(told)
    assert "boom" not in told.values()


def test_the_history_counts_epochs_and_leaves_out_nan(make_study):
    _, result = make_study().trial(0, 0.9)
    result = replace(result, history=({"train/loss": 2.0}, {"train/loss": math.nan}))
    assert list(history(result)) == [{"epoch": 1, "train/loss": 2.0}, {"epoch": 2}]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/home/me/scans/train.npz", "train.npz"),
        ("~/scans/", "scans"),
        ("C:\\scans\\train.npz", "train.npz"),
        ("https://me:pw@host/train.npz?signature=abc", "train.npz"),
        ("https://me:pw@host", "host"),
        ("postgresql://me:pw@host/db", "db"),
        ("plain", "plain"),
        (3, 3),
        (["/a/b", "c"], ["b", "c"]),
    ],
)
def test_paths_show_their_last_part(value, shown):
    assert harmless({"x": value}) == {"x": shown}


@pytest.mark.parametrize(
    "name",
    ["password", "db_passwd", "api_key", "apikey", "APIKEY", "hf_token", "secret_id", "access-key"],
)
def test_credentials_are_dropped_at_any_depth(name):
    assert harmless({"a": [{"b": {name: "hunter2", "kept": 1}}]}) == {"a.0.b.kept": 1}


@pytest.mark.parametrize("name", ["keep", "monkeys", "passes", "author", "key_size"])
def test_other_names_are_kept(name):
    assert harmless({name: 1}) == {name: 1}
