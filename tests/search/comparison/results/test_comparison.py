import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from hybrid_swin.system.files import json_ready
from hybrid_swin.training.batch_norm_note import batch_norm_note
from search.comparison.results.answer import answer
from search.comparison.results.conclusions import conclusions
from search.comparison.results.doubts import doubt, top_cautions
from search.comparison.results.trained_arm import TrainedArm, images_of
from search.records.runs import iter_runs
from search.records.validation import save_answers
from search.settings.claims import ClaimSettings
from search.settings.comparison import ArmSettings, MatchSettings
from search.statistics.intervals import crossed_difference

BASE, WHOLE, HALF = "base", "+mdta", "+mdta(attention=false)"


@pytest.fixture(scope="module")
def made(fake, tmp_path_factory):
    """A finished comparison under two ways of matching; tests only read it."""
    by = MatchSettings(by=("macs", "parameters"), tolerance=0.1)
    folder = tmp_path_factory.mktemp("comparison")
    return fake.Made(folder, fake.settings(match=by, milestone=0.75)).fill()


@pytest.fixture(scope="module")
def read(made):
    return made.read()


def by_arm(comparison, matching="macs"):
    return {r.arm: r for r in comparison.results if r.matching == matching}


def right(made, entry, seeds=5):
    matrix = []
    for spec in made.finals(entry)[:seeds]:
        with np.load(made.folder / spec.key / "predictions.npz") as file:
            matrix.append(file["logits"].argmax(1) == file["labels"])
    return np.array(matrix, dtype=float)


def test_every_arm_in_every_matching(made, read):
    places = [(r.matching, r.arm) for r in read.results]
    assert places == [(by, arm) for by in ("macs", "parameters") for arm in (BASE, WHOLE, HALF)]
    assert (read.pending, read.baseline, read.mixed) == (0, BASE, ())
    for result in read.results:
        assert (result.state, result.seeds, result.seeds_asked) == ("complete", 5, 5)
        assert result.chosen_rates == (0.003,) * 5
        assert (result.learning_rate, result.rates_text) == (0.003, "0.003")
        assert result.rate_scores == pytest.approx({"0.001": 0.8, "0.003": 0.81})
        assert result.rate_at_edge
        assert len(result.keys) == len(result.test_scores) == 5
        assert result.test_low < result.test_mean < result.test_high
        assert result.test_covers == "seeds and images"
        assert result.validation_mean == pytest.approx(result.test_mean - 0.01)


def test_differences_are_crossed_over_seeds_and_images(made, read):
    first, second = made.plan.entries[1], made.plan.entries[0]
    expected = crossed_difference(right(made, first), right(made, second))
    found = by_arm(read)[WHOLE].versus
    assert (found.against, found.cause, found.measured_on) == (BASE, "", "test")
    assert (found.difference, found.low, found.p_value) == pytest.approx(
        (expected.mean, expected.at(1 - 0.05 / 6).low, expected.p_value)
    )
    control = by_arm(read)[WHOLE].controls[0]
    assert (control.against, control.cause) == (HALF, "channel attention")
    same = crossed_difference(right(made, first), right(made, made.plan.entries[2]))
    assert control.difference == pytest.approx(same.mean)
    assert by_arm(read)[BASE].versus is None


def test_holm_is_over_the_whole_comparison(read):
    # by each matching: whole - base, whole - half, half - base; the plain baseline is shared
    assert read.family == 6
    for result in read.results:
        for versus in filter(None, (result.versus, *result.controls)):
            assert versus.p_value <= versus.holm_p <= min(1, 6 * versus.p_value) + 1e-12


def test_costs_and_their_residuals(read):
    base, whole = by_arm(read)[BASE], by_arm(read)[WHOLE]
    assert whole.residuals["macs"] == pytest.approx(whole.macs / base.macs - 1)
    assert "latency" not in whole.residuals  # trainings take times apart, on busy workers
    assert abs(whole.residuals["macs"]) < 0.1
    assert whole.adjuster
    assert (base.residuals, base.adjuster) == ({}, "")
    assert (whole.peak_memory_mb, whole.train_seconds) == (100.0, 20.0)


def test_the_milestone_is_a_median_and_counts_who_never_reached_it(read, fake, tmp_path):
    # score (1 - .8 exp(-e / 1.5)) first reaches .75
    for result in read.results:
        solved = [s for s in result.validation_scores if s >= 0.75]
        assert result.unsolved == 5 - len(solved)
        assert (result.milestone_epochs is None) == (len(solved) < 3)
        assert result.milestone_steps is None  # the images of an epoch are not set
    assert by_arm(read)[WHOLE].milestone_epochs < 10
    assert by_arm(read)[BASE].unsolved > 0


