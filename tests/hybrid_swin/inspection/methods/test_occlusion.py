import numpy as np
import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.sampling import subset
from hybrid_swin.inspection.measures.token_support import Supports
from hybrid_swin.inspection.methods import occlusion
from hybrid_swin.inspection.methods.occlusion import Occlusion, token_distances
from hybrid_swin.inspection.subject import make_subject
from hybrid_swin.system.files import json_ready


@pytest.mark.parametrize(
    "words", [("w_msa", "sw_msa", "w_msa"), ("conv", "conv(kernel=5)"), ("sw_msa", "sw_msa")]
)
def test_influence_is_exactly_zero_out_of_reach(words, looked_at, monkeypatch):
    """Each changed patch, each block, each token: touched only where the support says so."""
    subject = looked_at(*words, size=12, count=3)
    places = subject.blocks()
    reach = Supports(subject.model)
    support = {
        (place.name, row, column): reach.of(0, (row, column), place.index)
        for place in places
        for row in range(12)
        for column in range(12)
    }
    seen = []
    add = occlusion._Curve._add_one

    def spy(curve, image, influence, touched, far):
        seen.append((curve._place, influence, touched, far))
        add(curve, image, influence, touched, far)

    monkeypatch.setattr(occlusion._Curve, "_add_one", spy)
    Occlusion(patches=2).measure(subject)
    assert len(seen) == len(words) * 3 * 2
    outside = 0
    for place, influence, touched, far in seen:
        patch = np.unravel_index(far.argmin(), far.shape)
        assert far.min() == 0  # a patch of one token
        for row in range(12):
            for column in range(12):
                inside = support[place.name, row, column][patch]
                outside += not inside
                assert inside or (influence[row, column] == 0 and not touched[row, column])
                if inside and far[row, column] <= 1:
                    assert touched[row, column]
    assert outside > 100


def test_influence_falls_to_zero_beyond_a_convolution(looked_at):
    numbers = Occlusion().measure(looked_at("conv(kernel=5)", count=6))
    rows = numbers["rows"]
    assert rows[0]["relative"] > 0.1
    assert all(row["influence"] == 0 and row["untouched"] == 1 for row in rows if row["from"] > 3)
    assert all(row["influence_low"] <= row["influence"] <= row["influence_high"] for row in rows)
    (block,) = numbers["blocks"]
    assert block["farthest"] == pytest.approx(8**0.5)
    assert 0 < block["mean_distance"] < block["farthest"]


def test_channel_attention_reaches_everything(looked_at):
    rows = Occlusion().measure(looked_at("mdta(depthwise=false)", count=6))["rows"]
    assert all(row["untouched"] == 0 and row["influence"] > 0 for row in rows)


def test_distances_are_from_middle_to_middle(small_swin, looked_at):
    subject = looked_at(model=small_swin(image_size=32))
    place = subject.blocks()[-1]
    assert (place.stride, place.grid) == (8, (4, 4))
    far = token_distances(place, np.array([8, 0]), 4)
    assert far[1, 0] == pytest.approx(8**0.5)  # (10, 2) to (12, 4)
    assert far[3, 0] == pytest.approx(np.hypot(18, 2))


def test_rows_are_of_every_block(small_swin, looked_at):
    subject = looked_at(model=small_swin(image_size=56))
    numbers = Occlusion(images=3, patches=1).measure(subject)
    assert numbers["patch"] == 4
    assert numbers["images"] == 3
    assert {row["block"] for row in numbers["rows"]} == {p.name for p in subject.blocks()}
    again = Occlusion(images=3, patches=1).measure(subject)
    assert json_ready(again) == json_ready(numbers)  # as written: an interval of one image is null


def test_patches_that_are_alike_do_not_count(looked_at):
    subject = looked_at("w_msa", count=4)
    subject.images[:, :, :8] = 0.5
    numbers = Occlusion(patches=6).measure(subject)
    assert any("alike" in note for note in numbers["notes"])
    assert numbers["rows"][0]["untouched"] == 0
    subject.images[:] = 0.5
    with pytest.raises(InputError, match="all images are alike"):
        Occlusion().measure(subject)


def test_fewer_images_are_drawn_by_the_seed_and_so_are_their_others(looked_at):
    subject = looked_at("w_msa", count=9)
    numbers = Occlusion(images=5).measure(subject)
    assert numbers["images"] == 5
    assert numbers["rows"] == Occlusion().measure(subset(subject, 5))["rows"]
    assert "5 of 9 images were used, drawn by the seed" in numbers["notes"][0]


def test_images_smaller_than_a_token_are_refused(small_swin):
    subject = make_subject(small_swin(image_size=32), torch.randn(2, 3, 3, 32))
    with pytest.raises(InputError, match=r"4 x 4 pixels.*got images of 3 x 32; give larger"):
        Occlusion().measure(subject)


def test_one_image_is_refused(looked_at):
    with pytest.raises(InputError, match="at least 2 images"):
        Occlusion().measure(looked_at("w_msa", count=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": 1}, "images must be at least 2"),
        ({"patches": 0}, "patches must be at least 1"),
        ({"patch": -1}, "at least 0 pixels"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Occlusion(**options)


def test_a_patch_cuts_no_token(small_swin, looked_at):
    subject = looked_at(model=small_swin(image_size=32))
    for side in (6, 36):
        with pytest.raises(InputError, match="multiple of patch_size 4 and at most 32"):
            Occlusion(patch=side).measure(subject)
    assert Occlusion(patch=8).measure(subject)["patch"] == 8


def test_no_hook_is_left_when_a_pass_fails(looked_at, monkeypatch):
    subject = looked_at("w_msa")
    monkeypatch.setattr(subject.model, "norm", torch.nn.LayerNorm(3))
    with pytest.raises(RuntimeError):
        Occlusion().measure(subject)
    assert not subject.blocks()[0].block._forward_hooks
