"""Window sizes of a first training, by stage, as timm's create_model takes them."""

import pytest

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant_changes import with_pretrained_windows

V2 = "attention=cosine;bias=continuous"


def counted(variant):
    """By stage: what the words say."""
    return [
        {part.kwargs.get("pretrained_window_size") for word in words for part in word.branches}
        for words in variant.block_words
    ]


def test_sizes_are_written_into_the_words_of_each_stage():
    model = hs.create_model(
        "swin_v2_t",
        img_size=64,
        window_size=4,
        pretrained_window_sizes=(12, 6, 0, 3),
        embed_dim=12,
        depths=(1, 2, 1, 2),
        num_heads=(2, 2, 2, 2),
        num_classes=5,
    )
    assert counted(model.variant) == [{12}, {6}, {None}, {3}]
    assert model.layers[1].blocks[1].attn.scale_window == (6, 6)
    assert model.variant.stages[2].blocks == (f"w_msa({V2})",)
    again = with_pretrained_windows(model.variant, 0)
    assert counted(again) == [{None}] * 4
    assert counted(with_pretrained_windows(again, 8)) == [{8}] * 4


def test_words_keep_their_other_parts_and_their_spelling():
    words = ("mdta + w_msa(bias=continuous) : gate", "conv(kernel=3)")
    variant = hs.Variant(image_size=16, stages=(hs.Stage(8, 2, 2, words),))
    (stage,) = with_pretrained_windows(variant, 4).stages
    said = "mdta+w_msa(bias=continuous;pretrained_window_size=4):gate"
    assert stage.blocks == (said, "conv(kernel=3)")


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        (
            "swin_v2_t",
            (12, 12),
            r"one whole number, or 4 of them, one per .* got \(12, 12",
        ),
        ("swin_v2_t", (12, 12, 12, 6.0), "must be one whole number"),
        ("swin_v2_t", -1, "must be one whole number"),
        ("swin_v2_t", "8", "must be one whole number"),
        ("swin_t", 8, "stage 0 has no continuous position bias that a size of 8 would scale"),
    ],
)
def test_sizes_that_cannot_be_are_refused(name, sizes, message):
    with pytest.raises(InputError, match=f"pretrained_window_sizes.* {message}"):
        hs.create_model(name, pretrained_window_sizes=sizes)
    assert hs.create_model("swin_t", pretrained_window_sizes=0, depths=(1, 1, 1, 1))
