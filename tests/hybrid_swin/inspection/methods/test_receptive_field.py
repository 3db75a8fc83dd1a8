import dataclasses

import numpy as np
import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.sampling import subset
from hybrid_swin.inspection.methods.receptive_field import ReceptiveField


def test_a_window_holds_the_field_of_its_tokens(looked_at):
    subject = looked_at("w_msa", "w_msa")
    numbers = ReceptiveField(row=5 / 16, column=5 / 16).measure(subject)
    (row,) = numbers["rows"]
    assert row["token"] == [5, 5]
    assert row["support"] == {"rows": [4, 7], "columns": [4, 7], "share": 16 / 256}
    field = np.array(row["map"])
    assert row["cell"] == 1
    assert field.sum() == pytest.approx(1, abs=1e-3)
    assert not np.delete(np.delete(field, slice(4, 8), 0), slice(4, 8), 1).any()
    assert field[4:8, 4:8].min() > 0
    assert row["radius_50"] <= row["radius_90"] <= 2 * 2**0.5


def test_a_token_alone_has_no_radius(looked_at):
    (row,) = ReceptiveField().measure(looked_at("identity"))["rows"]
    assert row["token"] == [8, 8]
    assert (row["radius_50"], row["radius_90"], row["deviation_rows"]) == (0, 0, 0)


def test_channel_attention_looks_everywhere(looked_at):
    numbers = ReceptiveField().measure(looked_at("mdta(depthwise=false)"))
    assert numbers["rows"][0]["support"]["share"] == 1
    assert np.array(numbers["rows"][0]["map"]).min() > 0
    assert any("not that it has much" in note for note in numbers["notes"])


def test_each_stage_is_one_row_in_pixels_of_the_image(small_swin, looked_at):
    subject = looked_at(model=small_swin(image_size=(56, 60)))
    rows = ReceptiveField(images=2).measure(subject)["rows"]
    assert [(r["stage"], r["stride"], r["token"]) for r in rows] == [(0, 4, [7, 7]), (1, 8, [3, 4])]
    assert rows[1]["centre"] == [27.5, 35.5]
    assert rows[0]["support"]["share"] <= rows[1]["support"]["share"] == 1
    assert rows[0]["radius_90"] < rows[1]["radius_90"] < 45


def test_fewer_images_are_drawn_by_the_seed(looked_at):
    subject = looked_at("mdta", count=9)
    numbers = ReceptiveField(images=5).measure(subject)
    assert numbers["images"] == 5
    assert numbers["rows"] == ReceptiveField().measure(subset(subject, 5))["rows"]
    first = dataclasses.replace(subject, images=subject.images[:5])
    assert numbers["rows"] != ReceptiveField().measure(first)["rows"]
    assert "5 of 9 images were used, drawn by the seed" in numbers["notes"][0]


def test_a_dead_network_is_undefined_and_not_drawn(looked_at):
    subject = looked_at("w_msa")
    subject.model.patch_embed.proj.weight.zero_()
    numbers = ReceptiveField().measure(subject)
    assert numbers["rows"] == []
    assert numbers["undefined"][0]["reason"] == "its gradient is zero everywhere"


@pytest.mark.parametrize("options", [{"images": 0}, {"row": 1.5}, {"column": -0.1}])
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        ReceptiveField(**options)
