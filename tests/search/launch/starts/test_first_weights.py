"""First weights before any work starts: refused, followed, and the images normalised by them."""

import dataclasses

import numpy as np
import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.images import ImagesOfWeights
from hybrid_swin.spec.variant import Variant
from search.launch.hardly_meant import some_candidates
from search.launch.starts.first_weights import (
    find_first_weights,
    how_normalised,
    normalised_as_weights,
)
from search.launch.starts.shares import starts_of
from search.launch.study import check, prepare
from search.settings.first_weights import InitSettings
from search.settings.reading import read_config_as
from search.settings.study import BaselineSettings, BudgetSettings, StudySettings

WORDS = ["w_msa", "sw_msa"]
VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": 2,
    "window_size": 2,
    "stages": [
        {
            "width": {"choose": [8, 16]},
            "depth": 2,
            "num_heads": 2,
            "blocks": {"choose": [WORDS, ["w_msa+mdta:gate", "sw_msa"]]},
        }
    ],
}


MATCHED = BudgetSettings(macs=1e6, mode="match")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small Swin of other classes and colour images, in torchvision's layout."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    swin = Variant(8, 3, 7, 2, 2, 4.0, (hs.Stage(8, 2, 2, tuple(WORDS)),))
    hs.save_weights(hs.HybridSwin(swin), path, layout="torchvision")
    return str(path)


def study(weights, **changes):
    settings = {"variant": VARIANT, "recipe": {"epochs": 2}, "init": weights, "trials": 0}
    settings |= {"baselines": (BaselineSettings(blocks=tuple(WORDS)),), "folder": "nowhere"}
    return StudySettings(**settings | changes)


def labelled(space, width, blocks):
    """Parameters of a candidate of this width, and of the blocks of this number."""
    places = {parameter.path: parameter for parameter in space.parameters}
    return {"stages.0.width": width, "stages.0.blocks": places["stages.0.blocks"].labels[blocks]}


def test_every_run_starts_from_the_file_and_is_known_by_it(weights):
    space, candidates = check(study(weights))
    _, anew = check(study(None))
    given = labelled(space, 8, 1)
    run, plain = candidates.look_at(given), anew.look_at(given)
    assert run.init == weights and not run.init_strict
    assert run.candidate_id != plain.candidate_id and plain.to_dict()["init"] == ""
    assert "init_strict" not in plain.to_dict()
    assert candidates.finalist(run, 0).init == weights
    (start,) = starts_of({"": Variant.from_dict(run.variant)}, candidates.first).values()
    assert 0 < start[0] < 1 and start[1] == "mixers of stage 1, head"


