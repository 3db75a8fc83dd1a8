import copy
import json

import pytest
import torch
from matplotlib.figure import Figure

from hybrid_swin.inspection.methods.branches import Branches
from hybrid_swin.inspection.subject import make_subject
from hybrid_swin.network.fusions import silence

WORDS = ["conv+w_msa", "conv+w_msa:gate", "conv+w_msa:scale", "conv+w_msa:selective"]
WORDS += ["conv+w_msa:concat", "conv+w_msa:split", "conv+w_msa:cascade", "mdta+w_msa:cross"]


@pytest.fixture
def subject(small_swin):
    """A small network with loud weights, on images that it classifies rightly in part."""

    def build(*words, depths=(1, 1), count=12, loud=0.1, pixels=28, **options):
        model = small_swin(*words, depths=depths, image_size=pixels, patch_size=2)
        images = torch.randn(count, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(loud * torch.randn_like(parameter))
            model.head.fc.bias.copy_(
                -model.forward_features(images).mean((0, 1, 2)) @ model.head.fc.weight.T
            )
            labels = model(images).argmax(dim=1)
        labels[::3] = (labels[::3] + 1) % 10
        return make_subject(model, images, options.pop("labels", labels), batch_size=5, **options)

    return build


def drawn(numbers):
    json.dumps(numbers, allow_nan=False)
    figure = Figure()
    Branches().draw(numbers, figure)
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize("word", WORDS)
def test_shares_sum_to_one_and_the_model_is_left_as_it_was(subject, word):
    looked_at = subject(word)
    before = copy.deepcopy(looked_at.model.state_dict())
    numbers = Branches().measure(looked_at)
    for stage in (0, 1):
        rows = [row for row in numbers["rows"] if row["stage"] == stage]
        assert sum(row["share"] for row in rows) == pytest.approx(1)
        assert all(0 < row["share_low"] <= row["share"] <= row["share_high"] for row in rows)
        if "cross" in word:
            assert all(row["joined_share"] is None and row["gate"] is not None for row in rows)
        else:
            assert sum(row["joined_share"] for row in rows) == pytest.approx(1)
    assert [name for name, _ in looked_at.model.named_modules() if "forward" in vars(_)] == []
    for name, value in looked_at.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert len(drawn(numbers).axes) == (5 if numbers["rows"][0]["gate"] is not None else 4)


def test_ablation_against_a_slow_reference(subject):
    looked_at = subject("conv+w_msa", "mdta", depths=(2, 2), count=12)
    numbers = Branches().measure(looked_at)
    model, images, labels = looked_at.model, looked_at.images, looked_at.labels
    branches = looked_at.branches()
    outs = {}
    hooks = [
        b.module.register_forward_hook(lambda m, i, out: outs.setdefault(m, []).append(out))
        for b in branches
    ]
    clean = model(images).argmax(dim=1) == labels
    for hook in hooks:
        hook.remove()
    assert numbers["clean"]["accuracy"] == pytest.approx(8 / 12)

    def change(modules):
        hooks = [
            m.register_forward_hook(
                lambda m, i, out: outs[m][0].double().mean((0, 1, 2)).float().expand_as(out)
            )
            for m in modules
        ]
        right = model(images).argmax(dim=1) == labels
        for hook in hooks:
            hook.remove()
        return float((right.double() - clean.double()).mean())

    for branch, row in zip(branches, numbers["rows"], strict=True):
        assert (row["block"], row["branch"]) == (branch.place.name, branch.name)
        assert row["accuracy_change"] == pytest.approx(change([branch.module]))
        assert row["accuracy_change_low"] < row["accuracy_change"] < row["accuracy_change_high"]
    found = {row["branch"]: row for row in numbers["together"]}
    assert {name: row["blocks"] for name, row in found.items()} == {
        "conv": 2,
        "mdta": 2,
        "w_msa": 2,
    }
    for name, row in found.items():
        modules = [b.module for b in branches if b.name == name]
        assert row["accuracy_change"] == pytest.approx(change(modules))
    assert any(row["accuracy_change"] for row in numbers["together"])  # it is not a test of nothing
    for name, row in found.items():
        assert f"without {name} {100 * row['accuracy_change']:+.1f} points [" in numbers["summary"]
    assert len(drawn(numbers).axes) == 4


@pytest.mark.parametrize("word", ["conv+w_msa", "conv+w_msa:gate", "conv+w_msa:selective"])
def test_a_branch_of_zero_weights_changes_nothing_exactly(subject, word):
    looked_at = subject(word)
    for place in looked_at.blocks():
        assert silence(place.mixer.branches, 1)
    numbers = Branches().measure(looked_at)
    for row in numbers["rows"]:
        if row["branch"] == "conv":
            assert row["share"] == 0
            assert row["largest_logit_change"] == 0
            assert row["accuracy_change_low"] == row["accuracy_change_high"] == 0
            assert row["loss_change"] == 0
        else:
            assert row["share"] == 1
            assert row["largest_logit_change"] > 0
    silent = next(row for row in numbers["together"] if row["branch"] == "conv")
    assert silent["largest_logit_change"] == 0


def test_a_branch_that_is_constant_changes_nothing_either(subject):
    looked_at = subject("conv+w_msa")
    for place in looked_at.blocks():
        place.mixer.branches[0].proj.weight.zero_()  # its bias stays
    numbers = Branches().measure(looked_at)
    assert all(
        (row["largest_logit_change"] == 0) == (row["branch"] == "conv") for row in numbers["rows"]
    )


def test_what_a_mixer_pads_does_not_count(subject):
    """Maps of 9 x 9 tokens, which windows of 7 pad to 14 x 14."""
    looked_at = subject("conv+w_msa:cross(padding=both)", depths=(1, 1), pixels=18)
    rows = [row for row in Branches().measure(looked_at)["rows"] if row["stage"] == 0]
    mixer = looked_at.model.layers[0].blocks[0].attn
    kept = []
    handle = mixer.spatial_gate.register_forward_hook(lambda m, i, out: kept.append(out.sigmoid()))
    with torch.no_grad():
        looked_at.model(looked_at.images)
    handle.remove()
    (gate,) = kept
    assert gate.shape == (12, 14, 14, 1)
    assert rows[0]["gate"] == pytest.approx(float(gate[:, :9, :9].mean()), abs=1e-6)
    assert rows[0]["gate"] != pytest.approx(float(gate.mean()), abs=1e-4)


def test_gates_at_their_start_are_one(small_swin):
    for word in ("conv+w_msa:gate", "conv+w_msa:scale", "conv+w_msa:selective"):
        model = small_swin(word, depths=(1, 1), image_size=28, patch_size=2)
        numbers = Branches().measure(make_subject(model, torch.randn(3, 3, 28, 28)))
        for row in numbers["rows"]:
            assert (row["gate"], row["gate_spread"]) == pytest.approx((1, 0), abs=1e-6)
        assert any("descriptive" in note for note in numbers["notes"])


def test_shares_by_hand(small_swin):
    model = small_swin("conv+w_msa:scale", depths=(1, 1), image_size=28, patch_size=2)
    block = model.layers[0].blocks[0]
    with torch.no_grad():
        block.attn.scales[0] = 3
        images = torch.randn(3, 3, 28, 28)
        x = block.norm1(model.patch_embed(images))
        conv, attention = (branch(x).flatten(1).norm(dim=1) for branch in block.attn.branches)
    rows = Branches().measure(make_subject(model, images))["rows"]
    assert rows[0]["share"] == pytest.approx(float((conv / (conv + attention)).mean()), rel=1e-5)
    expected = float((3 * conv / (3 * conv + attention)).mean())
    assert rows[0]["joined_share"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"labels": None}, "no labels"), ({"trained": False}, "not trained")],
)
def test_without_accuracy_the_shares_only(subject, options, reason):
    numbers = Branches().measure(subject("conv+w_msa", **options))
    assert numbers["clean"] is None
    assert not numbers["together"]
    assert [u for u in numbers["undefined"] if reason in u["reason"]]
    assert "accuracy_change" not in numbers["rows"][0]
    assert numbers["rows"][0]["share"] > 0
    assert numbers["summary"].startswith("mean share of the block's sum: conv 0.")
    assert len(drawn(numbers).axes) == 2


def test_a_single_branch_is_the_whole_mixer(subject):
    numbers = Branches().measure(subject("w_msa"))
    assert [row["share"] for row in numbers["rows"]] == [1, 1]
    assert all(row["largest_logit_change"] > 0 for row in numbers["rows"])
    assert len(drawn(numbers).axes) == 3  # no panel of shares


def test_nothing_to_share_is_undefined(subject):
    looked_at = subject("conv+w_msa", trained=False)
    mixer = looked_at.blocks()[0].mixer
    for branch in mixer.branches:
        for parameter in branch.proj.parameters():
            parameter.zero_()
    numbers = Branches().measure(looked_at)
    assert numbers["rows"][0]["share"] is None
    assert [u["block"] for u in numbers["undefined"]] == ["layers.0.blocks.0"] * 2 + ["all"]
    drawn(numbers)


def test_the_budget_limits_the_images(subject):
    looked_at = subject("w_msa", count=20)
    numbers = Branches(gmacs=1e-9).measure(looked_at)
    assert numbers["images"] == 16
    assert "16 of 20 images" in numbers["notes"][0]
    assert Branches().measure(looked_at)["images"] == 20
