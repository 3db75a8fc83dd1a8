"""Wrong input of every kind ends in one short message, or work begins: never in a traceback."""

import os
import signal
from typing import get_args

import pytest
import yaml

from tests.search import fuzzing

STUDY = {
    "name": "fuzzed",
    "seed": 1,
    "data": {"source": "digits", "validation_share": 0.2, "split_seed": 3},
    "variant": {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "mlp_ratio": {"choose": [1.0, 2.0]},
        "stages": [
            {
                "width": {"from": 8, "to": 24, "step": 8},
                "depth": 1,
                "num_heads": 2,
                "blocks": {"choose": [["w_msa"], ["conv(kernel=5)+w_msa:gate"]]},
            }
        ],
    },
    "recipe": {
        "epochs": 4,
        "warmup_epochs": 1,
        "batch_size": 64,
        "learning_rate": {"from": 0.001, "to": 0.01, "log": True},
        "precision": "auto",
    },
    "objective": {"monitor": "val/accuracy", "against": ["macs"], "reference": {"macs": 1000000}},
    "budget": {"parameters": "1M"},
    "baselines": [{"label": "plain", "blocks": ["w_msa"], "set": {"recipe.epochs": 2}}],
    "trials": 5,
    "sampler": {"name": "random", "lookahead": 4},
    "rungs": {"first": 1, "factor": 2, "audit": 1},
    "finalists": {"top": 1, "seeds": 2, "random": 1},
    "wandb": {"mode": "disabled", "tags": ["a"], "project": "p"},
    "workers": {"count": 1, "threads": 1, "attempts": 2, "checkpoint_seconds": 5},
}
COMPARISON = {
    "name": "compared",
    "data": {"source": "digits"},
    "variant": {**STUDY["variant"], "mlp_ratio": 2.0},
    "recipe": {"epochs": 6, "batch_size": 64},
    "arms": [
        {"label": "base"},
        {"add": "conv", "controls": {"size": "m"}},
        {"add": "mdta", "label": "m"},
    ],
    "match": {"by": ["parameters"], "tolerance": 0.5},
    "learning_rates": [0.001, 0.01],
    "seeds": 3,
    "wandb": {"mode": "disabled"},
}
COMPARISON["variant"]["stages"] = [{"width": 24, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}]
CASES, SEED = int(os.environ.get("FUZZ_CASES", "200")), int(os.environ.get("FUZZ_SEED", "1"))
BEYOND = ("100000000000000000000", "-100000000000000000000", "1e300")


@pytest.fixture(scope="module")
def mutations(tmp_path_factory, studies, fake):
    root = tmp_path_factory.mktemp("fuzz")
    studies.whole_study(root / "done")
    fake.Made(root / "made").fill()
    done = root / "done"
    return fuzzing.Mutations(SEED, STUDY, COMPARISON, done, root / "made", done / "trials/0000")


@pytest.fixture
def stopped(monkeypatch):
    """No case starts workers, trains or measures."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    handler = signal.getsignal(signal.SIGTERM)
    fuzzing.stop_before_work(monkeypatch)
    yield
    signal.signal(signal.SIGTERM, handler)


def test_wrong_input_ends_in_one_short_message(mutations, stopped, tmp_path):
    """More of them with FUZZ_CASES, others with FUZZ_SEED."""
    wrong, accepted = [], 0
    for index, case in enumerate(mutations.cases(CASES)):
        outcome = fuzzing.run(case, fuzzing.folder_of(tmp_path, index))
        accepted += outcome.code in (0, "work")
        if outcome.wrong:
            wrong.append(f"{[word[:100] for word in case.command]}: {outcome.wrong[-1500:]}")
    assert not wrong, "\n\n".join(wrong)
    assert 0 < accepted < CASES / 2, "the mutations are too mild, or all fail for one reason"


def test_the_unchanged_input_is_taken(mutations, stopped, tmp_path):
    for index, (kind, plain) in enumerate((("run", STUDY), ("compare", COMPARISON))):
        case = fuzzing.Case(
            [kind, "--dry-run", "--config", "mine.yaml"], {"mine.yaml": yaml.safe_dump(plain)}
        )
        outcome = fuzzing.run(case, fuzzing.folder_of(tmp_path, index))
        assert outcome.code == "work", outcome.said


def numbers():
    """Every option that takes a number, of every command."""
    from search.cli.commands import COMMANDS

    for name, command in COMMANDS.items():
        for path, hint in command.parser(name).hints.items():
            if {int, float} & {hint, *get_args(hint)}:
                yield name, f"--{path}"


@pytest.mark.parametrize(("command", "option"), sorted(set(numbers())))
def test_every_number_has_a_largest(mutations, stopped, tmp_path, command, option):
    base = {
        "run": ["run", "--dry-run", "--config", "mine.yaml"],
        "compare": ["compare", "--dry-run", "--config", "mine.yaml"],
        "space": ["space", "mine.yaml"],
        "data": ["data", "mine.yaml"],
        "retrain": ["retrain", mutations.run, "--print_config"],
        "status": ["status", mutations.done],
        "work": ["work", mutations.done],
        "inspect": ["inspect", "swin_t", "--data", "noise", "--only", "spectrum"],
        "cost": ["cost", "swin_t", "--measure", "--match", "swin_s"],
        "export": ["export", mutations.run, "--format", "onnx"],
    }[command]
    settings = yaml.safe_dump(COMPARISON if command == "compare" else STUDY)
    for index, value in enumerate(BEYOND):
        case = fuzzing.Case([*base, f"{option}={value}"], {"mine.yaml": settings})
        outcome = fuzzing.run(case, fuzzing.folder_of(tmp_path, index))
        assert not outcome.wrong and outcome.code == 2, (value, outcome)
