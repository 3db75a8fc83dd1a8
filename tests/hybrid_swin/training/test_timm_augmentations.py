"""What our augmentations draw against what timm's drew: ``benchmarks/augmentations_timm.py``.

timm drew ``draws`` times, and so do ours, or less often where drawing is slow. Of a quantile q at
level p, the share of ours below q must be at most, and that up to q at least, p, to 4.5 standard
errors of the difference. How often something happens must agree likewise. Some 300 shares are
compared: if the distributions are equal, one seed in 500 fails; the seed is fixed.
"""

import json
import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from hybrid_swin.data.batches import EpochBatches
from hybrid_swin.spec.part_words import without_defaults
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.augmentations import rand_augment
from hybrid_swin.training.augmentations.color_jitter import ColorJitter
from hybrid_swin.training.augmentations.random_erasing import RandomErasing
from hybrid_swin.training.augmentations.random_resized_crop import RandomResizedCrop, draw_boxes
from hybrid_swin.training.loss import classification_loss
from hybrid_swin.training.mixing import draw_mix, mixed

TIMM = json.loads((Path(__file__).parents[2] / "golden" / "timm_augmentations.json").read_text())
DRAWS, LEVELS, SIZE = TIMM["draws"], TIMM["levels"], tuple(TIMM["size"])
NAMES = {
    **{"AutoContrast": "auto_contrast", "Equalize": "equalize", "Invert": "invert"},
    **{"Rotate": "rotate", "ShearX": "shear_x", "ShearY": "shear_y", "SolarizeAdd": "solarize_add"},
    **{"TranslateXRel": "translate_x", "TranslateYRel": "translate_y"},
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def tolerance(share, ours=DRAWS, theirs=DRAWS):
    return 4.5 * math.sqrt(share * (1 - share) * (1 / ours + 1 / theirs)) + 1e-9


def check_quantiles(values, wanted, theirs=DRAWS):
    for level, q in zip(LEVELS, wanted, strict=True):
        near = 1e-5 * max(1, abs(q))  # they are rounded
        below = (values < q - near).double().mean().item()
        up_to = (values <= q + near).double().mean().item()
        off = tolerance(level, len(values), theirs)
        assert below <= level + off and up_to >= level - off, (level, q, below, up_to)


@pytest.mark.parametrize("name", ["random_resized_crop", "random_resized_crop_of_a_strip"])
def test_crops(name):
    of_timm, crop = TIMM[name], RandomResizedCrop()
    boxes = draw_boxes(DRAWS, tuple(of_timm["size"]), crop.scale, crop.ratio)
    top, left, height, width = boxes.double().T
    ours = {"area": height * width, "ratio": width / height, "top": top, "left": left}
    for fact, wanted in of_timm["quantiles"].items():
        check_quantiles((ours | {"height": height})[fact], wanted)


@pytest.mark.parametrize("name", ["random_erasing", "random_erasing_of_three"])
def test_erased_boxes(name):
    of_timm = TIMM[name]
    boxes = RandomErasing(count=of_timm["count"], area=(0.02, 0.33)).draw(DRAWS, SIZE)
    boxes = boxes[(boxes[..., 2] > 0).any(1)]
    happens = len(boxes) / DRAWS
    assert happens == pytest.approx(of_timm["happens"], abs=tolerance(happens))
    top, left, height, width = boxes[..., None].unbind(2)
    rows, columns = torch.arange(SIZE[0]), torch.arange(SIZE[1])
    in_rows = (rows >= top) & (rows < top + height)
    in_columns = (columns >= left) & (columns < left + width)
    gone = (in_rows[..., None] & in_columns[..., None, :]).any(1)
    erased = gone.any(2).int()
    first, last = erased.argmax(1), SIZE[0] - erased.flip(1).argmax(1)
    ours = {"area": gone.flatten(1).sum(1), "top": first, "height": last - first}
    for fact, wanted in of_timm["quantiles"].items():
        check_quantiles(ours[fact].double(), wanted, of_timm["happens"] * DRAWS)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rand_augment", {}),
        (
            "rand_augment_not_increasing",
            {"magnitude": 6, "layers": 1, "probability": 0.8, "magnitude_std": 1}
            | {"increasing": False},
        ),
    ],
)
def test_operations_and_their_arguments(name, options):
    of_timm, augmentation = TIMM[name], rand_augment.RandAugment(**options)
    layers = [augmentation.draw(DRAWS) for _ in range(augmentation.layers)]
    kinds, arguments = (torch.cat(drawn) for drawn in zip(*layers, strict=True))
    assert len(of_timm["per_image"]) == len(rand_augment.OPERATIONS) == 15
    for theirs, per_image in of_timm["per_image"].items():
        word = NAMES.get(theirs) or theirs.removesuffix("Increasing").lower()
        own = kinds == rand_augment.OPERATIONS.index(word)
        share, theirs_share = own.double().mean().item(), per_image / augmentation.layers
        assert share == pytest.approx(theirs_share, abs=tolerance(share, len(kinds), len(kinds)))
        if theirs in of_timm["quantiles"]:
            check_quantiles(arguments[own], of_timm["quantiles"][theirs], per_image * DRAWS)


