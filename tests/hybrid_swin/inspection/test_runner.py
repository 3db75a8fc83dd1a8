"""What holds for every inspection, built in or a user's own."""

import dataclasses
import json
import warnings

import pytest
import torch

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.request import Request, as_trained, parse_inspections
from hybrid_swin.inspection.runner import (
    NEEDS_LABELS,
    fingerprint,
    make_inspections,
    run_inspections,
    save_figure,
)
from hybrid_swin.spec import registry

OWN = '''
from hybrid_swin.inspection.methods import Inspection

class Mean(Inspection):
    """Mean of the images."""

    needs_labels = {needs}

    def __init__(self, times: int = 1) -> None:
        self.times = times

    def measure(self, subject):
        {body}
        return {{
            "what": "A mean.", "units": "1", "undefined": [], "notes": [],
            "rows": [{{"mean": float(subject.images.mean()) * self.times}}],
        }}

    def draw(self, numbers, figure):
        figure.subplots().bar([0], [row["mean"] for row in numbers["rows"]])
'''


@pytest.fixture
def own(tmp_path):
    """An inspection of a user's own, known for one test."""

    def write(body="pass", needs=False):
        path = tmp_path / "mean.py"
        path.write_text(OWN.format(body=body, needs=needs))
        return registry.add_plugin(path)

    before = dict(registry._plugins)
    yield write
    registry._plugins.clear()
    registry._plugins.update(before)
    registry._describe.cache_clear()


def run(subject, *names):
    return list(run_inspections(subject, make_inspections([Request(name) for name in names])))


