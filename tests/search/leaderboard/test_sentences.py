import json
import re

import numpy as np
import pytest

from search.leaderboard.board import Leaderboard
from search.leaderboard.joint_board import join
from search.leaderboard.sentences import sentences
from search.records.study_folder import recorded_test_read
from search.records.validation import read_answers
from search.statistics.intervals import crossed_difference, score_interval
from search.statistics.looks import level_of_look, pocock_level


def said(study):
    return " ".join(sentences(Leaderboard.from_folder(study.folder)))


def test_a_finished_study(whole_study):
    text = said(whole_study())
    assert "Best by validation: w_msa+mdta, 95.7% (mean of 5 fresh seeds, 98.75% interval" in text
    assert "since it was chosen among 4 rows" in text
    assert "May be the best on test, a set that contains it with 95%: #1 w_msa+mdta, #2" in text
    assert "On test against row R, #1 w_msa+mdta (the best by the score of the" in text
    assert "not shown different: #2 w_msa+conv; shown worse: #3 conv(kernel=7)" in text
    assert "the 3 chosen by the search went from 96.5%" in text  # the baseline was not chosen
    assert "the baseline, which no score chose, from 90.0% to" in text
    assert "two baselines and two chosen would tell how much" in text  # one baseline is too few
    assert (
        "Test was read 21 times, once for each of 20 runs with fresh seeds and once for ref" in text
    )
    assert "On test the reference model logistic regression on pixels gets 94.7%" in text
    assert "wide intervals" not in text
    assert "By the scatter over seeds and the test images, a true difference from row R, 3" in text


def test_few_seeds_are_called_few(whole_study):
    assert "3 seeds give wide intervals; 5" in said(whole_study(seeds=3))
    text = said(whole_study("two", seeds=2))
    assert (
        "2 seeds give wide intervals (one over seeds alone may hold every possible difference)"
        in text
    )


def test_without_retraining_there_is_no_best(make_study):
    study = make_study()
    assert said(study) == "No run of study 'digits' has ended yet."
    study.trial(0, 0.9)
    assert said(study).startswith("Nothing is retrained over several seeds yet")
    study.finalist("c", [0.9])
    assert "Best by validation" not in said(study)


def test_a_row_better_on_test_than_the_best_by_validation_is_told(make_study):
    study = make_study()
    study.finalist("a", [0.9] * 5, label="first", skill=-3.0)
    study.finalist("b", [0.8] * 5, label="second", skill=3.0)
    text = said(study)
    assert "contains it with 95%: only #2 second; the best by validation is not among" in text
    assert "against row R, #1 first" in text and "shown better: #2 second." in text
    assert "shown worse" not in text


def test_all_readings_of_the_test_split_are_told(make_study):
    study = make_study()
    study.finalist("c", [0.9, 0.9])
    assert "This test split has been read 2 times in all (2 by study digits)" in said(study)
    for number, command in enumerate(("study", "study", "inspect", "predict", "test", "compare")):
        split = {"test_hash": "7e577e5700"}
        with recorded_test_read(study.folder, command, f"run/{number}", "c", split):
            pass
    assert (
        "This test split has been read 8 times in all (4 by study digits, 1 by inspect digits, "
        "1 by predict digits, 1 by test digits and 1 more): whatever was chosen" in said(study)
    )
    assert "Other test splits" not in said(study)
    # the same images with another share of test, and other images
    for number, data in enumerate(("d0d0d0d0d0", "d0d0d0d0d0", "0ther")):
        split = {"test_hash": "another", "data_hash": data}
        with recorded_test_read(study.folder, "inspect", f"run/again-{number}", "c", split):
            pass
    assert "Other test splits of the same images have been read 2 times as well" in said(study)
    assert "has been read 8 times in all" in said(study)


def test_rows_that_share_no_seeds_are_said_to_be_unpaired(make_study):
    study = make_study()
    study.finalist("a", [0.9] * 3, label="first")
    study.finalist("b", [0.8] * 3, label="second", split_hash="another draw of validation")
    text = said(study)
    assert "too few seeds are shared with row R: #2 second." in text
    assert "differ in their splits (split_hash)" in text