def test_words_follow_the_library_where_that_is_asked_for(weights):
    space, candidates = check(study(InitSettings(weights, follow_source=True)))
    run = candidates.look_at(labelled(space, 8, 0))
    assert run.variant["stages"][0]["blocks"] == ["w_msa(small_map=pad)", "sw_msa(small_map=pad)"]
    other = candidates.look_at(labelled(space, 16, 0))
    assert other.variant["stages"][0]["blocks"] == WORDS  # which take nothing of the file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init": "gone.pth"}, "checkpoint 'gone.pth' does not exist"),
        ({"init": "layout"}, "init.layout 'timm', but checkpoint .* has the names of torchvision"),
        ({"width": 24}, "nothing fits: its widths are 8, those of the networks, for example, 24"),
        ({"recipe": {"freeze": 2}}, "recipe.freeze 2 is more than the 1 stages"),
        ({"width": 8, "budget": MATCHED}, "do not fit the weights of init"),
        ({"init": None, "recipe": {"freeze": 1}}, "recipe.freeze 1 is about weights from a file"),
        (
            {"init": None, "recipe": {"old_rate": {"choose": [1, 0.1]}}},
            "recipe.old_rate 0.1 is about weights from a file, and none is given",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_work_starts(weights, changes, message):
    changes = dict(changes)
    if changes.get("init") == "layout":
        changes["init"] = InitSettings(weights, layout="timm")
    if width := changes.pop("width", None):
        changes["variant"] = VARIANT | {"stages": [VARIANT["stages"][0] | {"width": width}]}
    with pytest.raises(InputError, match=message):
        check(study(weights, **changes))


def test_the_bundled_study_fits_the_weights_of_its_swin(tmp_path):
    settings = read_config_as("from_weights.yaml", StudySettings)
    stages = [
        stage | {"width": stage["width"] // 12, "num_heads": stage["num_heads"] // 3}
        for stage in settings.variant["stages"]
    ]
    sizes = {"image_size": 64, "window_size": 2, "stages": stages}
    settings = dataclasses.replace(settings, variant=settings.variant | sizes)
    plain = [stage | {"blocks": WORDS} for stage in stages]
    swin = Variant.from_dict(settings.variant | {"num_classes": 7, "stages": plain})
    hs.save_weights(hs.HybridSwin(swin), tmp_path / "swin.pth", layout="torchvision")
    with pytest.raises(InputError, match=r"recipe.(freeze|old_rate) .* give --init FILE"):
        check(settings)
    space, candidates = check(dataclasses.replace(settings, init=str(tmp_path / "swin.pth")))
    assert [spec.label for spec in candidates.baselines][:2] == ["plain Swin", "only the head"]
    for variant, _ in some_candidates(space, 0):
        model = hs.HybridSwin(variant)
        blocks = hs.load_weights(model, tmp_path / "swin.pth").blocks  # all of it fits
        assert {block.how for block in blocks} <= {"taken", "identity start", "changed"}


def test_images_are_normalised_as_the_weights_expect(weights, monkeypatch):
    given = normalised_as_weights(study(weights))
    assert given.data.mean == pytest.approx((0.449,)) and given.data.std == pytest.approx((0.226,))
    first = find_first_weights(given)
    assert "ImageNet's" in how_normalised(given, first)
    assert normalised_as_weights(given) is given
    images = study(InitSettings(weights, normalise="images"))
    assert normalised_as_weights(images) is images
    assert "by their own train split; those of the weights" in how_normalised(images, first)
    own = study(weights, data=DataSettings(mean=(0.5,), std=(0.5,)))
    assert normalised_as_weights(own) is own
    assert "0.5 and 0.5; those of" in how_normalised(own, first)
    module = study(weights, data=DataSettings(class_path="my.Own"))
    assert normalised_as_weights(module) is module
    anew = study(None)
    assert normalised_as_weights(anew) is anew
    assert ImagesOfWeights((0.1, 0.2, 0.3), (1.0,) * 3, "").of_channels(4).mean[3] == 0.1


def test_pixels_that_the_weights_do_not_know_are_refused(weights, tmp_path):
    labels = np.arange(200) % 10
    images = np.random.default_rng(0).uniform(0, 255, (200, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=labels)
    data = DataSettings(source="npz", options={"path": str(tmp_path / "a.npz")})
    settings = normalised_as_weights(study(weights, data=data, folder=str(tmp_path)))
    space, candidates = check(settings)
    with pytest.raises(
        InputError, match=r"do not fit train images that hold .* to 25.*value_range"
    ):
        prepare(settings, space, candidates)
    options = data.options | {"value_range": [0, 255]}
    fit = dataclasses.replace(settings, data=dataclasses.replace(settings.data, options=options))
    prepared = prepare(fit, space, candidates)
    assert prepared.hashes["init"] == candidates.first.hash  # to which the folder is tied
    assert prepared.job_settings["init_hash"] == candidates.first.hash  # for which workers look


def test_what_has_begun_keeps_the_images_it_began_with(weights, make_study):
    made = make_study("begun")
    made.trial(0, 0.5)
    settings = study(weights, folder=str(made.folder.parent), name="begun")
    assert normalised_as_weights(settings) is settings
    (made.folder / "study.json").write_text(
        '{"schema_version": 1, "settings": {"data": {"mean": [0.2], "std": [0.3]}}}'
    )
    assert normalised_as_weights(settings).data == dataclasses.replace(
        settings.data, mean=(0.2,), std=(0.3,)
    )
