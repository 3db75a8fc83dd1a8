"""Trained on a small reach task, each mixer fails and succeeds where theory says.

One bit, one block. Attention on 4 x 4 cells with windows of 2; convolutions on 8 x 8 cells behind a
margin of 2, so that zero padding tells nothing. Swin V2's norm behind the mixer, and its continuous
position biases, let so small a network find out where to look within 120 steps; a table of biases
takes many more. What is at chance here is so at any weights (test_arms.py), whatever the training.
"""

import pytest
import torch

from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.synthetic.layout import Layout
from hybrid_swin.inspection.measures.reach_ceiling import variant_ceiling
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.fit import fit

STEPS, BATCH, READ = 120, 128, 1000
# A coin's mean over READ images lies farther from its expectation in one reading of 30,000.
FAR = 4.2 * 0.5 / READ**0.5
ATTENTION = {"grid": 4}
CONVOLUTION = {"grid": 8, "margin": 2}
WINDOW = "w_msa(bias=continuous)"


def trained(folder, word, reach, grid, margin=0):
    """Validation accuracy and ceiling of one block of a word."""
    options = {
        "grid": grid,
        "margin": margin,
        "reach": reach,
        "side": 1,
        "noise": 0.05,
        "train": STEPS * BATCH,
        "validation": READ,
        "test": 2,
    }
    data = DataSettings("constellation", options)
    variant = Variant(2 * grid, 1, 2, 2, 2, 2.0, (Stage(32, 1, 4, (word,), norm="post"),))
    recipe = Recipe(
        epochs=1,
        batch_size=BATCH,
        learning_rate=3e-3,
        min_learning_rate=3e-3,
        warmup_epochs=0.05,
        label_smoothing=0.0,
        precision="32-true",
        zero_init_residual=False,
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        module = make_datamodule(data, variant, BATCH, 0)
        result = fit(variant, recipe, module, seed=0, folder=folder, accelerator="cpu")
    finally:
        torch.set_num_threads(threads)
    ceiling = variant_ceiling(variant, Layout(grid, reach, 1, 1, margin), 2)
    return result.metrics["val/accuracy"], ceiling.accuracy


@pytest.mark.parametrize(
    ("word", "reach", "place"),
    [
        (WINDOW, 1, ATTENTION),  # not certain: some constellations lie across windows
        ("conv", 2, CONVOLUTION),
        (f"{WINDOW}+mdta", 2, ATTENTION),
    ],
)
def test_what_is_in_reach_is_learnt_up_to_the_ceiling(tmp_path, word, reach, place):
    accuracy, ceiling = trained(tmp_path, word, reach, **place)
    assert ceiling > 0.9
    assert accuracy == pytest.approx(ceiling, abs=0.03)


@pytest.mark.parametrize(
    ("word", "reach", "place"),
    [
        (WINDOW, 2, ATTENTION),
        ("conv", 3, CONVOLUTION),
    ],
)
def test_what_is_out_of_reach_stays_at_chance(tmp_path, word, reach, place):
    accuracy, _ = trained(tmp_path, word, reach, **place)
    assert accuracy == pytest.approx(0.5, abs=FAR)
