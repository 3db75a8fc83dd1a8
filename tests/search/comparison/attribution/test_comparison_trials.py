"""Effects from comparisons: one matching, and only the arms that the comparison speaks of."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hybrid_swin.errors import InputError
from search.cli.attribution import run
from search.comparison.attribution.comparison_trials import read_arms
from search.comparison.attribution.model import NEW_IMAGES, NEW_VALIDATION, THESE_IMAGES, attribute
from search.comparison.attribution.tables import sentences
from search.comparison.attribution.trial import trial_of
from search.comparison.attribution.trials import read_trials
from search.comparison.design.plan_file import write_plan
from search.records.looks import Look, record_look
from search.records.validation import save_answers
from search.settings.comparison import ArmSettings, MatchSettings
from search.statistics.intervals import crossed_difference

HALF = "+mdta(attention=false)"
BY = MatchSettings(by=("macs", "parameters"), tolerance=0.1)


@pytest.fixture
def made(fake, tmp_path):
    return fake.Made(tmp_path / "made", fake.settings(match=BY)).fill()


def finals(made, arm, matching):
    entry = next(e for e in made.plan.entries if (e.arm, e.matching) == (arm, matching))
    return made.finals(entry)


def candidates(read):
    return {trial.candidate for trial in read.trials}


def test_one_matching_is_told_of(made):
    first, second = read_trials(made.folder), read_trials(made.folder, "parameters")
    assert first == read_arms(made.folder, "macs")
    for read, by in ((first, "macs"), (second, "parameters")):
        assert candidates(read) == {
            "/".join(entry.candidates) for entry in made.plan.entries if entry.matching == by
        }
        assert (len(read.trials), read.total) == (15, 15)
    shared = "/".join(made.plan.entries[0].candidates)
    assert candidates(first) & candidates(second) == {shared}
    assert "baseline and the arms matched by MACs; for the others: --match par" in first.notes[0]
    told = attribute(first)
    assert told.method == "5 paired seeds x 200 test images, 3 candidates"
    best = max(told.effects, key=lambda effect: effect.estimate)
    assert (best.stage, best.word, best.is_shown) == (("stage 0",), ("w_msa+mdta",), True)


def test_what_stages_and_networks_vary_is_told_apart(made):
    spec, result = finals(made, HALF, "macs")[0], SimpleNamespace(score=0.9)
    stages = [stage | {"norm": "post"} for stage in spec.variant["stages"]]
    changed = replace(spec, variant=spec.variant | {"stages": stages, "registers": 4})
    before, after = trial_of(spec, result).others, trial_of(changed, result).others
    assert {name for name in after if after[name] != before[name]} == {
        "registers",
        *(f"stages.{i}.norm" for i in range(len(stages))),
    }


def test_a_matching_that_is_not_there_is_refused(made):
    with pytest.raises(InputError, match=r"'latency': .*'made' are matched by macs, parameters"):
        read_trials(made.folder, "latency")


def correctness_of(made, arm):
    keys = [spec.key for spec in finals(made, arm, "macs")]
    right = []
    for key in keys:
        with np.load(made.folder / key / "predictions.npz") as file:
            right.append(file["logits"].argmax(axis=1) == file["labels"])
    return np.stack(right) * 1.0


def test_effects_of_arms_are_contrasts_of_what_they_got_right_on_test(made):
    """The mean of three arms is subtracted: of the best, 2/3 minus 1/3 of each other one."""
    read = read_trials(made.folder)
    told = attribute(read)
    assert (told.monitor, told.covers) == ("test/accuracy", "seeds and images")
    assert NEW_IMAGES in sentences(told)
    assert THESE_IMAGES not in sentences(told)
    best, half, base = (correctness_of(made, arm) for arm in ("+mdta", HALF, "base"))
    effect = next(e for e in told.effects if e.word == ("w_msa+mdta",))
    # an interval of two thirds of "the best minus the mean of both others"
    whole = crossed_difference(best, (half + base) / 2)
    assert effect.estimate == pytest.approx(2 / 3 * whole.mean)
    together = whole.at(1 - 0.05 / 3)  # three words, three questions
    ends = 2 / 3 * together.low, 2 / 3 * together.high
    assert (effect.low, effect.high) == pytest.approx(ends)
    assert effect.p_value == pytest.approx(whole.p_value)
    assert told.mean == pytest.approx(np.mean([best, half, base]))
    scores = sorted(trial.score for trial in read.trials)
    assert scores == pytest.approx(sorted(np.stack([best, half, base]).mean(axis=2).ravel()))


def test_effects_pay_for_looks_at_fewer_seeds(made):
    """As the comparison's own tests: seeds that were added after a look that nobody planned."""
    once = attribute(read_trials(made.folder))
    assert once.level == made.read().level == 0.05
    write_plan(made.plan, made.folder)
    record_look(made.folder, Look(3, 3, "compare"))
    twice = attribute(read_trials(made.folder))
    assert twice.level == made.read().level == 0.0075
    assert {effect.level for effect in twice.effects} == {0.0075}
    assert any("held to 0.75%" in sentence for sentence in sentences(twice))
    between = replace(twice.effects[0], holm_p=0.01)
    assert not between.is_shown
    assert replace(between, level=0.05).is_shown


