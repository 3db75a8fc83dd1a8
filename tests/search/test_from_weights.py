"""A whole study that starts from weights, as a user runs it: killed, gone on with, and repeated."""

import json

import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.__main__ import main
from hybrid_swin.spec.variant import Variant

STAGE = {"width": {"choose": [8, 16]}, "depth": 1, "num_heads": 2}
BLOCKS = {"blocks": {"choose": [["w_msa"], ["w_msa+mdta:gate"]]}}
SIZES = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2, "window_size": 2}


@pytest.fixture
def made(tiny):
    """The settings of a study from weights in timm's names, and the file."""
    swin = Variant(
        **SIZES | {"in_channels": 3, "num_classes": 7}, stages=(hs.Stage(8, 1, 2, ("w_msa",)),)
    )
    torch.manual_seed(0)
    hs.save_weights(hs.HybridSwin(swin), tiny.root / "swin.pth", layout="microsoft")
    return tiny.write(
        variant=SIZES | {"stages": [STAGE | BLOCKS]},
        recipe={"epochs": 2, "batch_size": 128, "learning_rate": 0.01, "freeze": 1},
        init={"weights": str(tiny.root / "swin.pth"), "layout": "microsoft"},
        trials=3,
        rungs={"first": 0},
    )


def test_it_goes_on_from_the_same_file_and_says_what_was_fresh(made, capsys):
    process = made.start()
    made.wait_for(lambda: list(made.folder.glob("trials/*/result.json")), process)
    process.kill()
    process.communicate()
    output = " ".join(made.run().split())
    assert "images are normalised by mean and std 0.449 and 0.226 (ImageNet's" in output
    assert "plain: " in output and "of its parameters start fresh (head)" in output
    runs = [json.loads(f.read_text()) for f in made.folder.glob("*/**/run.json")]
    networks = [run for run in runs if run["variant"]]
    assert {run["init"] for run in networks} == {str(made.root / "swin.pth")}
    assert all(run["settled"]["data"]["mean"] == [pytest.approx(0.449)] for run in networks)
    fresh = {run["key"]: made.results()[run["key"]]["fresh"] for run in networks}
    for run in networks:
        fits = run["variant"]["stages"][0]["width"] == 8
        assert (fresh[run["key"]] < 0.5) == fits, run["label"]
    rows = json.loads((made.folder / "leaderboard.json").read_text())["rows"]
    assert all(0 < row["fresh"] <= 1 for row in rows if row["fidelity"] in ("final", "search"))
    assert ",fresh," in (made.folder / "leaderboard.csv").read_text().partition("\n")[0]
    receipt = json.loads((made.folder / "receipt.json").read_text())
    assert receipt["init"]["hash"] == receipt["hashes"]["init"]
    # one training of it, from the same file; then the file is another
    run = next(r for r in networks if r["kind"] == "finalist")["key"]
    words = ["fit", "--run", str(made.folder / run), "--folder", str(made.root / "again")]
    assert main(words) == 0
    again = json.loads((made.root / "again" / "result.json").read_text())
    assert again["fresh"] == fresh[run]
    hs.save_weights(hs.create_model("swin_t", embed_dim=8, depths=(1,), num_heads=(2,), img_size=8,
        patch_size=2, window_size=2), made.root / "swin.pth", layout="microsoft")  # fmt: skip
    assert main([*words, "--resume", "false"]) == 2
    assert "is not the file that the run started from" in capsys.readouterr().err
    assert "begun with other settings (data.init: " in made.run(code=2)