def test_steps_are_told_where_the_images_of_an_epoch_are_set(fake, tmp_path):
    from hybrid_swin.data.settings import DataSettings

    data = DataSettings(epoch_images=100)
    made = fake.Made(tmp_path, fake.settings(data=data, milestone=0.1, recipe={"batch_size": 32}))
    result = made.fill().read().results[0]
    assert result.milestone_epochs == 1
    assert result.milestone_steps == 4  # 100 images by 32


def test_sign_survives(read):
    assert read.sign_survives("", WHOLE) == "survives"
    assert read.sign_survives("", BASE) == "one matching"
    assert read.sign_survives("", WHOLE, "channel attention") in ("survives", "not shown")


def test_an_unfinished_comparison_can_be_read(fake, tmp_path):
    made = fake.Made(tmp_path)
    empty = made.read()
    assert empty.pending == sum(made.plan.trainings()) == 30 + 15
    assert {r.state for r in empty.results} == {"waiting"}
    assert {r.learning_rate for r in empty.results} == {None}
    made.fill(skip=[HALF])
    part = made.read()
    assert part.pending == 15
    arms = by_arm(part)
    assert arms[WHOLE].versus.verdict != "unknown"
    assert arms[WHOLE].controls[0].verdict == arms[HALF].versus.verdict == "unknown"
    assert (arms[HALF].state, arms[HALF].usable) == ("waiting", False)


def test_a_lost_seed_makes_an_arm_unusable(fake, tmp_path):
    made = fake.Made(tmp_path).fill()
    entry = made.plan.entries[1]
    made.write(made.finals(entry)[2], None, state="failed", error="out of memory")
    result = by_arm(made.read())[WHOLE]
    assert (result.state, result.seeds, result.usable) == ("failed", 4, False)
    assert result.versus.seeds == 4


def test_arms_whose_batch_norm_saw_parts_of_a_batch_are_named(fake, tmp_path):
    made = fake.Made(tmp_path).fill()
    before = made.read()
    entry = made.plan.entries[1]
    accuracy = by_arm(before)[WHOLE].test_scores[0]
    spec = made.finals(entry)[0]
    test = {"test/accuracy": accuracy}
    made.write(spec, accuracy - 0.01, test=test, error=batch_norm_note(32))
    after = made.read()
    assert (before.in_parts, after.in_parts) == ((), (WHOLE,))
    assert f"in {WHOLE}: not their blocks" in " ".join(top_cautions(after))
    assert f"in {WHOLE}: not their blocks" in " ".join(doubt(after))
    assert after.digest() == before.digest()


def test_runs_of_other_code_or_images_are_noticed(fake, tmp_path):
    made = fake.Made(tmp_path).fill()
    spec = made.finals(made.plan.entries[0])[0]
    made.write(spec, 0.8, code_hash="other", data_hash="other")
    assert made.read().mixed == ("images", "code")


def test_less_is_better(fake, tmp_path):
    from search.settings.experiment import ObjectiveSettings

    changed = fake.settings(objective=ObjectiveSettings("val/loss", "min"), learning_rates=())
    made = fake.Made(tmp_path, changed)
    losses = {BASE: 0.5, WHOLE: 0.3, HALF: 0.5}
    for entry in made.plan.entries:
        for index, spec in enumerate(made.finals(entry)):
            loss = losses[entry.arm] + 0.01 * np.sin(index + len(entry.arm))
            made.write(spec, loss, test={"test/loss": loss}, metrics={"val/loss": loss})
    result = by_arm(made.read())[WHOLE]
    assert result.versus.difference == pytest.approx(-0.2, abs=0.03)
    assert (result.versus.verdict, result.versus.better) == ("better", 1.0)
    assert (result.test_covers, result.learning_rate) == ("seeds", 0.001)
    assert not result.rate_at_edge


def test_files_say_that_groups_were_counted(fake, tmp_path):
    arms = (ArmSettings(), ArmSettings(add="mdta"))
    settings = fake.settings(name="groups", arms=arms, seeds=2, learning_rates=())
    claim = ClaimSettings("A, Table 1", "+mdta", difference=1.0)
    settings = replace(settings, published=(claim,))
    groups = [f"photograph {i // 4}" for i in range(200)]
    read = fake.Made(tmp_path / "groups", settings, groups=groups).fill().read()
    row = list(csv.DictReader(io.StringIO(read.to_csv())))[-1]
    assert (row["test_images"], row["test_groups"], row["items"]) == ("200", "50", "50")
    assert row["covers"] == row["test_covers"] == "seeds and groups of images"
    assert "(2 seeds, 50 groups of 200 test images, 10 epochs, matched by MACs)." in answer(read)
    assert "2 seeds, 50 groups of test images, matched by" in "".join(conclusions(read))
    judged = read.to_dict()["published"][0]
    assert (judged["images"], judged["unit"]) == (50, "groups of images")