def on_validation(made, why):
    """Effects stay on validation, and the reader is told why and what that leaves out."""
    read = read_trials(made.folder)
    told = attribute(read)
    assert (told.monitor, told.covers, read.right) == ("val/accuracy", "seeds", {})
    assert told.method == "t over 5 paired seeds, 3 candidates"
    assert any(why in note for note in told.notes), told.notes
    assert THESE_IMAGES in told.notes


def test_lost_predictions_leave_effects_on_validation_and_say_so(made):
    (made.folder / finals(made, "+mdta", "macs")[0].key / "predictions.npz").unlink()
    on_validation(made, "predictions.npz cannot be read: so effects are those on validation")


def test_validation_answers_stand_in_for_lost_predictions(made):
    rng = np.random.default_rng(0)
    for entry in made.plan.entries:
        for spec in made.finals(entry):
            right = rng.random(200) < 0.8
            save_answers(made.folder / spec.key, right, [str(i) for i in range(200)])
            made.write(spec, float(right.mean()), test={"test/accuracy": 0.9})
    (made.folder / finals(made, "+mdta", "macs")[0].key / "predictions.npz").unlink()
    told = attribute(read_trials(made.folder))
    assert (told.monitor, told.covers) == ("val/accuracy", "seeds and images")
    assert told.method == "5 paired seeds x 200 validation images, 3 candidates"
    assert NEW_VALIDATION in told.notes
    assert not any("leave out new images" in note for note in told.notes)


def test_effects_say_that_learning_rates_were_given_and_arms_guess(fake, tmp_path):
    once = fake.settings(choose_rate="once")
    made = fake.Made(tmp_path / "made", once, skills={**fake.SKILLS, HALF: -9.0}).fill()
    notes = read_trials(made.folder).notes
    assert any(note.startswith("Given these learning rates: one choice") for note in notes)
    assert any("better than a guess on test" in n and n.endswith(f": {HALF}.") for n in notes)


def test_arms_tested_on_different_images_have_effects_on_validation(made):
    spec = finals(made, "+mdta", "macs")[0]
    accuracy = made.predict(spec, 1.5)
    made.write(spec, 0.9, test={"test/accuracy": accuracy}, test_hash="another")
    on_validation(made, "tested on different images")


def test_arms_that_were_not_tested_have_effects_on_validation(made):
    for spec in finals(made, "+mdta", "macs"):
        made.write(spec, 0.9)
    on_validation(made, "Not every arm was tested")


def test_a_seed_without_a_test_score_leaves_effects_on_validation(made):
    made.write(finals(made, "+mdta", "macs")[0], 0.9)
    on_validation(made, "a seed of an arm has no test score")