def test_validation_drawn_anew_is_no_caution(make_study):
    study = make_study()
    for seed in range(2):
        split = {"candidate_id": "a", "stage": "final", "seed_index": seed, "seed": seed}
        study.run(f"finalists/a/{seed}", "finalist", 0.9, "a", split_hash=f"s{seed}", **split)
    study.trial(0, 0.9)
    (row,) = (r for r in Leaderboard.from_folder(study.folder).rows if r.fidelity == "final")
    assert (row.split_hash, row.test_hash) == ("varied", "7e577e5700")
    assert "differ in their" not in said(study)
    once = make_study("once")
    once.finalist("a", [0.9], split_hash="drawn anew")
    once.trial(0, 0.9)
    assert "differ in their" not in said(once)


def test_trials_that_stopped_on_fewer_images_are_no_caution(make_study):
    study = make_study(rungs={"first": 100, "over": "images"})
    study.trial(0, 0.9)
    study.trial(1, 0.5, state="stopped", split_hash="fewer images")
    assert "differ in their" not in said(study)
    study.trial(2, 0.9, split_hash="other images")
    assert "differ in their splits (split_hash)" in said(study)


def test_direction_follows_the_objective(make_study):
    study = make_study(monitor="val/loss", mode="min")
    study.trial(0, 0.30)
    study.trial(2, 0.99)
    study.finalist("a", [0.39, 0.41], skill=None)
    study.baseline(0, 0.50)
    study.baseline(1, 0.52)
    study.trial(1, 0.31)
    study.finalist("b", [0.41, 0.43], "trials/0001", skill=None)
    for number, scores in enumerate(([0.50, 0.52], [0.52, 0.55])):
        origin = f"baselines/{number:02d}"
        study.finalist(f"base{number}", scores, origin, skill=None, is_baseline=True)
    text = said(study)
    assert "from 0.305 (the score that chose them) to 0.410 on validation; the 2 base" in text
    assert "from 0.510 to 0.522: the chosen fell +0.092 [" in text
    assert "more than the baselines, the flattery of the seed (winner's curse)" in text


@pytest.mark.parametrize(
    ("chosen", "given", "verdict"),
    [
        (
            [0.95, 0.96],
            [0.80, 0.81],
            "the chosen fell +5.0 points [+2.0, +8.0] more than the baselines, the flattery of",
        ),
        (
            [0.90, 0.91],
            [0.795, 0.805],
            "+0.5 points [-2.5, +3.5] more than the baselines; a winner's curse is not shown",
        ),
        (
            [0.95, 0.96],
            [0.75, 0.76],
            "the chosen fell and the baselines rose, a difference of +10.0",
        ),
        (
            [0.88, 0.89],
            [0.75, 0.76],
            "the chosen rose less than the baselines, a difference of +3.",
        ),
        ([0.90, 0.91], [0.90, 0.92], "fell no more than the baselines"),  # fresh splits are harder
        ([0.88, 0.87], [0.80, 0.81], "fell no more than the baselines"),
    ],
)
def test_a_fall_that_befell_the_baselines_too_is_no_winners_curse(
    make_study, chosen, given, verdict
):
    study = make_study()
    study.trial(9, 0.5)
    for number, score in enumerate(chosen):
        study.trial(number, score)
        fresh = {"split_hash": "drawn anew"}
        study.finalist(f"t{number}", [0.89, 0.91], f"trials/{number:04d}", **fresh)
    for number, score in enumerate(given):
        study.baseline(number, score)
        origin = f"baselines/{number:02d}"
        study.finalist(f"b{number}", [0.79, 0.81], origin, is_baseline=True, **fresh)
    assert verdict in said(study)
    assert "on other validation images" in said(study) and "cannot be seen" not in said(study)


