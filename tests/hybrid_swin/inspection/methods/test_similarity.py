import json

import pytest
import torch
from matplotlib.figure import Figure

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.methods.similarity import Similarity, align, debiased_hsic, gram
from hybrid_swin.inspection.subject import make_subject


@pytest.fixture
def subject(small_swin):
    def build(count=10, batch_size=4, **options):
        model = small_swin("conv", depths=(2, 1), image_size=28, patch_size=2)
        images = torch.randn(count, 3, 28, 28, generator=torch.Generator().manual_seed(0))
        return make_subject(model, images, batch_size=batch_size, **options)

    return build


def drawn(numbers):
    json.dumps(numbers, allow_nan=False)
    figure = Figure()
    Similarity().draw(numbers, figure)
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize("features", ["pooled", "flat"])
def test_every_pair_of_blocks_against_the_plain_function(subject, features):
    looked_at = subject()
    numbers = Similarity(features).measure(looked_at)
    maps = []
    hooks = [
        place.block.register_forward_hook(lambda m, i, out: maps.append(out))
        for place in looked_at.blocks()
    ]
    looked_at.model(looked_at.images)
    for hook in hooks:
        hook.remove()
    flat = [x.mean((1, 2)) if features == "pooled" else x.flatten(1) for x in maps]
    for i, row in enumerate(numbers["rows"]):
        assert row["cka"][i] == pytest.approx(1, abs=1e-9)
        for j in range(3):
            pair = torch.stack([gram(flat[i]), gram(flat[j])])
            assert row["cka"][j] == pytest.approx(float(align(debiased_hsic(pair))[0, 1]), abs=1e-5)
    assert any("without changing what the network computes" in note for note in numbers["notes"])
    figure = drawn(numbers)
    assert "without changing" in figure.get_supxlabel().replace("\n", " ")
    assert not looked_at.blocks()[0].block._forward_hooks


def test_minibatches_do_not_depend_on_what_runs_at_a_time(subject):
    whole = [Similarity(minibatch=5).measure(subject(12, batch)) for batch in (3, 7, 12)]
    assert whole[0]["notes"][-1] == "The last 2 image(s) fill no minibatch of 4."
    for other in whole[1:]:
        for a, b in zip(whole[0]["rows"], other["rows"], strict=True):
            assert a["cka"] == pytest.approx(b["cka"], abs=1e-6)
    at_once = Similarity().measure(subject(12))
    assert at_once["rows"][0]["cka"] != pytest.approx(whole[0]["rows"][0]["cka"], abs=1e-6)
    one = Similarity(minibatch=12).measure(subject(12))
    assert at_once["rows"][0]["cka"] == pytest.approx(one["rows"][0]["cka"], abs=1e-9)


def test_too_few_images_are_undefined(subject):
    numbers = Similarity().measure(subject(3))
    assert not numbers["rows"]
    assert "needs at least 4" in numbers["undefined"][0]["reason"]
    with pytest.raises(InputError, match="minibatch 3 is too small"):
        Similarity(minibatch=3)


def test_a_block_that_gives_the_same_for_all_images_is_undefined(subject):
    looked_at = subject()
    for parameter in looked_at.model.patch_embed.parameters():
        parameter.zero_()
    numbers = Similarity().measure(looked_at)
    assert [u["block"] for u in numbers["undefined"]] == [row["block"] for row in numbers["rows"]]
    assert all(value is None for row in numbers["rows"] for value in row["cka"])
    drawn(numbers)