@pytest.mark.parametrize("name", registry.names("inspection"))
@pytest.mark.parametrize("word", ["w_msa+mdta", "conv"])
def test_every_inspection_keeps_the_contract(name, word, looked_at, tmp_path):
    """Complete and plain numbers, the model untouched, the same figure twice, no warning."""
    subject = looked_at(word, "sw_msa", count=6, labels=True)
    state = {key: value.clone() for key, value in subject.model.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (outcome,) = run(subject, name)
        assert outcome.numbers is not None, outcome.reason
        json.dumps(outcome.numbers, allow_nan=False)
        for undefined in outcome.numbers["undefined"]:
            assert {"block", "branch", "reason"} <= set(undefined)
        paths = [tmp_path / f"{i}.svg" for i in range(2)]
        drawn = [save_figure(outcome.inspection, outcome.numbers, path) for path in paths]
    assert drawn[0] == drawn[1] == paths[0].exists()
    if drawn[0]:
        assert paths[0].read_bytes() == paths[1].read_bytes()
    for key, value in subject.model.state_dict().items():
        assert torch.equal(value, state[key])
    entry = registry.describe("inspection", name)
    assert issubclass(registry.load("inspection", name), Inspection)
    assert entry.summary
    if outcome.numbers["rows"]:
        assert outcome.numbers["summary"]


def test_a_users_own_inspection_is_run_and_drawn(own, looked_at, tmp_path):
    entry = own()
    assert (entry.kind, entry.name, entry.summary) == ("inspection", "mean", "Mean of the images.")
    assert "mean" in registry.names("inspection")
    subject = looked_at("w_msa")
    (asked,) = parse_inspections("mean(times=3)")
    (outcome,) = run_inspections(subject, make_inspections([asked]))
    assert outcome.numbers["rows"] == [{"mean": 3 * float(subject.images.mean())}]
    assert outcome.reason == ""
    assert save_figure(outcome.inspection, outcome.numbers, tmp_path / "mean.png")
    assert (tmp_path / "mean.png").stat().st_size > 1000


def test_a_file_that_holds_nothing_known_names_what_may_stand_there(tmp_path):
    path = tmp_path / "empty.py"
    path.write_text("x = 1")
    with pytest.raises(InputError, match="Branch, Fusion, Source, Inspection, "):
        registry.read_plugin(path)


def test_labels_that_are_needed_and_missing_are_the_reason(own, looked_at):
    assert own(needs=True).constants == {"needs_labels": True}
    (outcome,) = run(looked_at("w_msa"), "mean")
    assert (outcome.numbers, outcome.reason) == (None, NEEDS_LABELS)
    (outcome,) = run(looked_at("w_msa", labels=True), "mean")
    assert outcome.numbers is not None


def test_an_inspection_that_cannot_says_why_and_stops_no_other(own, looked_at):
    own("from hybrid_swin.errors import InputError; raise InputError('too small')")
    outcomes = run(looked_at("w_msa"), "mean", "receptive_field")
    assert (outcomes[0].numbers, outcomes[0].reason) == (None, "too small")
    assert outcomes[1].numbers["rows"]


def test_nothing_to_draw_leaves_no_file(looked_at, tmp_path):
    (outcome,) = run(looked_at("conv"), "attention_distance")
    assert outcome.numbers["rows"] == []
    assert "shows no attention that can be read" in outcome.reason
    assert not save_figure(outcome.inspection, outcome.numbers, tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()


@pytest.mark.parametrize(
    "body",
    [
        "subject.model.norm.weight[0] += 1e-7",
        "subject.model.train()",
        "subject.model.norm.register_forward_hook(print)",
        "subject.model.norm.forward = print",
        "subject.model.norm.weight.requires_grad_()",
        "subject.model.norm.register_forward_pre_hook(print)",
        "subject.model.norm.register_full_backward_hook(print)",
        "subject.model.norm.register_full_backward_pre_hook(print)",
        "subject.model.norm.extra += 1",
        "subject.images[0].zero_()",
        "subject.labels.add_(1)",
    ],
)
def test_what_an_inspection_changes_is_noticed(body, own, looked_at):
    own(body)
    subject = looked_at("w_msa", labels=True)
    subject.model.norm.register_buffer("extra", torch.zeros(1), persistent=False)
    with pytest.raises(RuntimeError, match="left the network or the images changed"):
        run(subject, "mean")


def test_images_of_inference_mode_are_looked_at_too(own, looked_at):
    own()
    with torch.inference_mode():
        images = torch.zeros(2, 1, 16, 16)
    (outcome,) = run(dataclasses.replace(looked_at("w_msa"), images=images), "mean")
    assert outcome.numbers["rows"] == [{"mean": 0}]


def test_missing_numbers_are_noticed(own, looked_at):
    own("return {'what': 'A mean.', 'rows': []}")
    with pytest.raises(RuntimeError, match="gives no units, undefined, notes"):
        run(looked_at("w_msa"), "mean")


def test_the_fingerprint_is_of_weights_and_not_of_use(looked_at):
    subject = looked_at("w_msa")
    before = fingerprint(subject)
    subject.model(subject.images)
    assert fingerprint(subject) == before
    subject.model.head.fc.bias[0] = -0.0
    assert fingerprint(subject) != before


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("spectrum", [("spectrum", {})]),
        (
            " occlusion( patches = 8 ; patch=16 ) ,receptive_field(row=1)",
            [("occlusion", {"patches": 8, "patch": 16}), ("receptive_field", {"row": 1.0})],
        ),
        ("spectrum,", [("spectrum", {})]),
    ],
)
def test_inspections_are_read_with_their_options(text, found):
    assert [(a.name, a.options) for a in parse_inspections(text)] == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spectrm", "did you mean 'spectrum'"),
        ("occlusion(pach=3)", "did you mean 'patch'"),
        ("occlusion(patch=big)", "give a whole number"),
        ("occlusion(patch)", "write key=value"),
        ("occlusion(patch=2", "names no inspection"),
        ("spectrum occlusion", "names no inspection"),
        ("spectrum,spectrum", "named twice"),
        ("", "no inspection is named"),
        (" , ", "names no inspection"),
    ],
)
def test_what_names_no_inspection_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_inspections(text)


def test_what_makes_its_own_images_makes_those_that_were_trained_on():
    data = DataSettings("cue_conflict", {"reach": 4, "side": 2, "train": 64})
    asked = parse_inspections("spectrum,cue_conflict(side=1;images=6)")
    assert as_trained(asked, data) == (
        Request("spectrum"),
        Request("cue_conflict", {"reach": 4, "side": 1, "images": 6}),
    )
    assert as_trained(asked, DataSettings("digits")) == asked


def test_an_option_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="at least 2"):
        make_inspections([Request("occlusion", {"images": 1})])