def test_more_loss_on_test_is_worse(make_study):
    study = make_study(monitor="val/loss", mode="min")
    for candidate, loss in (("low", 0.5), ("high", 0.9)):
        for seed in range(5):
            told = {"test/loss": loss + 0.01 * seed * loss}
            changes = {"candidate_id": candidate, "stage": "final", "seed_index": seed}
            key = f"finalists/{candidate}/{seed}"
            study.run(key, "finalist", loss, candidate, test=told, **changes)
    assert "row R, #2 high" in said(study) and "shown better: #1 low." in said(study)


def test_cautions(make_study):
    study = make_study()
    rising = tuple({"epoch": e, "val/accuracy": 0.04 * e} for e in range(1, 21))
    study.finalist("a", [0.8, 0.8], label="young", history=rising)
    study.finalist("b", [0.8, 0.8], label="unlucky")
    lost = {"candidate_id": "b", "stage": "final", "seed_index": 2, "state": "failed"}
    study.run("finalists/b/2", "finalist", None, "unlucky", **lost)
    study.trial(0, 0.9, split_hash="other")
    study.trial(1, 0.9)
    study.trial(2, 0.9, ended=False)
    text = said(study)
    assert "so left out: #1 young. Train longer" in text
    assert "a mean of survivors flatters, so left out: #2 unlucky." in text
    assert "differ in their splits (split_hash)" in text
    assert "images (data_hash)" not in text
    assert "1 run has not ended" in text


def test_differences_to_a_best_row_that_was_still_improving_say_so(make_study):
    rising = tuple({"epoch": e, "val/accuracy": 0.04 * e} for e in range(1, 21))
    told = "shown worse: #2 bad; but it was still improving when training ended"
    for name, history in (("young", {"history": rising}), ("old", {})):
        study = make_study(name)
        study.finalist("a", [0.9] * 5, label="good", skill=3.0, **history)
        study.finalist("b", [0.8] * 5, label="bad", skill=-3.0)
        assert (told in said(study)) == (name == "young")
        assert "shown worse: #2 bad" in said(study)


def test_too_few_epochs_to_judge_are_told(make_study):
    study = make_study()
    study.finalist("a", [0.9, 0.9], label="brief", history=(), epochs=4)
    study.finalist("b", [0.8, 0.8], label="long")
    study.finalist("c", [None], label="lost", state="failed", epochs=0, skill=None)
    text = said(study)
    assert "Below 5 epochs nobody can tell whether training had ended: #1 brief." in text
    study.finalist("a", [0.9, 0.9], label="brief", epochs=5)
    assert "nobody can tell" not in said(study)
    study.finalist("a", [0.9, 0.9], label="brief", epochs=20, history=())
    text = said(study)
    assert "Without a finite score of every last epoch nobody can tell" in text
    assert "Below 5 epochs" not in text


# What no search would have given


def with_chance(study, scores):
    """Random candidates with these validation scores, each trained once as a finalist."""
    for number, score in enumerate(scores):
        key = f"random/final-{number:02d}"
        test = {"test/accuracy": score - 0.01}
        study.run(key, "random", score, "w_msa", stage="final", origin=key, test=test)
    return study


def test_the_mean_random_candidate_is_a_row_below_the_ranks(make_study):
    study = with_chance(make_study(), [0.7, 0.8, 0.9])
    study.finalist("a", [0.90, 0.92, 0.91, 0.89, 0.93])
    study.reference("logistic regression", 0.85)
    board = Leaderboard.from_folder(study.folder)
    assert [row.fidelity for row in board.rows] == ["final", "random", "reference"]
    mean = board.rows[1]
    assert (mean.rank, mean.seeds, mean.proposed_by) == (None, 3, "chance")
    assert mean.label == "mean of 3 random candidates"
    assert mean.validation_mean == pytest.approx(0.8)
    over = score_interval([0.7, 0.8, 0.9], (0.0, 1.0), 225)  # over the three candidates
    assert (mean.validation_low, mean.validation_high) == (over.low, over.high)
    assert (mean.test_mean, mean.test_covers) == (pytest.approx(0.79), "candidates")
    text = said(study)
    assert "A random candidate gets 80.0% on validation (mean of 3" in text
    assert "the best of the search differs from that by +11.0 points [-13." in text
    settings = study.folder / "settings.yaml"
    settings.write_text(settings.read_text() + "budget: {macs: 2M}\n")
    assert "A random candidate within the budget gets 80.0%" in said(study)