def test_json_and_csv_hold_everything(read):
    told = json.loads(json.dumps(json_ready(read.to_dict()), allow_nan=False))
    whole = next(r for r in told["results"] if r["arm"] == WHOLE)
    assert whole["versus"]["verdict"] == by_arm(read)[WHOLE].versus.verdict
    assert whole["sign_survives"] == "survives"
    lines = list(csv.DictReader(io.StringIO(read.to_csv())))
    # by each matching: the baseline, two arms, one control
    assert len(lines) == 8
    assert len(lines[0]) == read.to_csv().split("\n")[0].count(",") + 1  # no column twice
    assert [line["cause"] for line in lines[:4]] == ["", "", "channel attention", ""]
    assert lines[1]["arm"] == "'+mdta"  # no formula for a spreadsheet
    assert float(lines[1]["difference"]) == by_arm(read)[WHOLE].versus.difference
    assert lines[1]["residual_latency"] == ""


def test_the_digest_knows_no_clock(fake, tmp_path):
    made = fake.Made(tmp_path).fill()
    before = made.read().digest()
    spec = made.finals(made.plan.entries[0])[0]
    with np.load(tmp_path / spec.key / "predictions.npz") as file:
        accuracy = float((file["logits"].argmax(1) == file["labels"]).mean())
    told = {"test": {"test/accuracy": accuracy}, "seconds": {"fit": 99.0}}
    made.write(spec, accuracy - 0.01, latency={"median_ms": 9.0}, **told)
    assert made.read().digest() == before
    made.write(spec, accuracy - 0.02, **told)
    assert made.read().digest() != before


def test_arms_that_guess_are_known_by_their_test_answers(fake, tmp_path):
    made = fake.Made(tmp_path, skills={BASE: -9.0, WHOLE: 1.5, HALF: -9.0}).fill()
    found = by_arm(made.read())
    assert {arm: r.at_chance for arm, r in found.items()} == {BASE: True, WHOLE: False, HALF: True}
    assert {(r.chance, r.chance_of) for r in found.values()} == {(0.1, "accuracy")}
    read = made.read()
    assert read.speaks_of(found[WHOLE], found[WHOLE].versus)
    assert not read.speaks_of(found[HALF], found[HALF].versus)


def test_too_few_epochs_leave_it_open_whether_training_had_ended(fake, tmp_path):
    made = fake.Made(tmp_path, fake.settings(learning_rates=())).fill()
    for spec in made.finals(made.plan.entries[1]):
        accuracy = made.predict(spec, 1.5)
        short = tuple({"epoch": e, "val/accuracy": 0.8} for e in range(1, 5))
        made.write(spec, 0.8, history=short, test={"test/accuracy": accuracy})
    result = by_arm(made.read())[WHOLE]
    assert (result.undertrained, result.whole, result.usable) == (None, True, False)


def test_images_that_belong_together_count_as_one(fake, tmp_path):
    """A score on 200 images of 20 patients is not a share of 200 independent answers."""
    made = fake.Made(tmp_path / "made").fill()
    for entry in made.plan.entries:
        for spec in made.finals(entry):
            made.write(spec, 0.9, validation_groups=20, test_groups=25)
    runs = {spec.key: (spec, result) for spec, result in iter_runs(made.folder)}
    arm = TrainedArm.read(made.folder, made.plan, made.plan.entries[0], runs)
    assert images_of(arm, made.plan) == (20, 25)


def test_without_test_shared_validation_images_are_crossed(fake, tmp_path):
    made = fake.Made(tmp_path / "made").fill()
    rng, right = np.random.default_rng(0), {}
    for entry in made.plan.entries:
        for spec in made.finals(entry):
            answers = rng.random(200) < (0.7 if entry.against is None else 0.8)
            right.setdefault(entry.arm, []).append(answers)
            save_answers(made.folder / spec.key, answers, [str(i) for i in range(200)])
            made.write(spec, float(answers.mean()), test=None)
    versus = next(r.versus for r in made.read().results if r.arm == "+mdta")
    expected = crossed_difference(right["+mdta"], right["base"])
    assert (versus.measured_on, versus.covers) == ("validation", "seeds and images")
    assert versus.p_value == pytest.approx(expected.p_value)
