import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.inspection import Subject as PublicSubject
from hybrid_swin.inspection.subject import Subject, make_subject
from hybrid_swin.network.branches import NormedBranch


def test_blocks_have_their_place(small_swin, looked_at):
    model = small_swin("w_msa+mdta", "conv", image_size=(30, 56))
    places = looked_at(model=model).blocks()
    assert [(p.name, p.stage, p.index, p.word, p.stride, p.grid) for p in places] == [
        ("layers.0.blocks.0", 0, 0, "w_msa+mdta", 4, (8, 14)),
        ("layers.0.blocks.1", 0, 1, "conv", 4, (8, 14)),
        ("layers.1.blocks.0", 1, 0, "w_msa+mdta", 8, (4, 7)),
        ("layers.1.blocks.1", 1, 1, "conv", 8, (4, 7)),
    ]
    for place in places:
        assert place.block is model.get_submodule(place.name)
        assert place.mixer is place.block.attn


def test_grids_are_those_of_the_maps(small_swin):
    model = small_swin(image_size=56)
    subject = make_subject(model, torch.randn(1, 3, 41, 60))
    maps = []
    for place in subject.blocks():
        place.block.register_forward_hook(lambda *given: maps.append(given[-1].shape[1:3]))
    model(subject.images)
    assert [p.grid for p in subject.blocks()] == [tuple(shape) for shape in maps]


@pytest.mark.parametrize("word", ["w_msa+mdta(depthwise=false)", "conv+w_msa:split", "mdta"])
@pytest.mark.parametrize("norm", ["pre", "branch"])
def test_branches_are_named_as_they_are_built(word, norm, small_swin, looked_at):
    subject = looked_at(model=small_swin(word, norm=norm))
    for branch in subject.branches():
        name = branch.name.partition("(")[0]
        assert branch.bare.__class__.__module__ == f"hybrid_swin.network.branches.{name}"
        normed = norm == "branch" and "+" in word
        assert isinstance(branch.module, NormedBranch) == normed
    assert len(subject.branches()) == 4 * (1 + word.count("+"))
    assert [b.index for b in subject.branches()[:2]] == ([0, 1] if "+" in word else [0, 0])


def test_batches_hold_every_image_once_with_its_label(looked_at):
    subject = looked_at("w_msa", count=7, labels=True)
    batches = list(subject.batches())
    assert [len(images) for images, _ in batches] == [3, 3, 1]
    assert torch.equal(torch.cat([images for images, _ in batches]), subject.images)
    assert torch.equal(torch.cat([labels for _, labels in batches]), subject.labels)
    assert [labels for _, labels in looked_at("w_msa", count=1).batches()] == [None]


def test_the_model_is_frozen_and_evaluated(small_swin):
    subject = make_subject(small_swin().train(), torch.randn(2, 3, 56, 56))
    assert not subject.model.training
    assert not any(p.requires_grad for p in subject.model.parameters())
    assert PublicSubject is Subject


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.randn(2, 1, 56, 56), None, "takes 3 channel"),
        (torch.randn(3, 56, 56), None, "must be"),
        (torch.randn(0, 3, 56, 56), None, "at least one image"),
        (torch.randn(2, 3, 56, 56), torch.zeros(3).long(), "2 images, but 3 labels"),
    ],
)
def test_what_does_not_fit_is_refused(images, labels, message, small_swin):
    with pytest.raises(InputError, match=message):
        make_subject(small_swin(), images, labels)