def test_random_candidates_that_were_lost_are_said_to_flatter(make_study):
    study = with_chance(make_study(), [0.7, 0.8])
    study.finalist("a", [0.9, 0.91, 0.92])
    study.run("random/final-09", "random", None, "w_msa", stage="final", state="diverged")
    text = said(study)
    assert "(mean of 2 that came to their end, of 3, which flatters, 95% interval" in text


@pytest.mark.parametrize(("monitor", "seeds_only"), [("val/f1", True), ("val/accuracy", False)])
def test_what_comparisons_on_test_speak_of_is_said(make_study, monitor, seeds_only):
    study = make_study(monitor=monitor)
    for name, skill in (("a", 1.0), ("b", 0.5)):
        for spec, result in study.finalist(name, [0.9, 0.91, 0.92], skill=skill):
            told = result.to_dict()
            told["test"] |= {"test/f1": 0.9 + 0.01 * spec.seed_index * (name == "a")}
            (study.folder / spec.key / "result.json").write_text(json.dumps(told))
    assert ("Comparisons on test are over seeds where" in said(study)) == seeds_only


def test_no_difference_beyond_what_a_metric_allows_is_promised(make_study):
    """Of AUROC, which is written without percent, too: its scores lie between 0 and 1."""
    study = make_study(monitor="val/auroc")
    for name, scores in (("a", [0.9, 0.1, 0.5]), ("b", [0.2, 0.8, 0.5])):
        for (spec, result), score in zip(study.finalist(name, scores), scores, strict=True):
            told = result.to_dict() | {"test": {"test/auroc": score}}
            (study.folder / spec.key / "result.json").write_text(json.dumps(told))
    assert "over seeds, any difference from row R would be missed on test more than one" in said(
        study
    )


def test_skewed_luck_near_the_ceiling_is_told(make_study):
    for name, monitor, told in (("share", "val/accuracy", True), ("rate", "val/f1", False)):
        study = make_study(name, monitor=monitor, images=1000)
        metric = monitor.replace("val", "test")
        for label, scores in (("a", (0.99, 0.98, 0.93)), ("b", (0.97, 0.96, 0.965))):
            runs = study.finalist(label, [0.9, 0.91, 0.92], label=label)
            for (spec, result), score in zip(runs, scores, strict=True):
                told_of = result.to_dict() | {"test": {metric: score}}
                (study.folder / spec.key / "result.json").write_text(json.dumps(told_of))
        assert ("Of #1 a, near the ceiling, errors differ" in said(study)) == told


def test_a_random_search_of_equal_cost_is_compared_over_the_same_seeds(make_study):
    study = make_study()
    study.finalist("a", [0.90, 0.92, 0.94], origin="trials/0003")
    study.finalist("b", [0.89, 0.90, 0.91], origin="random/0002")
    board = Leaderboard.from_folder(study.folder)
    assert [row.proposed_by for row in board.rows] == ["search", "random search"]
    text = said(study)
    assert "of a random search, #2 with 90.0%: +2.0 points [" in text  # what it cost is not known
    assert "; one search each: this tells of these two, not of the ways to search." in text
    assert "A random candidate" not in text
    study.trial(3, 0.9, candidate_id="a", passes=20.0)
    study.run("random/0002", "random", 0.9, "w_msa", candidate_id="b", passes=19.2)
    assert "a random search that cost as much to train, #2" in said(study)
    study.run("audits/0001", "audit", 0.9, "w_msa", candidate_id="a", passes=10.0)
    assert "cost 64% as much to train (it found no further candidate), #2" in said(study)
    study.trial(4, None, ended=False)  # neither has come to its end
    assert "of a random search, #2" in said(study)