def test_jittered_factors_and_their_order():
    of_timm = TIMM["color_jitter"]
    factors, keys = ColorJitter(0.4, 0.3, 1.5, 0.1).draw(DRAWS)
    for column, wanted in zip(factors.T, of_timm["quantiles"].values(), strict=True):
        check_quantiles(column, wanted)
    first = (keys.argmin(1)[:, None] == torch.arange(4)).double().mean(0)
    for share, wanted in zip(first.tolist(), of_timm["first"], strict=True):
        assert share == pytest.approx(wanted, abs=tolerance(wanted))


def test_mixed_shares_and_boxes():
    of_timm, draws = TIMM["mixing"], 4000
    kept = {"mixup": [], "cutmix": []}
    images, opposite = torch.zeros(1, 1, *SIZE), torch.ones(1, 1, *SIZE)
    for _ in range(draws):
        mix = draw_mix(*of_timm["given"].values())
        if mix is not None:
            share = mix.kept if mix.centre is None else mixed(images, opposite, mix)[1]
            if share != 1:
                kept["mixup" if mix.centre is None else "cutmix"].append(share)
    for name, values in kept.items():
        happens = of_timm["happens"][name]
        assert len(values) / draws == pytest.approx(happens, abs=tolerance(happens, draws))
        check_quantiles(torch.tensor(values).double(), of_timm["quantiles"][name], happens * DRAWS)


@pytest.mark.parametrize("case", TIMM["targets"])
def test_the_loss_is_the_cross_entropy_with_timms_targets(case):
    labels, targets = torch.tensor(case["labels"]), torch.tensor(case["targets"])
    logits = torch.randn(len(labels), case["classes"])
    wanted = torch.sum(-targets * functional.log_softmax(logits, -1), -1)
    given = logits, labels, case["smoothing"]
    loss = classification_loss(*given, opposite=labels.flip(0), kept=case["kept"])
    torch.testing.assert_close(loss, wanted.mean())
    weights = torch.tensor([3.0, 0.5, 1.0, 0.1])
    loss = classification_loss(*given, weights, labels.flip(0), case["kept"])
    of_image = case["kept"] * weights[labels] + (1 - case["kept"]) * weights[labels.flip(0)]
    torch.testing.assert_close(loss, (of_image * wanted).mean())


@pytest.mark.parametrize("case", TIMM["repeats"])
def test_repeated_images_of_an_epoch(case):
    (order,) = [
        torch.cat([*map(torch.tensor, EpochBatches(case["images"], 64, 5, 0, case["repeats"]))])
    ]
    assert len(order) == case["drawn"]
    assert len(order.unique()) == case["different"] == len(order.unique_consecutive())
    assert case["runs"] == case["different"]


def test_the_preset_of_swin_has_what_was_compared():
    recipe = Recipe.from_preset("swin_imagenet")
    parts = {part.name: part for part in recipe.augmentation_parts}
    assert [*parts] == ["random_resized_crop", "rand_augment", "random_erasing"]
    for part in parts.values():
        assert without_defaults("augmentation", part).options == ()
    assert (recipe.mixup, recipe.cutmix) == (0.8, 1.0) and recipe.flip == "horizontal"
    assert (recipe.mix_probability, recipe.mix_switch_probability) == (1.0, 0.5)