def test_what_still_improves_is_left_out(made):
    """In at least half of its seeds, as the comparison has it."""
    rising = tuple({"epoch": e, "val/accuracy": 0.05 * e} for e in range(1, 11))
    for spec in (*finals(made, HALF, "macs")[:3], *finals(made, HALF, "parameters")[:2]):
        made.write(spec, 0.5, history=rising, test={"test/accuracy": made.predict(spec, 0.8)})
    read = read_trials(made.folder)
    half = next(e for e in made.plan.entries if (e.arm, e.matching) == (HALF, "macs"))
    assert "/".join(half.candidates) not in candidates(read)
    assert read.notes[1].startswith(f"Still improving when training ended, so left out: {HALF}.")
    other = read_trials(made.folder, "parameters")
    assert len(candidates(other)) == 3
    assert len(other.notes) == 1
    # the comparison speaks of the same arms
    found = {(r.matching, r.arm) for r in made.read().results if r.usable}
    assert len(found) == 5
    assert ("macs", HALF) not in found


def test_arms_that_lack_seeds_are_left_out(made):
    lost = finals(made, HALF, "macs")[0]
    made.write(lost, None, state="failed", error="out of memory")
    read = read_trials(made.folder)
    assert len(read.trials) == 10
    assert (
        f"Not every seed completed, and a mean of survivors flatters, so left out: {HALF} (4 of 5)."
        in (read.notes[1])
    )
    for spec in finals(made, "+mdta", "macs"):
        (made.folder / spec.key / "result.json").unlink()
    with pytest.raises(InputError, match=r"1 of 3 arms matched by MACs .*\+mdta \(0 of 5\), "):
        read_trials(made.folder)


def test_seeds_that_chose_other_rates_are_of_one_arm(made):
    arm = made.plan.entries[1]
    for rate, seed in ((0, 1), (1, 0)):  # seed 1 prefers the other rate
        for spec in made.plan.selection(arm, rate, 1):
            made.write(spec, 0.9 + 0.01 * seed)
    final = made.plan.final(arm, 0, 1)
    accuracy = made.predict(final, 1.5)
    made.write(final, accuracy, test={"test/accuracy": accuracy})
    told = attribute(read_trials(made.folder))
    assert told.method == "5 paired seeds x 200 test images, 3 candidates"


def test_stages_with_two_added_arms_are_no_whole_factorial(fake, tmp_path):
    stage = fake.VARIANT["stages"][0]
    made = fake.settings(
        variant={**fake.VARIANT, "stages": [{**stage, "depth": 1, "width": w} for w in (48, 96)]},
        arms=(ArmSettings(), ArmSettings(add="mdta"), ArmSettings(add="conv")),
        match=replace(BY, by=("none",)),
        factors={"stages": [[0], [1], "all"]},
        learning_rates=(),
    )
    comparison = fake.Made(tmp_path / "stages", made, {"base": 0.0, "+mdta": 1.5, "+conv": 1.4})
    told = attribute(read_trials(comparison.fill().folder))
    assert told.method == "5 paired seeds x 200 test images, 7 candidates"
    said = sentences(told)
    assert any("Only 7 of 9 combinations of stage 0 x stage 1 were tried" in s for s in said)
    assert not any("mean over what stood in the other stages" in s for s in said)
    assert [effect.trials for effect in told.effects] == [15, 10, 10] * 2


def test_costs_that_were_matched_are_not_adjusted_for(fake, tmp_path):
    match = MatchSettings(by=("macs",), tolerance=0.01)
    made = fake.Made(tmp_path / "tight", fake.settings(match=match, learning_rates=())).fill()
    spread = [entry.cost.macs for entry in made.plan.entries]
    assert np.std(spread) / np.mean(spread) < 0.01
    options = SimpleNamespace(
        study=str(made.folder),
        out=None,
        match=None,
        interactions=False,
        adjust="macs",
        plugin=[],
        trust=False,
    )
    with pytest.raises(InputError, match="leave out --adjust"):
        run(options)