def test_differences_on_shared_validation_images_are_for_new_images_too(make_study):
    study = make_study()
    pair = study.finalist("a", [0.9] * 3, origin="trials/0003")
    study.validate(pair, skill=1.0)
    study.validate(study.finalist("b", [0.9] * 3, origin="random/0002"))
    with_chance(study, [0.7, 0.8])
    text = said(study)
    rows = Leaderboard.from_folder(study.folder).rows
    right = [np.stack([read_answers(study.folder / k).right for k in r.keys]) for r in rows[:2]]
    found = crossed_difference(*right)
    ends = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    assert f"{100 * found.mean:+.1f} points {ends} (95%; over seeds and images)" in text
    # those of the random candidates are not known
    assert "(95%; over seeds and candidates)" in text
    study.validate(pair[:1], images="w")  # a seed that validated on images of its own
    assert "(95%; over seeds);" in said(study)


def test_what_chance_chose_is_no_choice_of_the_search(make_study):
    study = make_study()
    study.trial(3, 0.95)
    study.trial(4, 0.94)
    study.run("random/0002", "random", 0.6, "w_msa")
    study.finalist("a", [0.90, 0.92, 0.94], origin="trials/0003")
    study.finalist("b", [0.60, 0.62, 0.61], origin="random/0002")
    assert "the one chosen by the search went from 95.0%" in said(study)
    broken = make_study("broken")
    broken.finalist("a", [0.90, 0.92, 0.94], origin="trials/0003")
    broken.finalist("b", [None, None, None], origin="random/0002", state="diverged", skill=None)
    assert "a random search" not in said(broken)


def test_what_both_searches_chose_counts_for_both(make_study):
    study = make_study()
    study.finalist("a", [0.90, 0.92, 0.94], origin="trials/0003")
    study.finalist("b", [0.89, 0.90, 0.91], origin="trials/0004")
    study.finalist("c", [0.80, 0.81, 0.82], origin="random/0002")
    study.trial(3, 0.9, candidate_id="a")
    study.trial(4, 0.9, candidate_id="b")
    study.run("random/0002", "random", 0.9, "w_msa", candidate_id="c")
    study.run("random/0005", "random", 0.9, "w_msa", candidate_id="a")
    choice = {"search": ["trials/0003", "trials/0004"], "random_search": ["random/0002"]}
    file = study.folder / "finalists.json"
    file.write_text(json.dumps(choice))
    assert "of a random search, #3 with 81.0%" in said(study)
    choice["random_search"].append("random/0005")
    file.write_text(json.dumps(choice))
    board = Leaderboard.from_folder(study.folder)
    assert board.rows[0].chosen_by == ("search", "random search")
    assert "The best of the search, #1, is also the best of a random search" in said(study)


def test_an_audit_is_no_row_of_its_own(make_study):
    study = make_study(rungs={"first": 4, "factor": 3})
    study.trial(0, 0.9)
    study.trial(1, 0.5, state="stopped", epochs=4)
    study.run("audits/0001", "audit", 0.95, "w_msa", origin="trials/0001")
    board = Leaderboard.from_folder(study.folder)
    assert [row.origin for row in board.rows] == ["trials/0000", "trials/0001"]
    assert (board.fidelity.stopped, board.fidelity.audited, board.fidelity.better) == (1, 1, 1)
    assert "Of 1 stopped trials all were trained to their end" in said(study)


# What a sentence presumes of the design


def with_chosen(study, retrained=1, **fresh):
    """Two trials and two baselines, of which so many trials are retrained."""
    for number in range(2):
        study.trial(number, 0.95 - 0.01 * number)
        study.baseline(number, 0.9)
        origin = f"baselines/{number:02d}"
        study.finalist(f"b{number}", [0.89, 0.91], origin, is_baseline=True, **fresh)
    for number in range(retrained):
        study.finalist(f"t{number}", [0.90, 0.92], f"trials/{number:04d}", **fresh)
    return study


