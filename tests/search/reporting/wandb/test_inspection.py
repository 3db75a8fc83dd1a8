"""The mirror of a folder of inspections: offline W&B files, read back with W&B's reader."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from search.reporting.wandb import inspection as inspect_wandb
from search.reporting.wandb.inspection import table_of

ROWS = [
    {"block": "layers.0.blocks.0", "ratio": 0.5, "map": [[1.0, 2.0]]},
    {"block": "layers.0.blocks.1", "ratio": None, "map": [[3.0, 4.0]], "head": 1},
]


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "inspections" / "mine"
    out.mkdir(parents=True)
    entry = {"numbers": "spectrum.json", "figure": "spectrum.svg"}
    index = {
        "subject": {"variant_id": "abc", "checkpoint": "/private/place/final.ckpt"},
        "inspections": {"spectrum": entry, "patch_drop": {"numbers": None, "figure": None}},
    }
    (out / "index.json").write_text(json.dumps(index))
    (out / "spectrum.json").write_text(json.dumps({"rows": ROWS}))
    (out / "spectrum.svg").write_text("<svg>figure of private images</svg>")
    return out


def send(folder, log_images, names=("spectrum", "patch_drop"), **environment):
    code = (
        "import sys; from pathlib import Path; from search.reporting.wandb.inspection import send; "
        "print(send(Path(sys.argv[1]), sys.argv[2] == 'true', sys.argv[3].split(',')))"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    home = {"HOME": str(folder.parent), "WANDB_ERROR_REPORTING": "false"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(log_images).lower(), ",".join(names)],
        capture_output=True,
        text=True,
        env=kept | home | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def media(folder):
    """All that W&B has kept, beside its log files."""
    files = [f for f in folder.rglob("wandb/**/*") if f.is_file() and f.suffix != ".log"]
    return b"".join(f.read_bytes() for f in files)


def test_numbers_are_sent_and_figures_stay(folder):
    said = send(folder, False, WANDB_MODE="offline")
    assert "1 tables, 0 figures; the figures stay here" in said
    kept = media(folder)
    assert b"layers.0.blocks.1" in kept
    assert b"final.ckpt" in kept
    assert b"/private/place" not in kept
    assert b"figure of private images" not in kept


def test_figures_are_sent_where_asked(folder):
    assert "1 tables, 1 figures\n" in send(folder, True, WANDB_MODE="offline")
    assert b"figure of private images" in media(folder)


def test_only_what_was_asked_for_is_sent(folder):
    said = send(folder, True, ["patch_drop"], WANDB_MODE="offline")
    assert "0 tables, 0 figures" in said
    assert b"layers.0.blocks.1" not in media(folder)
    assert b"figure of private images" not in media(folder)


def test_a_run_ends_also_where_sending_fails(folder, monkeypatch):
    (folder / "spectrum.json").unlink()
    ended = []
    run = SimpleNamespace(log=lambda content: None, finish=lambda: ended.append(True))
    wandb = SimpleNamespace(init=lambda **given: run, Settings=dict)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(name, str(folder))
    assert "W&B: nothing was sent (MissingFileError" in inspect_wandb.send(
        folder, False, ["spectrum"]
    )
    assert ended == [True]


def test_disabled_sends_nothing(folder):
    assert "nothing was sent" in send(folder, True, WANDB_MODE="disabled")
    assert not (folder / "wandb").exists()


def test_what_fails_is_said_and_stops_nothing(folder):
    (folder / "wandb").write_text("in the way")
    assert "W&B: nothing was sent" in send(folder, False, WANDB_MODE="offline")


def test_tables_hold_single_values_only():
    assert table_of(ROWS) == (
        ["block", "ratio", "head"],
        [["layers.0.blocks.0", 0.5, None], ["layers.0.blocks.1", None, 1]],
    )
