"""What an image of the test costs where it is larger than one of the training."""

from collections.abc import Iterable
from dataclasses import replace

from hybrid_swin.cost import count_cost
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant


def notes_at_test_size(variant: Variant, recipes: Iterable[Recipe]) -> list[str]:
    """A sentence on MACs for each ``test_image_size`` that is another size than the variant's.

    Costs and budgets count an image of the training.
    """
    trained = count_cost(variant).macs
    notes = []
    for side in sorted({recipe.test_image_size or 0 for recipe in recipes} - {0}):
        if (side, side) == variant.image_size:
            continue
        tested = count_cost(replace(variant, image_size=(side, side))).macs
        notes.append(
            f"recipe.test_image_size {side}: a validation or test image takes {tested:,} "
            f"MACs, {tested / trained:.2f} x the {trained:,} of a train image, which is "
            "what costs and budgets count"
        )
    return notes