def test_with_given_splits_the_flattery_by_images_is_said_not_to_be_seen(make_study):
    text = said(with_chosen(make_study("given")))
    assert "on the same validation images" in text
    assert "The splits were given, so the same images validate: how far those images" in text
    drawn = said(with_chosen(make_study("drawn"), split_hash="drawn anew"))
    assert "on other validation images" in drawn and "cannot be seen" not in drawn
    unknown = with_chosen(make_study("own"), split_hash="")  # a data module of the user's own
    assert "Whether other images validated is not known" in said(unknown)


def test_where_all_were_retrained_no_score_chose(make_study):
    text = said(with_chosen(make_study(), retrained=2))
    assert "All 2 candidates of the search were retrained, so that no score chose" in text
    assert "winner's curse" not in text


def test_with_several_objectives_the_score_alone_chose_nothing(make_study):
    objective = {"monitor": "val/accuracy", "mode": "max", "against": ["macs"]}
    assert "(the score that, with macs, chose them)" in said(
        with_chosen(make_study(objective=objective))
    )


def test_without_a_run_that_came_to_its_end_there_is_no_order(make_study):
    study = make_study()
    study.trial(0, None, state="failed")
    assert said(study).startswith("No run has come to its end with a score")


def test_one_retrained_row_was_chosen_among_none(make_study):
    study = make_study()
    study.finalist("a", [0.9] * 3)
    text = said(study)
    assert "95% interval over seeds" in text and "chosen among" not in text
    assert "against row R" not in text and "May be the best" not in text


def test_without_test_nothing_is_said_of_it(make_study):
    study = make_study()
    study.finalist("a", [0.9, 0.91, 0.92], skill=None)
    study.finalist("b", [0.8, 0.81, 0.82], skill=None)
    assert " test" not in said(study)


@pytest.mark.parametrize("lead", [0.001, 0.3])
def test_a_lead_over_the_reference_has_its_interval_and_verdict(make_study, lead):
    study = make_study()
    study.finalist("a", [0.9] * 5, skill=1.0)
    study.finalist("b", [0.9] * 5, skill=1.2)
    rows = Leaderboard.from_folder(study.folder).rows
    study.reference("pixels", 0.8, test=min(row.test_mean for row in rows) - lead)
    text = said(study)
    found = Leaderboard.from_folder(study.folder).references[0]
    assert all(one.low < one.difference < one.high for one in found.leads)
    assert [one.shown for one in found.leads] == [lead > 0.1] * 2
    verdict = "shown better: #1" if lead > 0.1 else "not shown different: #1"
    assert f"over seeds): {verdict} +" in text and "] " not in text[-1:]


def test_leads_that_are_not_written_out_say_where_they_are(make_study):
    study = make_study()
    for name in "abcd":
        study.finalist(name, [0.9] * 3, skill=1.0)
    study.reference("pixels", 0.8, test=0.5)
    text = said(study).partition("the reference model pixels")[2].partition(". ")[0]
    assert text.count("[") == 3
    assert text.rstrip(".").endswith("] and, with its interval by --format json, #4")


def test_a_reference_with_its_answers_is_compared_over_images_too(make_study):
    study = make_study()
    study.finalist("a", [0.9] * 4, skill=1.0)
    test = study.predictions("references/pixels", 0.9)["test/accuracy"]
    study.reference("pixels", 0.8, test=test)
    (found,) = Leaderboard.from_folder(study.folder).references
    assert (found.covers, found.leads[0].shown) == ("seeds and images", False)
    assert "over seeds and images): not shown different: #1" in said(study)


# Looks


def grown(study, seeds, planned=None):
    """The same two rows with so many seeds, as asked for."""
    settings = study.folder / "settings.yaml"
    lines = [x for x in settings.read_text().splitlines() if not x.startswith("finalists")]
    settings.write_text("\n".join([*lines, f"finalists: {{seeds: {planned or seeds}}}", ""]))
    study.rng = type(study.rng)(type(study.rng.bit_generator)(1))
    study.finalist("a", [0.9 + 0.01 * (s % 3) for s in range(seeds)], skill=1.0)
    study.finalist("b", [0.8 + 0.01 * (s % 3) for s in range(seeds)], skill=0.2)
    return Leaderboard.from_folder(study.folder)


