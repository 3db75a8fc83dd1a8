import pytest

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import fit_notes


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"batch_size": 64}, None),
        ({"batch_size": 2000}, "batch_size 2000 is more than the 1168 images of an epoch"),
        ({"batch_size": 512}, "makes few steps of the 1168 images of an epoch: 3"),
        (
            {"accumulate_batches": 10},
            "with accumulate_batches 10, 640 images per step, makes few steps of the 1168 images "
            "of an epoch: 2",
        ),
        ({"accumulate_batches": 1000}, "64,000 images per step, is more than the 1168 images"),
        ({"ema": 0.99}, None),
        (
            {"ema": 0.9999},
            "ema 0.9999 averages over about 10,000 steps, and the training has 190: 98% of the "
            "average would be the first weights",
        ),
        ({"ema": 0.99, "accumulate_batches": 10}, "has 20: 82% of the average"),
        ({"warmup_epochs": 10}, "does not end before recipe.epochs 10"),
    ],
)
def test_what_is_hardly_meant_is_noted(recipe, said):
    notes = fit_notes([Recipe(epochs=10), Recipe(**{"epochs": 10} | recipe)], 1168)
    if said is None:
        assert notes == []
    else:
        assert any(said in note for note in notes)


def test_without_the_number_of_images_only_epochs_are_compared():
    assert fit_notes([Recipe(epochs=10, batch_size=2000, ema=0.9999)], None) == []