def test_seeds_that_are_added_after_a_look_are_told_and_paid_for(make_study):
    study = make_study()
    first = grown(study, 3)
    assert (first.level, len(first.looks)) == (0.05, 1)
    assert "This is look" not in " ".join(sentences(first))
    for _ in range(2):  # the same seeds again are not a further look
        assert first.record_looks("leaderboard") == []
        assert Leaderboard.from_folder(study.folder).level == 0.05
    waiting = grown(study, 3, planned=5)
    assert waiting.waiting and waiting.new_looks == (None,)
    assert all(row.difference is None and row.may_be_best is None for row in waiting.rows)
    assert "Retrained runs are still to come: nothing is concluded" in " ".join(sentences(waiting))
    second = grown(study, 5)
    assert second.level == 0.015 / 2
    assert [look.seeds for look in second.looks] == [3, 5]
    text = " ".join(sentences(second))
    assert (
        "This is look 2 at this study (at 3, 5 seeds). Its tests are held to 0.75%, since" in text
    )
    assert second.rows[1].difference_confidence == 1 - second.level
    assert "contains it with 99.25%" in text


def test_planned_looks_of_a_study_share_the_level(make_study):
    study, plan = make_study(), [3, 5, 8]
    level = pocock_level((3, 5, 8))
    first = grown(study, 3, plan)
    assert not first.waiting  # the next look is not asked for before this one is taken
    assert (first.level, first.planned_looks) == (level, (3, 5, 8))
    text = " ".join(sentences(first))
    assert "This is look 1 at this study (at 3 seeds; planned: 3, 5, 8)." in text
    assert "so that all planned looks together raise a false alarm in at most 5%." in text
    assert "The command that trains goes on to 5 seeds." in text
    first.record_looks("run")
    assert grown(study, 4, plan).waiting  # on its way from 3 to 5
    second = grown(study, 5, plan)
    assert ([look.seeds for look in second.looks], second.level) == ([3, 5], level)
    second.record_looks("run")
    third = grown(study, 6, [3, 5, 6, 7])  # another plan, after looks at the first one
    assert (third.planned_looks, third.level) == ((3, 5, 8), level_of_look((3, 5, 8), 4))
    assert "since the look at 6 seeds was not planned" in " ".join(sentences(third))


def test_looks_at_pooled_studies_are_told(make_study):
    one, other = make_study("one"), make_study("other")
    grown(one, 3).record_looks("run")
    grown(one, 5)
    grown(other, 5)
    text = " ".join(sentences(join([one.folder, other.folder])))
    assert "This is look 2 at study one (at 3, 5 seeds)." in text
    assert "tests here are at the lowest level of a study" in text


def test_a_study_of_five_seeds_at_once_pays_nothing(make_study):
    assert grown(make_study(), 5).level == 0.05


def test_a_fall_is_no_larger_than_scores_can_be(make_study):
    """The chosen were at 92.5% on average and the baselines at 50%: 142.5 points are the most."""
    study = make_study()
    study.trial(9, 0.5)
    for number, (before, after) in enumerate([(0.9, 0.9), (0.95, 0.1)]):
        study.trial(number, before)
        study.finalist(f"t{number}", [after, after], f"trials/{number:04d}", skill=None)
    for number, (before, after) in enumerate([(0.5, 0.9), (0.5, 0.2)]):
        study.baseline(number, before)
        origin = f"baselines/{number:02d}"
        study.finalist(f"b{number}", [after, after], origin, skill=None, is_baseline=True)
    low, high = map(
        float, re.search(r"difference of \+[\d.]+ points \[(.+?), (.+?)\]", said(study)).groups()
    )
    assert low >= 42.5 - 100 and high == pytest.approx(142.5, abs=0.05)
